"""Reports about users' ways (funnel, recovery, versions) against the oracles, on sets of events that no
sensible sender would send."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reports.definitions.funnel import STEPS
from app.reports.parameters import Parameters
from tests.reports import votes_oracle
from tests.reports.oracle import CONFIG, connector_of, is_asked_for, lane_of, time_of
from tests.reports.rows import DAY, HOUR, NOW, Store, Stored, sync
from tests.reports.test_oracle import FILTERS, ask, attempts_of, checked
from tests.reports.test_recomputation import stored_rows
from tests.rollups.oracle import pairs_of

STATES = ("succeeded", "succeeded", "failed", "started")


@st.composite
def sessions(draw: st.DrawFn) -> list[Stored]:
    """A user's session on some day of the last hundred: all of it within hours."""
    unit = draw(st.sampled_from(["ann", "bob", "cy", "dee"]))
    at = NOW - draw(st.integers(0, 100)) * DAY - draw(st.integers(0, 20)) * HOUR
    version = draw(st.sampled_from(["1.0.0", "1.0.0", "1.1.0", "1.2.0", "unknown", None]))
    fields = {
        "unit": unit,
        "session": f"{unit} {at}",
        "source": draw(st.sampled_from(["source-faker", "source-faker", "source-file", "unknown"])),
        "source_version": version,
        "version": draw(st.sampled_from(["0.70.0", "0.71.3", "0.71.3", None])),
        "destination": draw(st.sampled_from([None, None, "destination-csv"])),
        "destination_version": draw(st.sampled_from(["3.0.0", "3.1.0"])),
    }
    errors = ["AirbyteConnectorFailedError", "PyAirbyteInputError", None]
    rows = [sync("started", at, **fields)]
    for number in range(draw(st.integers(0, 2))):
        state = draw(st.sampled_from(STATES))
        end = sync(state, at + (number + 1) * HOUR, **fields)
        end["exception_class"] = draw(st.sampled_from(errors)) if state == "failed" else None
        rows.append(end)
    return rows


STORIES = st.lists(sessions(), max_size=60).map(lambda found: [row for rows in found for row in rows])
EVENTS = st.lists(
    stored_rows().map(lambda row: row | {"first_run": False}),
    max_size=30,
).flatmap(
    lambda rows: st.lists(
        st.sampled_from(("install", "validate", "check", "sync")), min_size=len(rows), max_size=len(rows)
    ).map(
        lambda events: [
            row | {"event": event} for row, event in zip(rows, events, strict=True) if "reason" not in row
        ]
    )
)


@st.composite
def histories(draw: st.DrawFn) -> list[Stored]:
    """Five users over a hundred days, who take up new versions of PyAirbyte and
    of a source when they like."""
    rows: list[Stored] = []
    for unit in ("ann", "bob", "cy", "dee", "eve"):
        turns = [draw(st.integers(2, 50)) for _ in range(2)]
        for day in draw(st.lists(st.integers(0, 100), min_size=6, max_size=14, unique=True)):
            release, version = (
                new if day < turn else old
                for turn, new, old in zip(turns, ("0.71.3", "1.1.0"), ("0.70.0", "1.0.0"), strict=True)
            )
            state = draw(st.sampled_from(["succeeded", "succeeded", "succeeded", "failed", "started"]))
            fields = {"unit": unit, "session": f"{unit} {day}", "source_version": version, "version": release}
            row = sync(state, NOW - day * DAY - HOUR, **fields)
            if state == "failed":
                row["exception_class"] = draw(
                    st.sampled_from(["AirbyteConnectorFailedError", "PyAirbyteInputError"])
                )
            rows.append(row)
    return rows


VOTED = st.fixed_dictionaries(
    {"window": st.sampled_from(["28d", "60d"]), "until": st.sampled_from(["2026-11-19", "2026-11-23"])},
    optional={"lane": st.just("cache"), "prerelease": st.just("include")},
)


def ways_of(rows: list[Stored], asked: Parameters) -> Iterator[tuple[int, int, bool]]:
    """Each attempt's user, step (from 0) and whether it succeeded; of what the filters leave."""
    for pair in pairs_of(rows):
        pair.sort(key=lambda row: (time_of(row), row["state"] != "started", row["message_key"]))
        starts = [row for row in pair if row["state"] == "started"]
        ends = [row for row in pair if row["state"] != "started"]
        for number in range(max(len(starts), len(ends))):
            first = starts[number] if number < len(starts) else ends[number]
            lanes = {"rated": ("cache", "write")}.get(asked.lane, (asked.lane,))
            step = STEPS.index(first["event"])
            name = connector_of(first, asked.role)
            fits = is_asked_for(first, replace(asked, lane=lane_of(first))) and (
                step < 3 or lane_of(first) in lanes
            )
            if fits and name and first["anonymous_id"] is not None:
                yield first["anonymous_id"], step, number < len(ends) and ends[number]["state"] == "succeeded"


@checked
@given(rows=EVENTS, asked=FILTERS)
def test_funnel(store: Store, rows: list[Stored], asked: dict[str, str]) -> None:
    parameters, found = ask(store, rows, "funnel", asked)
    tried: dict[int, set[int]] = defaultdict(set)
    succeeded: dict[int, set[int]] = defaultdict(set)
    for unit, step, well in ways_of(rows, parameters):
        tried[unit].add(step)
        succeeded[unit] |= {step} if well else set()
    for step, row in enumerate(found):
        assert row["step"] == STEPS[step]
        assert row["entered"] == sum(max(steps) >= step for steps in tried.values())
        assert row["tried"] == sum(step in steps for steps in tried.values())
        assert row["succeeded"] == sum(step in steps for steps in succeeded.values())
        assert row["survived"] == sum(
            max(steps) > step or step in succeeded[unit] for unit, steps in tried.items()
        )


def recover(
    rows: list[Stored], asked: Parameters, *, since: dt.date
) -> dict[tuple[str, int], list[tuple[dt.datetime, dt.date, str, bool]]]:
    """The attempts of each user with each connector from a day on: last heard of, day,
    outcome, whether of class config."""
    latest: dict[int, dt.datetime] = {}
    for pair in pairs_of(rows):
        for row in pair:
            latest[id(row)] = max(map(time_of, pair))
    found: dict[tuple[str, int], list[tuple[dt.datetime, dt.date, str, bool]]] = defaultdict(list)
    ever = replace(asked, until=NOW.date() + 9 * DAY, window=(NOW.date() + 9 * DAY - since).days + 1)
    for first, _, end, _ in attempts_of(rows):
        name = connector_of(first, asked.role)
        if name is not None and first["anonymous_id"] is not None and is_asked_for(first, ever):
            outcome = end["state"] if end else "open"
            is_config = bool(end and CONFIG.fullmatch(end["exception_class"] or ""))
            found[name, first["anonymous_id"]].append(
                (latest[id(first)], time_of(first).date(), outcome, is_config)
            )
    return found


@checked
@given(rows=STORIES, asked=FILTERS)
def test_recovery(store: Store, rows: list[Stored], asked: dict[str, str]) -> None:
    parameters, found = ask(store, rows, "recovery", asked)
    names = ("failed_units", "recovered_units", "lost_units", "new_units", "stuck_units", "stuck_on_config")
    expected: dict[str, list[int]] = defaultdict(lambda: [0] * 6)
    for (name, _), story in recover(rows, parameters, since=parameters.first_day).items():
        failures = [
            at
            for at, day, outcome, config in story
            if outcome == "failed" and not config and day <= parameters.until
        ]
        if failures:
            successes = [at for at, _, outcome, _ in story if outcome == "succeeded"]
            seen = max(at for at, *_ in story)
            expected[name][0] += 1
            expected[name][1] += any(at < good <= at + DAY for at in failures for good in successes)
            expected[name][2] += max(failures) == seen < NOW - 7 * DAY
    for (name, _), story in recover(rows, parameters, since=parameters.until - 180 * DAY).items():
        days = [day for _, day, *_ in story if day <= parameters.until]
        if days and parameters.first_day <= min(days) <= parameters.until - 6 * DAY:
            week = [each for each in story if each[1] < min(days) + 7 * DAY and each[1] <= parameters.until]
            failed = [config for _, _, outcome, config in week if outcome == "failed"]
            stuck = all(outcome != "succeeded" for _, _, outcome, _ in week)
            expected[name][3] += 1
            expected[name][4] += stuck
            expected[name][5] += stuck and bool(failed) and all(failed)
    reported = {row["connector"]: [row[name] for name in names] for row in found}
    assert {name: counts for name, counts in reported.items() if any(map(int, map(str, counts)))} == dict(
        expected
    )


@checked
@given(rows=histories(), asked=VOTED)
def test_votes(store: Store, rows: list[Stored], asked: dict[str, str]) -> None:
    parameters, found = ask(store, rows, "regressions", asked)
    history = replace(parameters, window=181)
    expected = votes_oracle.compare(rows, history, NOW)
    expected = {
        key: one for key, one in expected.items() if parameters.first_day <= one.since <= parameters.until
    }
    reported = {(row["kind"], row["connector"], row["new_version"]): row for row in found}
    assert reported.keys() == expected.keys()
    for key, one in expected.items():
        row = reported[key]
        shares = [vote for vote, _ in one.new_votes.values()]
        own = [before for _, before in one.new_votes.values() if before is not None]
        assert (row["old_version"], row["since"]) == (one.old, one.since.isoformat())
        assert (row["votes"], row["votes_before"]) == (len(shares), len(one.old_votes))
        assert row["affected_units"] == sum(vote > 0 for vote in shares)
        assert row["share"] == (pytest.approx(fmean(shares)) if shares else None)
        assert row["share_before"] == (
            pytest.approx(fmean(one.old_votes.values())) if one.old_votes else None
        )
        assert row["own_before"] == (pytest.approx(fmean(own)) if own else None)
