"""New figures on request: shared, one table at a time, with rests in between; and computations give way."""

import asyncio
import datetime as dt
import sys
import threading
import time

import pytest
from sqlalchemy import event

from app.reports.cache import Kept, Tables, read_key
from app.reports.interpreter import SECONDS, giving_way
from app.reports.model import Report, Table
from app.reports.parameters import Parameters
from app.reports.renewals import Renewals
from tests.reports.rows import NOW, Store

READERS = 20


class Clocked:
    """Computations that say when they began and ended."""

    def __init__(self) -> None:
        self.spans: list[tuple[float, float]] = []

    def compute(self, report: Report, parameters: Parameters) -> Table:
        began = time.monotonic()
        threading.Event().wait(0.05)
        self.spans.append((began, time.monotonic()))
        return Table(report, parameters.describe(), dt.datetime.now(dt.UTC), report.columns, [], 0)


async def ask(tables: Tables, *windows: str) -> list[Kept]:
    """Ask for new tables of several windows at once."""
    renewals = Renewals(tables)
    keys = [read_key("connectors", [("window", window)]) for window in windows]
    return await asyncio.gather(*map(renewals.find, keys))


def test_who_asks_at_once_for_the_same_shares_it() -> None:
    clocked = Clocked()
    found = asyncio.run(ask(Tables(clocked.compute), *["7d"] * READERS))
    assert len(clocked.spans) == 1
    assert len({id(each) for each in found}) == 1


def test_after_each_comes_a_longer_rest() -> None:
    clocked = Clocked()
    asyncio.run(ask(Tables(clocked.compute), "7d", "8d", "9d"))
    assert len(clocked.spans) == 3
    for (began, ended), (next_began, _) in zip(clocked.spans, clocked.spans[1:], strict=False):
        assert next_began - ended > 2 * (ended - began)


def test_a_failure_is_told_and_the_next_one_is_made() -> None:
    clocked = Clocked()
    failures = [ValueError("no")]

    def compute(report: Report, parameters: Parameters) -> Table:
        if failures:
            raise failures.pop()
        return clocked.compute(report, parameters)

    async def ask_twice() -> Kept:
        renewals = Renewals(Tables(compute))
        key = read_key("connectors", [])
        with pytest.raises(ValueError, match="no"):
            await renewals.find(key)
        return await renewals.find(key)

    assert asyncio.run(ask_twice()).table.total == 0


def test_computations_hand_the_interpreter_over_sooner_while_they_last() -> None:
    before = sys.getswitchinterval()
    with giving_way():
        with giving_way():
            assert sys.getswitchinterval() == pytest.approx(SECONDS)
        assert sys.getswitchinterval() == pytest.approx(SECONDS)
    assert sys.getswitchinterval() == pytest.approx(before)


def test_every_report_gives_way_while_it_is_computed(store: Store) -> None:
    before, seen = sys.getswitchinterval(), []

    def note(*_: object) -> None:
        seen.append(sys.getswitchinterval())

    event.listen(store.reader, "before_cursor_execute", note)
    store.ask({}, NOW, "caches")
    event.remove(store.reader, "before_cursor_execute", note)
    assert min(seen) == pytest.approx(SECONDS)
    assert sys.getswitchinterval() == before
