"""The law of the rollups: any events in any order, duplicates added, the worker killed between any two
statements, leave what a recomputation from the definitions gives.
"""

import datetime as dt
import random
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from app.rollups import recomputation
from app.rollups.rebuild import rebuild
from tests.reports.rows import NOW, Stored, pseudonym, refuse, sync
from tests.rollups import oracle
from tests.rollups.ledger import STORED, SUMS, Ledger

# 7 days in all: no session key spans more.
MINUTES = st.integers(-65 * 144 // 10, 3 * 6).map(lambda tens: NOW + dt.timedelta(minutes=10 * tens))
ERRORS = st.sampled_from([None, "other", "AirbyteConnectorFailedError", "PyAirbyteInputError"])
QUICKLY = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


@st.composite
def stored_rows(draw: st.DrawFn) -> Stored:
    unit = draw(st.sampled_from(["ann", "bob", None]))
    row = sync(
        draw(st.sampled_from(["started", "started", "succeeded", "failed", "canceled"])),
        draw(MINUTES),
        unit=unit,
        session=draw(st.sampled_from(["one", "two", "two", None])),
        source=draw(st.sampled_from(["source-faker", "source-file", "unknown", None])),
        destination=draw(st.sampled_from([None, None, "unknown", "destination-csv"])),
        cache=draw(st.sampled_from(["DuckDBCache", "DuckDBCache", "custom", "streaming", None])),
        version=draw(st.sampled_from(["0.71.3", "0.71.3", "0.54.1.post", None])),
        ci=draw(st.sampled_from([None, False, True])),
        corrected_at=draw(st.none() | MINUTES),
        first_run=draw(st.booleans()),
        crowded=draw(st.booleans()),
    )
    row["application_hash"] = pseudonym(draw(st.sampled_from(["main.py", "app.py", None])))
    if row["source_name"]:
        row["setup"] = pseudonym(draw(st.sampled_from(["configured", "otherwise", None])))
    row["exception_class"] = draw(ERRORS) if row["state"] == "failed" else None
    if row["state"] != "started" and row["source_name"] and draw(st.integers(0, 4)) == 0:
        row |= {"event": "check", "destination_name": None, "cache_type": None}
    # A row without a session is of the oldest shape only in `events`; refused, it is
    # one whose session was spoiled.
    return refuse(row) if row["session_key"] and draw(st.booleans()) else row


def in_batches(rows: list[Stored], shuffled: random.Random) -> list[list[Stored]]:
    """The rows, some of them twice, in any order, in batches of any size."""
    arriving = rows + [row for row in rows if shuffled.random() < 0.3]
    shuffled.shuffle(arriving)
    batches: list[list[Stored]] = [[]]
    for row in arriving:
        if shuffled.random() < 0.3:
            batches.append([])
        batches[-1].append(row)
    return [batch for batch in batches if batch]


class KilledError(Exception):
    """The worker is gone."""


def kill_at(ledger: Ledger, statement: int) -> None:
    """Let the worker's connection break off before its n-th statement from now,
    without a word to the server."""
    seen = 0

    def count(connection: Any, *_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == statement:
            connection.connection.driver_connection.close()
            raise KilledError

    event.listen(ledger.connection, "before_cursor_execute", count)
    try:
        ledger.roll_up()
    except KilledError:
        ledger.connection.invalidate()
        ledger.connection.close()
        ledger.connection = ledger.open()
    else:
        event.remove(ledger.connection, "before_cursor_execute", count)


@QUICKLY
@given(
    rows=st.lists(stored_rows(), max_size=30),
    shuffled=st.randoms(use_true_random=False),
    kills=st.lists(st.integers(1, 40), max_size=4),
    many=st.sampled_from([1, recomputation.MANY_SIGNALS]),
)
def test_any_order_duplicates_and_kills_leave_the_recomputation(
    ledger: Ledger, rows: list[Stored], shuffled: random.Random, kills: list[int], many: int
) -> None:
    ledger.clear()
    with patch.object(recomputation, "MANY_SIGNALS", many):
        for batch in in_batches(rows, shuffled):
            ledger.write([batch])
            if shuffled.random() < 0.5:
                kill_at(ledger, kills.pop()) if kills else ledger.roll_up()
        ledger.roll_up()
    assert ledger.unit_days() == oracle.recompute(rows)
    assert ledger.units() == oracle.know(rows)
    assert ledger.query("SELECT count(*) FROM dirty_sessions") == [(0,)]


@QUICKLY
@given(rows=st.lists(stored_rows(), max_size=30))
def test_a_rebuild_reproduces_every_rollup(ledger: Ledger, rows: list[Stored]) -> None:
    ledger.clear()
    ledger.write([rows] if rows else [])
    ledger.roll_up()
    kept, contributed, known = ledger.unit_days(), ledger.attempts(), ledger.units()
    with ledger.engine.begin() as connection:  # as if a bug had spoiled them
        connection.exec_driver_sql("UPDATE unit_days SET succeeded = 1 + coalesce(succeeded, 0), failed = 3")
        connection.exec_driver_sql("DELETE FROM attempts WHERE kind & 3 <> 2")
        connection.exec_driver_sql("DELETE FROM units WHERE lasting")
    rebuild(ledger.connection, None, lambda _done, _total: None)
    assert ledger.unit_days() == kept
    assert ledger.attempts() == contributed
    assert ledger.units() == known


def test_a_rebuild_keeps_what_is_known_from_events_that_are_gone(ledger: Ledger) -> None:
    """Or nobody would have been there for a week once the events of their first are dropped."""
    spring = NOW - dt.timedelta(days=60)
    rows = [sync("failed", at, session=str(at)) for at in (spring, NOW)]
    ledger.write([rows])
    ledger.roll_up()
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM events WHERE occurred_at < '2026-11-01'")
    rebuild(ledger.connection, None, lambda _done, _total: None)
    assert ledger.query("SELECT count(*) FROM unit_days") == [(1,)]
    assert ledger.units() == oracle.know(rows)


@pytest.mark.parametrize("spoil", [dict, refuse], ids=["accepted", "refused"])
def test_a_check_that_names_a_destination_as_its_source_is_of_that_destination(
    ledger: Ledger, spoil: Callable[[Stored], Stored]
) -> None:
    ledger.write([[spoil(sync("failed", source="destination-csv", cache=None) | {"event": "check"})]])
    ledger.roll_up()
    words = "event, lane, source_name, source_version, destination_name, destination_version"
    found = ledger.query(
        f"SELECT {words}, source_executor_type, destination_executor_type, failed FROM unit_days"
        " JOIN routes ON routes.id = route JOIN environments ON environments.id = environment"
    )
    assert found == [("check", "write", "", "", "destination-csv", "1.2.3", "", "VenvExecutor", 1)]


def test_every_contribution_is_in_the_sums(ledger: Ledger) -> None:
    rows = [sync("started", unit=unit, session=f"{unit} {n}") for unit in "abc" for n in range(5)]
    rows += [sync("failed", unit=unit, session=f"{unit} {n}") for unit in "abc" for n in range(3)]
    ledger.write([rows])
    ledger.roll_up()
    grain = "day, bucket, unit, route, environment, failure, application_hash"
    sums = ", ".join(f"coalesce({STORED.get(name, name)}, 0)" for name in SUMS)
    days = {row[:7]: row[7:] for row in ledger.query(f"SELECT {grain}, {sums} FROM unit_days")}
    assert days == ledger.attempts()
    assert sum(sum(row[:4]) for row in days.values()) == 15


@pytest.mark.parametrize("since", [NOW.date() - dt.timedelta(days=2), NOW.date() - dt.timedelta(days=30)])
def test_a_rebuild_since_a_day_leaves_the_days_before(ledger: Ledger, since: dt.date) -> None:
    days = [NOW - dt.timedelta(days=n) for n in range(5)]
    rows = [sync(state, day, session="one") for day in days for state in ("started", "failed")]
    ledger.write([rows])
    ledger.roll_up()
    kept = ledger.unit_days()
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE unit_days SET failed = failed + 1")
    rebuild(ledger.connection, since, lambda _done, _total: None)
    rebuilt = ledger.unit_days()
    assert {key: sums for key, sums in rebuilt.items() if key[0] >= since} == {
        key: sums for key, sums in kept.items() if key[0] >= since
    }
    assert all(rebuilt[key]["failed"] == kept[key]["failed"] + 1 for key in kept if key[0] < since)


@pytest.mark.parametrize("spoiled", [{}, {"session_key": None}, {"session_key": None, "source_name": None}])
@pytest.mark.parametrize("rolled_up", [False, True])
def test_an_event_that_is_accepted_after_it_was_refused_counts_once(
    ledger: Ledger, spoiled: dict[str, None], *, rolled_up: bool
) -> None:
    row = sync("failed")
    ledger.write([[refuse(row, "properties.session_id", "pattern", **spoiled)]])
    if rolled_up:
        ledger.roll_up()
        [(attempts,)] = ledger.query("SELECT sum(failed) FROM unit_days")
        assert attempts == 1
    ledger.write([[row | {"received_at": row["received_at"] + dt.timedelta(days=1)}]])  # an import, run again
    ledger.roll_up()
    assert ledger.unit_days() == oracle.recompute([row])
    assert sum(sum(sums) for sums in ledger.attempts().values()) == sum(
        sum(sums.values()) for sums in ledger.unit_days().values()
    )
