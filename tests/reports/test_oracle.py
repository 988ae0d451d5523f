"""Every report that counts attempts against the oracle, on sets of events that no
sensible sender would send."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import zip_longest

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.reports import registry
from app.reports.model import Row
from app.reports.parameters import Parameters
from app.reports.parsing import parse
from tests.reports import oracle
from tests.reports.oracle import Totals, add, connector_of, is_asked_for, lane_of, time_of
from tests.reports.rows import DAY, NOW, Store, Stored
from tests.reports.test_recomputation import ASKED, compare, compare_durations, stored_rows
from tests.rollups.oracle import know

Keys = Callable[[Stored], Iterable[object]]
# Of users who last: test_recomputation.py has those who do not, and the filter by users.
FLEETS = st.lists(stored_rows().map(lambda row: row | {"first_run": False}), max_size=30)
FILTERS = ASKED.map(
    lambda asked: {name: text for name, text in asked.items() if name not in ("role", "users")}
)
checked = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


def attempts_of(rows: list[Stored]) -> Iterator[tuple[Stored, Stored | None, Stored | None, bool]]:
    """Each attempt's first row, its start, its end, and whether it is open for good."""
    for _, pair in oracle.pairs_of(rows):
        pair.sort(key=lambda row: (time_of(row), row["state"] != "started", row["message_key"]))
        latest = max(time_of(row) for row in pair)
        starts = [row for row in pair if row["state"] == "started"]
        for start, end in zip_longest(starts, [row for row in pair if row["state"] != "started"]):
            yield start or end, start, end, NOW - latest >= DAY


def tally(rows: list[Stored], asked: Parameters, keys: Keys) -> dict[object, Totals]:
    totals: dict[object, Totals] = defaultdict(Totals)
    for first, start, end, is_gone in attempts_of(rows):
        if is_asked_for(first, asked):
            for key in keys(first):
                add(totals[key], start, end, open_for_good=is_gone)
    return dict(totals)


def target_of(row: Stored) -> str:
    return str((row["destination_name"] if lane_of(row) == "write" else row["cache_type"]) or "")


PLACES = ("pyairbyte", "ci", "os", "source executor")


def places_of(row: Stored) -> Iterable[object]:
    yield "pyairbyte", row["version"] or "unknown"
    yield "ci", "yes" if row["ci"] else "no"
    yield "os", row["os"]
    yield "source executor", row["source_executor_type"] or "none"


# Of reports that rate something: what they group by, in a stored row and in a row of theirs.
RATED: dict[str, tuple[Keys, Callable[[Row], object]]] = {
    "caches": (lambda row: [row["cache_type"]] if row["cache_type"] else [], lambda row: row["cache"]),
    "pairs": (
        lambda row: [(connector_of(row, "source") or "", target_of(row), lane_of(row))],
        lambda row: (row["source"], row["target"], row["lane"]),
    ),
    "versions": (lambda row: [row["version"] or ""], lambda row: row["version"]),
    "platforms": (places_of, lambda row: (row["dimension"], row["value"])),
}


def ask(store: Store, rows: list[Stored], name: str, asked: dict[str, str]) -> tuple[Parameters, list[Row]]:
    store.clear()
    store.write(rows)
    return parse(registry.find(name), asked.items(), NOW), store.ask(asked, NOW, name).rows


@pytest.mark.parametrize("name", RATED)
@checked
@given(rows=FLEETS, asked=FILTERS)
def test_what_is_rated(store: Store, name: str, rows: list[Stored], asked: dict[str, str]) -> None:
    keys, key_of = RATED[name]
    parameters, found = ask(store, rows, name, asked)
    expected = tally(rows, parameters, keys)
    reported: dict[object, Row] = {key_of(row): row for row in found}
    if name == "platforms":
        reported = {key: row for key, row in reported.items() if row["dimension"] in PLACES}
    assert reported.keys() == expected.keys()
    for key, total in expected.items():
        compare(reported[key], total, oracle.people_of(total, know(rows)), rated=parameters.lane != "direct")


@checked
@given(rows=FLEETS, asked=FILTERS)
def test_errors(store: Store, rows: list[Stored], asked: dict[str, str]) -> None:
    parameters, found = ask(store, rows, "errors", asked)
    failed: dict[str, int] = defaultdict(int)
    users: dict[str, set[object]] = defaultdict(set)
    for first, _, end, _ in attempts_of(rows):
        if end is not None and end["state"] == "failed" and is_asked_for(first, parameters):
            name = end["exception_class"] or "(none named)"
            failed[name] += 1
            users[name] |= {first["anonymous_id"]} - {None}
    assert {row["exception_class"]: (row["failed"], row["affected_units"]) for row in found} == {
        name: (number, len(users[name])) for name, number in failed.items()
    }


@checked
@given(rows=FLEETS, asked=FILTERS)
def test_one_connector(store: Store, rows: list[Stored], asked: dict[str, str]) -> None:
    parameters, found = ask(store, rows, "connector", asked | {"name": "source-faker"})
    own = [row for row in rows if connector_of(row, "source") == "source-faker"]
    expected = tally(
        own,
        parameters,
        lambda row: [
            ("total", ""),
            ("day", time_of(row).date().isoformat()),
            ("with", target_of(row)),
            ("pyairbyte", row["version"] or ""),
        ],
    )
    sections = ("total", "day", "with", "pyairbyte")
    reported: dict[object, Row] = {
        (row["section"], row["item"]): row for row in found if row["section"] in sections and row["attempts"]
    }
    assert reported.keys() == expected.keys()
    names = ("attempts", "succeeded", "failed", "failed_config", "canceled", "in_flight", "abandoned")
    for key, total in expected.items():
        row = reported[key]
        assert {name: row[name] for name in names} == {name: getattr(total, name) for name in names}
        if row["section"] in ("total", "with"):
            compare_durations(row, total)
        assert row["units"] == len(total.units)
        assert row["affected_units"] == sum(failures > 0 for _, _, failures in total.units.values())


@checked
@given(rows=FLEETS, asked=FILTERS)
def test_home(store: Store, rows: list[Stored], asked: dict[str, str]) -> None:
    parameters, found = ask(store, rows, "home", asked)
    before = replace(parameters, until=parameters.first_day - dt.timedelta(days=1))
    totals = [tally(rows, window, lambda _: ["all"]).get("all", Totals()) for window in (parameters, before)]
    fleet = {row["item"]: row for row in found if row["section"] == "fleet"}
    for item, name in (("attempted syncs", "attempts"), ("failed", "failed"), ("in flight", "in_flight")):
        counted = [getattr(total, name) for total in totals]
        assert [fleet[item]["value"] or 0, fleet[item]["before"] or 0] == counted
    assert [fleet["users"]["value"] or 0, fleet["users"]["before"] or 0] == [
        len(total.units) for total in totals
    ]
    days: dict[object, Row] = {row["item"]: row for row in found if row["section"] == "day"}
    assert len(days) == 2 * parameters.days
    for window in (parameters, before):
        by_day = tally(rows, window, lambda row: [time_of(row).date().isoformat()])
        for day, total in by_day.items():
            row = days[day]
            assert (row["attempts"], row["failed"]) == (total.attempts, total.failed)
            assert row["units"] == len(total.units)


@checked
@given(rows=FLEETS, asked=FILTERS)
def test_trend_and_registry_metrics_are_the_connectors(
    store: Store, rows: list[Stored], asked: dict[str, str]
) -> None:
    asked = asked | {"window": "28d"}
    parameters, found = ask(store, rows, "trend", asked)

    def weeks_of(row: Stored) -> Iterable[object]:
        name = connector_of(row, "source")
        return [] if name is None else [(name, (parameters.until - time_of(row).date()).days // 7)]

    expected = tally(rows, parameters, weeks_of)
    reported: dict[object, Row] = {
        (row["connector"], (parameters.until - dt.date.fromisoformat(str(row["week"]))).days // 7): row
        for row in found
    }
    assert {key for key, row in reported.items() if row["attempts"]} == expected.keys()
    for key, total in expected.items():
        assert (reported[key]["attempts"], reported[key]["failed"]) == (total.attempts, total.failed)
        assert reported[key]["units"] == len(total.units)
    registered = store.ask(asked, NOW, "registry-metrics").rows
    totals = oracle.recompute(rows, replace(parameters, role="source"), NOW)
    assert {row["connector_name"]: (row["units"], row["attempts"]) for row in registered} == {
        name: (len(total.units), total.attempts)
        for name, total in totals.items()
        if name.startswith("source-")
    }


@checked
@given(rows=FLEETS, asked=FILTERS)
def test_data_quality(store: Store, rows: list[Stored], asked: dict[str, str]) -> None:
    parameters, found = ask(store, rows, "data-quality", asked)
    expected = tally(rows, parameters, lambda row: [lane_of(row)])
    reported = {row["item"]: row for row in found if row["section"] == "attempts"}
    words = {
        "orphans": "whose start never arrived",
        "abandoned": "that nothing was heard of for 24 hours",
        "in_flight": "in flight",
        "from_ledger": "known from an event that was refused",
    }
    for lane, total in expected.items():
        for name, said in words.items():
            row = reported[f"{lane}: {said}"]
            assert (row["count"], row["of"]) == (getattr(total, name), total.attempts)
