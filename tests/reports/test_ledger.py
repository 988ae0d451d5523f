"""Refusals bias nothing: the law of the ledger, at the level of the rows that the write path leaves."""

import datetime as dt
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.reports.model import Row, Value
from tests.reports.rows import HOUR, NOON, NOW, Store, Stored, refuse, sync

Spoil = Callable[[Stored], Stored]

# What a refusal leaves of an event whose field, outside the pair key, was spoiled.
BESIDES: dict[str, Spoil] = {
    "unknown key": refuse,
    "unknown key in source": lambda row: refuse(row, "properties.source.*"),
    "unknown key in cache": lambda row: refuse(row, "properties.cache.*"),
    "state": lambda row: refuse(row, "properties.state", "not_allowed", state=None),
    "number_of_records": lambda row: refuse(
        row, "properties.number_of_records", "wrong_type", number_of_records=None
    ),
    "application_hash": lambda row: refuse(
        row, "properties.application_hash", "pattern", application_hash=None
    ),
    "config_hash": lambda row: refuse(
        row, "properties.source.config_hash", "pattern", setup=None, configured=0
    ),
    "notebook flag": lambda row: refuse(row, "properties.flags.NOTEBOOK_RUNTIME", "not_allowed"),
    "ip": lambda row: refuse(row, "properties.ip", "not_allowed"),
}


# The same for values of the pair key.
def spoil_source(row: Stored) -> Stored:
    gone = dict.fromkeys(("source_name", "source_executor_type", "source_version", "setup"))
    return refuse(row | gone, "properties.source", "not_an_object") if row["source_name"] else refuse(row)


def spoil_source_name(row: Stored) -> Stored:
    return (
        refuse(row | {"source_name": None}, "properties.source.name") if row["source_name"] else refuse(row)
    )


def spoil_destination(row: Stored) -> Stored:
    if not row["destination_name"]:
        return refuse(row)
    return refuse(row | {"destination_name": None}, "properties.destination", "not_an_object")


def spoil_cache(row: Stored) -> Stored:
    return (
        refuse(row | {"cache_type": None}, "properties.cache", "not_an_object")
        if row["cache_type"]
        else refuse(row)
    )


PAIR_KEY: dict[str, Spoil] = {
    "session": lambda row: refuse(row, "properties.session_id", "pattern", session_key=None),
    "event": lambda row: refuse(row, "event", "not_allowed", event=None),
    "source": spoil_source,
    "source name": spoil_source_name,
    "source name, behind another fault": lambda row: (
        spoil_source_name(row) | {"path": "properties.application_hash"}
    ),
    "destination": spoil_destination,
    "cache": spoil_cache,
    "session and event": lambda row: refuse(row, "event", "not_allowed", event=None, session_key=None),
}

SCRIPTS: tuple[list[str], ...] = (
    ["started", "succeeded"],
    ["started", "failed"],
    ["failed"],
    ["started"],
    ["started", "started", "failed", "succeeded"],
)


PLACES: tuple[dict[str, str | None], ...] = (
    {"cache": "DuckDBCache"},
    {"cache": "custom", "source": "source-file"},
    {"cache": "streaming", "destination": "destination-csv"},
    {"cache": "DuckDBCache", "destination": "destination-bigquery"},
    {"cache": None, "destination": "destination-csv", "source": "unknown"},
)


@st.composite
def fleets(draw: st.DrawFn) -> list[Stored]:
    rows = []
    for number in range(draw(st.integers(1, 6))):
        place, script = draw(st.sampled_from(PLACES)), draw(st.sampled_from(SCRIPTS))
        start = NOON - draw(st.integers(0, 200)) * HOUR
        if place.get("destination") and draw(st.booleans()):  # write(read_result): an end only, and no source
            place, script = place | {"source": None}, ["failed"]
        ids = {"unit": f"user {number % 3}", "session": f"session {number % 4}"}
        rows += [sync(state, start + step * HOUR, **ids, **place) for step, state in enumerate(script)]
    return rows


def spoil_some(draw: st.DrawFn, rows: list[Stored], ways: dict[str, Spoil]) -> list[Stored]:
    spoiled = []
    for row in rows:
        way = draw(st.sampled_from(["", *ways]))
        spoiled.append(ways[way](row) if way else row)
    return spoiled


@st.composite
def spoiled_fleets(draw: st.DrawFn, ways: dict[str, Spoil]) -> tuple[list[Stored], list[Stored]]:
    rows = draw(fleets())
    return rows, spoil_some(draw, rows, ways)


def counts(rows: dict[str, Row]) -> dict[str, tuple[Value, ...]]:
    names = (
        "attempts",
        "failed",
        "failure_rate",
        "failure_rate_upper",
        "units",
        "affected_units",
        "capped_rate",
    )
    return {name: tuple(row[column] for column in names) for name, row in rows.items()}


def replace(store: Store, rows: list[Stored]) -> None:
    store.clear()
    store.write(rows)


checked = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@checked
@given(spoiled_fleets(BESIDES), st.sampled_from(["source", "destination"]))
def test_a_refusal_for_a_field_outside_the_pair_key_moves_no_number(
    store: Store, fleet: tuple[list[Stored], list[Stored]], role: str
) -> None:
    rows, spoiled = fleet
    replace(store, rows)
    before = store.report(role=role)
    replace(store, spoiled)
    assert counts(store.report(role=role)) == counts(before)


@checked
@given(spoiled_fleets(PAIR_KEY), st.sampled_from(["source", "destination"]))
def test_a_spoiled_pair_key_never_moves_the_sum_of_failures(
    store: Store, fleet: tuple[list[Stored], list[Stored]], role: str
) -> None:
    rows, spoiled = fleet
    replace(store, rows)
    before = sum(int(row["failed"] or 0) for row in store.report(role=role).values())
    replace(store, spoiled)
    assert sum(int(row["failed"] or 0) for row in store.report(role=role).values()) == before


def test_a_spoiled_state_is_told_from_what_came_with_it(store: Store) -> None:
    for state in ("started", "succeeded", "failed"):
        store.write(
            [refuse(sync(state, source=f"source-{state}"), "properties.state", "not_allowed", state=None)]
        )
    rows = store.report()
    reported = {
        name: tuple(row[column] for column in ("abandoned", "succeeded", "failed"))
        for name, row in rows.items()
    }
    assert reported == {
        "source-started": (1, 0, 0),
        "source-succeeded": (0, 1, 0),
        "source-failed": (0, 0, 1),
    }


def test_an_exception_that_was_refused_whole_is_still_a_failure(store: Store) -> None:
    store.write([refuse(sync("failed"), "properties.exception", "not_an_object", exception_class=None)])
    row = store.report()["source-faker"]
    assert (row["failed"], row["affected_units"]) == (1, 1)


def test_a_spoiled_event_name_makes_no_sync_of_a_validation(store: Store) -> None:
    bare = {"cache": None, "source_executor_type": None, "source_version": None, "setup": None}
    store.write([refuse(sync("failed", number_of_records=None, **bare), "event", event=None)])
    assert store.report() == store.report(lane="direct") == {}


def test_a_spoiled_event_name_in_a_lane_of_syncs_alone_is_a_sync(store: Store) -> None:
    bare: Stored = {"source_executor_type": None, "source_version": None, "setup": None}
    store.write([refuse(sync("failed", number_of_records=None, **bare), "event", event=None)])
    assert store.report()["source-faker"]["failed"] == 1


def test_a_source_whose_name_is_gone_is_told_from_what_is_left_of_it(store: Store) -> None:
    """The path names the first fault only, which was another one; write(read_result) has no source at all."""
    nothing: Stored = {"source_executor_type": None, "source_version": None, "setup": None}
    written = [sync("failed", destination="destination-csv", source_name=None) for _ in range(4)]
    left = [nothing | {name: written[0][name]} for name in nothing]
    store.write(
        [refuse(row, "properties.state", **kept) for row, kept in zip(written, [nothing, *left], strict=True)]
    )
    assert store.report()["unknown"]["failed"] == 3
    assert store.report(role="destination")["destination-csv"]["failed"] == 4


def test_an_event_that_postgres_would_not_take_is_no_attempt(store: Store) -> None:
    kept = (
        "occurred_at",
        "received_at",
        "bucket",
        "write_key",
        "message_key",
        "first_run",
        "imported",
        "crowded",
    )
    nothing = {name: None for name in sync("failed") if name not in kept}
    store.write([refuse(sync("failed"), "", "internal", **nothing)])
    assert store.report() == store.report(lane="direct") == {}


def test_a_refused_name_ranks_as_unknown(store: Store) -> None:
    store.write([PAIR_KEY["source name"](sync("failed"))])
    assert store.report()["unknown"]["failed"] == 1


def test_rows_whose_session_was_spoiled_meet_no_partner(store: Store) -> None:
    """Two strangers' halves must not make one attempt."""
    strangers = [sync("started", unit=None), sync("failed", NOON + dt.timedelta(days=2), unit=None)]
    store.write([PAIR_KEY["session"](row) for row in strangers])
    row = store.report()["source-faker"]
    assert (row["attempts"], row["abandoned"], row["failed"], row["orphans"]) == (2, 1, 1, 1)
    assert store.report(until="2026-11-21", window="1d")["source-faker"]["failed"] == 1


def test_a_modern_event_without_session_and_hash_still_counts(store: Store) -> None:
    spoiled: Stored = {"session_key": None, "application_hash": None}
    store.write(
        [
            refuse(sync("failed"), "properties.session_id", **spoiled),
            refuse(sync("failed", python_version=None, os=None), "properties.session_id", **spoiled),
        ]
    )
    assert store.report()["source-faker"]["failed"] == 2


def test_an_event_accepted_after_it_was_refused_counts_once(store: Store) -> None:
    row = sync("failed")
    store.write([row, refuse(row)])
    found = store.report()["source-faker"]
    assert (found["attempts"], found["ledger_share"]) == (1, 0.0)


def test_the_share_of_the_ledger_is_shown(store: Store) -> None:
    store.write([sync("started"), refuse(sync("failed")), sync("failed", unit="bob")])
    assert store.report()["source-faker"]["ledger_share"] == 0.5


def test_a_refused_sync_in_flight_settles_like_any_other(store: Store) -> None:
    store.write([refuse(sync("started", NOW - HOUR))])
    assert store.report()["source-faker"]["in_flight"] == 1


def test_a_ledger_row_with_drift_counts_on_the_corrected_day(store: Store) -> None:
    store.write([refuse(sync("failed", dt.datetime(2030, 1, 1, tzinfo=dt.UTC), corrected_at=NOON))])
    assert store.report(until="2026-11-19", window="1d")["source-faker"]["failed"] == 1
