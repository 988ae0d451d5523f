"""The worked examples of the definitions, each under its name, and the rules beside them."""

import datetime as dt

import pytest

from tests.reports.rows import HOUR, NOON, NOW, Store, Stored, pseudonym, refuse, source_of, sync

CONFIG_CLASSES = (
    "PyAirbyteInputError",
    "PyAirbyteNoStreamsSelectedError",
    "AirbyteConnectorValidationFailedError",
    "AirbyteConnectorCheckFailedError",
    "AirbyteConnectorConfigurationMissingError",
    "AirbyteStreamNotFoundError",
    "PyAirbyteSecretNotFoundError",
)


def attempt(end: str, at: dt.datetime = NOON, **fields: object) -> list[Stored]:
    return [sync("started", at, **fields), sync(end, at + HOUR, **fields)]  # type: ignore[arg-type]


def test_one_session_three_reads_one_killed(store: Store) -> None:
    store.write(
        [
            sync("started", NOON),
            sync("succeeded", NOON + 1 * HOUR),
            sync("started", NOON + 2 * HOUR),
            sync("failed", NOON + 3 * HOUR),
            sync("started", NOON + 4 * HOUR),
        ]
    )
    row = store.report()["source-faker"]
    assert (row["attempts"], row["succeeded"], row["failed"], row["abandoned"]) == (3, 1, 1, 1)
    assert row["failure_rate"] == pytest.approx(1 / 3)
    assert row["failure_rate_upper"] == pytest.approx(2 / 3)
    assert row["failure_of_concluded"] == pytest.approx(1 / 2)


def test_validation_fails_in_read(store: Store) -> None:
    store.write([sync("failed", error="AirbyteConnectorValidationFailedError")])
    row = store.report()["source-faker"]
    assert (row["attempts"], row["failed"], row["failure_rate"]) == (1, 1, 1.0)
    assert (row["failed_config"], row["affected_units"], row["burden"], row["capped_rate"]) == (
        1,
        0,
        0.0,
        0.0,
    )


def test_read_result_to_bigquery(store: Store) -> None:
    store.write([sync("succeeded", source=None, destination="destination-bigquery")])
    assert store.report(role="source") == {}
    assert store.report(role="destination")["destination-bigquery"]["attempts"] == 1


def test_get_samples_of_five_streams(store: Store) -> None:
    store.write([sync("started", cache=None) for _ in range(5)])
    assert store.report() == {}
    row = store.report(lane="direct")["source-faker"]
    assert row["attempts"] == 5
    assert {row[name] for name in ("failure_rate", "capped_rate", "rate", "abandoned_rate")} == {None}
    assert row["burden"] == 0


def test_start_monday_fail_tuesday(store: Store) -> None:
    monday = dt.datetime(2026, 11, 16, tzinfo=dt.UTC)
    store.write([sync("started", monday + 23.8 * HOUR), sync("failed", monday + 24.2 * HOUR)])
    day = store.report(until="2026-11-16", window="1d")["source-faker"]
    assert (day["attempts"], day["failed"], day["abandoned"]) == (1, 1, 0)
    assert store.report(until="2026-11-17", window="1d") == {}
    assert store.report(until="2026-11-15", window="1d") == {}


def test_open_attempts_are_in_flight_for_a_day_after_their_pair_was_heard_of(store: Store) -> None:
    heard = NOW - 24 * HOUR
    # The first start is 30 hours old, but its pair was heard of later; `until` changes nothing.
    store.write([sync("started", NOW - 30 * HOUR), sync("started", heard), sync("succeeded", heard)])
    row = store.report(now=NOW - dt.timedelta(seconds=1))["source-faker"]
    assert (row["attempts"], row["settled"], row["in_flight"], row["abandoned"]) == (2, 1, 1, 0)
    assert (row["failure_rate"], row["failure_rate_upper"]) == (0, 0)
    row = store.report(now=NOW, until="2026-11-22")["source-faker"]
    assert (row["attempts"], row["settled"], row["in_flight"], row["abandoned"]) == (2, 2, 0, 1)


def test_surplus_terminals_are_orphans_on_their_own_day(store: Store) -> None:
    store.write([sync("started", NOON), sync("succeeded", NOON), sync("succeeded", NOON + 30 * HOUR)])
    assert store.report(until="2026-11-19", window="1d")["source-faker"]["attempts"] == 1
    row = store.report(until="2026-11-20", window="1d")["source-faker"]
    assert (row["attempts"], row["orphans"], row["succeeded"]) == (1, 1, 1)


def test_the_kth_terminal_closes_the_kth_start_even_if_it_came_first(store: Store) -> None:
    """0.28 sends `succeeded` before `started`."""
    store.write([sync("succeeded", NOON), sync("started", NOON + HOUR)])
    row = store.report()["source-faker"]
    assert (row["attempts"], row["succeeded"], row["orphans"], row["abandoned"]) == (1, 1, 0, 0)


def test_an_attempt_has_the_dimensions_of_its_start(store: Store) -> None:
    store.write(
        [
            sync("started", NOON, ci=None, version="0.30.0"),
            sync("failed", NOON + HOUR, ci=True, version="1.0.0rc1"),
        ]
    )
    assert store.report(version="0.30.0", ci="exclude")["source-faker"]["failed"] == 1
    assert store.report(ci="only") == store.report(version="1.0.0rc1") == {}


LANES: tuple[tuple[str, str | None, str | None], ...] = (
    ("write", "destination-bigquery", "DuckDBCache"),
    ("write", "destination-bigquery", None),
    ("cache", "unknown", "DuckDBCache"),
    ("cache", None, "custom"),
    ("direct", "unknown", "streaming"),
    ("direct", "unknown", None),
    ("direct", None, "streaming"),
    ("direct", None, None),
)


def test_lane(store: Store) -> None:
    for lane, destination, cache in LANES:
        row = sync("failed", source=source_of(lane, destination, cache), destination=destination, cache=cache)
        store.write([row, refuse(row | {"message_key": pseudonym(f"{lane} {destination} {cache}")})])
    for lane in ("write", "cache", "direct"):
        expected = {source_of(name, destination, cache) for name, destination, cache in LANES if name == lane}
        found = store.report(lane=lane)
        assert found.keys() == expected
        assert {row["failed"] for row in found.values()} == {2}


def test_pairs_of_another_unit_session_source_destination_or_lane_never_meet(store: Store) -> None:
    store.write(
        [
            sync("started"),
            sync("failed", unit="bob"),
            sync("failed", unit=None),
            sync("failed", session="evening"),
            sync("failed", source="source-file"),
            sync("failed", destination="destination-csv"),
        ]
    )
    rows = store.report()
    assert (rows["source-faker"]["attempts"], rows["source-faker"]["orphans"]) == (5, 4)
    assert rows["source-file"]["orphans"] == 1


def test_versions_and_hashes_do_not_part_a_pair(store: Store) -> None:
    store.write(
        [
            sync("started", source_version="1.0.0"),
            sync(
                "succeeded",
                source_version=None,
                application_hash=None,
                setup=None,
                cache="custom",
            ),
        ]
    )
    assert store.report()["source-faker"]["attempts"] == 1


def test_the_shape_up_to_0_7_1_is_usage_only(store: Store) -> None:
    oldest = {
        "unit": None,
        "session": None,
        "version": "0.7.1",
        "application_hash": None,
        "python_version": None,
        "os": None,
        "cache": "duckdb",
    }
    rows = [sync(state, **oldest) for state in ("started", "failed", "started", "succeeded")]  # type: ignore[arg-type]
    store.write([*rows, *(refuse(row | {"message_key": pseudonym(str(at))}) for at, row in enumerate(rows))])
    assert store.report() == {}
    row = store.report(lane="direct")["source-faker"]
    assert (row["attempts"], row["failed"], row["units"], row["failure_rate"]) == (4, 0, 0, None)


OTHER_CLASSES = (
    "AirbyteConnectorWriteError",
    "PyAirbyteInternalError",
    "PyAirbyteCacheError",
    "InternalError",
    "other",
    None,
)


def test_config_failures_are_not_ranked(store: Store) -> None:
    for error in (*CONFIG_CLASSES, *OTHER_CLASSES):
        store.write([sync("failed", source=source_of(error), exception_class=error)])
    rows = store.report()
    assert {row["failed"] for row in rows.values()} == {1}
    assert {name for name, row in rows.items() if row["failed_config"]} == {
        source_of(name) for name in CONFIG_CLASSES
    }
    assert {name for name, row in rows.items() if row["affected_units"]} == {
        source_of(name) for name in OTHER_CLASSES
    }


def test_events_other_than_sync_are_no_attempts(store: Store) -> None:
    others = [sync("failed", event=event) for event in ("install", "validate", "check")]
    store.write([*others, *(refuse(row) for row in others)])
    assert store.report() == store.report(lane="direct") == {}


def test_one_user_weighs_five_attempts_at_most(store: Store) -> None:
    looping = [sync("failed", unit="loop", session=f"loop {at}") for at in range(200)]
    others = [sync("succeeded", unit=f"user {at}") for at in range(40)]
    nobody = [sync("failed", unit=None, session=f"nobody {at}") for at in range(3)]
    store.write([*looping, *others, *nobody])
    row = store.report()["source-faker"]
    assert (row["attempts"], row["failed"], row["units"], row["affected_units"]) == (243, 203, 41, 1)
    assert row["capped_rate"] == pytest.approx(5 / 45)
    assert row["burden"] == pytest.approx(41 * 5 / 45)


def test_in_flight_attempts_count_a_user_but_not_in_the_rate(store: Store) -> None:
    store.write([sync("started", NOW - HOUR), sync("failed", unit="bob")])
    row = store.report()["source-faker"]
    assert (row["units"], row["attempts"], row["settled"], row["failure_rate"]) == (2, 2, 1, 1.0)
    assert (row["capped_rate"], row["burden"]) == (1.0, 2.0)


def test_burden_without_units_is_zero(store: Store) -> None:
    store.write([sync("failed", unit=None)])
    row = store.report()["source-faker"]
    assert (row["burden"], row["capped_rate"], row["affected_share"]) == (0.0, None, None)


def test_use_cases_and_records(store: Store) -> None:
    store.write(
        [
            *attempt("succeeded"),
            *attempt("succeeded", session="evening"),
            *attempt("succeeded", application_hash=pseudonym("another")),
            *attempt("failed", unit="bob"),
            *attempt("succeeded", unit=None),
        ]
    )
    row = store.report()["source-faker"]
    assert (row["use_cases"], row["records"]) == (3, 80)


def test_canceled_is_never_a_failure(store: Store) -> None:
    store.write([*attempt("canceled"), *attempt("failed", unit="bob")])
    row = store.report()["source-faker"]
    assert (row["canceled"], row["canceled_rate"], row["failure_rate"], row["abandoned"]) == (1, 0.5, 0.5, 0)


def test_a_clock_that_is_off_counts_on_the_corrected_day(store: Store) -> None:
    """Years off and into the default partition, or some weeks, either way: the corrected time decides."""
    weeks = dt.timedelta(days=20)
    for wrong in (dt.datetime(2023, 1, 1, tzinfo=dt.UTC), NOON - weeks, NOON + weeks, NOON + 100 * weeks):
        store.write(
            [
                sync("started", wrong, session=str(wrong), corrected_at=NOON),
                refuse(sync("failed", wrong + HOUR, session=str(wrong), corrected_at=NOON + HOUR)),
            ]
        )
    row = store.report(until="2026-11-19", window="1d")["source-faker"]
    assert (row["attempts"], row["failed"]) == (4, 4)
    assert store.report(until="2026-11-10", window="28d") == {}


def test_corrected_times_decide_the_order(store: Store) -> None:
    """By their own clocks, and by their keys, the second start came first: the
    failure would be another day's."""
    store.write(
        [
            sync("started", NOON, message_key=2),
            sync("started", NOON - HOUR, corrected_at=NOON + 24 * HOUR, message_key=1),
            sync("failed", NOON + 25 * HOUR),
        ]
    )
    first = store.report(until="2026-11-19", window="1d")["source-faker"]
    assert (first["failed"], first["abandoned"]) == (1, 0)
    second = store.report(until="2026-11-20", window="1d")["source-faker"]
    assert (second["failed"], second["abandoned"]) == (0, 1)


def test_the_key_decides_the_order_of_what_came_at_once(store: Store) -> None:
    """Two starts of one instant, in two versions, and one failure: of the start with the smaller key."""
    for keys in ("12", "43"):
        starts = [
            sync("started", NOON, session=keys, version=version, message_key=int(key))
            for version, key in zip(("0.30.0", "0.71.3"), keys, strict=True)
        ]
        store.write([*starts, sync("failed", NOON + HOUR, session=keys)])
    for version in ("0.30.0", "0.71.3"):
        row = store.report(version=version)["source-faker"]
        assert (row["failed"], row["abandoned"]) == (1, 1)


def test_ends_are_taken_in_the_order_of_their_times(store: Store) -> None:
    day = 24 * HOUR
    store.write(
        [
            sync("started", NOON),
            sync("started", NOON + day),
            sync("failed", NOON + day + HOUR, message_key=1),
            sync("succeeded", NOON + HOUR, message_key=2),
        ]
    )
    assert store.report(until="2026-11-19", window="1d")["source-faker"]["succeeded"] == 1
    assert store.report(until="2026-11-20", window="1d")["source-faker"]["failed"] == 1


def test_pairs_across_the_edges_of_the_window_are_read_whole(store: Store) -> None:
    """A start 6 days before the window takes its end from inside, and an end 6 days
    after closes a start inside."""
    start = dt.datetime(2026, 11, 10, 6, tzinfo=dt.UTC)
    six_days = dt.timedelta(days=6)
    store.write([sync("started", start), sync("failed", start + six_days)])
    inside = store.report(until="2026-11-16", window="1d")
    before = store.report(until="2026-11-10", window="1d")["source-faker"]
    assert inside == {}
    assert (before["failed"], before["abandoned"]) == (1, 0)
