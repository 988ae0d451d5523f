"""Tables kept in memory: computed once, served many times, renewed behind whoever reads them.

JSON, CSV, Parquet and the pages of a process all read here. At most AT_ONCE computations run at once,
in threads of their own, so that readers cannot slow ingestion down; whoever asks for what is being
computed waits for the same one.
"""

import datetime as dt
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.problems import Problem
from app.reports import registry, render
from app.reports.model import Report, Table
from app.reports.parameters import Parameters
from app.reports.parsing import parse
from app.reports.run import reading, run
from app.store.causes import answering

log = structlog.get_logger()

RENEW_SECONDS: Final = 60.0  # a table is renewed once in so long, at most
AHEAD_SECONDS: Final = 300.0  # how often the default views are made ahead
LATE_SECONDS: Final = 600.0  # what is older is served only where the database cannot make a newer one
RETRY_SECONDS: Final = 5.0  # between two tries to renew a table that the database could not make
MOST: Final = 64
AT_ONCE: Final = 2
Given = Sequence[tuple[str, str]]
Key = tuple[str, Parameters]
Compute = Callable[[Report, Parameters], Table]
WRITERS: Final[Mapping[str, Callable[[Table], str | bytes]]] = {
    "json": render.to_json,
    "csv": render.to_csv,
    "parquet": render.to_parquet,
}


class Kept:
    """A table, its entity tag, and what was written of it."""

    def __init__(self, table: Table) -> None:
        """`table` is not changed any more."""
        self.table = table
        self.tag = render.identify(table)
        self.bodies: dict[str, bytes] = {}
        self.failed_at = float("-inf")  # when the database could not make a newer one

    def write(self, form: str) -> bytes:
        """Return the table as JSON, CSV or Parquet, written once. Raises
        TelemetryError where Parquet cannot be."""
        body = self.bodies.get(form)
        if body is None:
            written = WRITERS[form](self.table)
            body = self.bodies[form] = written.encode() if isinstance(written, str) else written
        return body

    def age(self) -> float:
        """Return the seconds since the figures were read."""
        return (dt.datetime.now(dt.UTC) - self.table.as_of).total_seconds()

    def failed_lately(self) -> bool:
        """Return whether it is too early to ask for a newer one: nobody waits for what will hardly come."""
        return time.monotonic() - self.failed_at < RETRY_SECONDS


def open_tables(
    engine: Engine,
    denied: Sequence[int] = (),
    waiting_since: Callable[[], dt.datetime | None] = lambda: None,
) -> "Tables":
    """Return the tables of a process, over `engine`, without the units `denied`.

    `waiting_since` tells when the oldest event arrived that is not in the database yet.
    """

    def compute(report: Report, parameters: Parameters) -> Table:
        with answering(), reading(engine) as connection:
            waiting = waiting_since()  # before the database is read: what comes in between is in neither
            return run(report, parameters, connection, dt.datetime.now(dt.UTC), denied, waiting)

    return Tables(compute)


class Tables:
    """Tables by report and parsed parameters: a reader never sees those of other parameters."""

    def __init__(self, compute: Compute) -> None:
        """`compute` gives the table of a report under given parameters; raises Problem."""
        self.compute = compute
        self.kept: OrderedDict[Key, Kept] = OrderedDict()
        self.waiting: dict[Key, Future[Kept]] = {}
        self.lock = threading.Lock()
        self.is_failing = False
        self.pool = ThreadPoolExecutor(AT_ONCE, "tables")
        self.stopping = threading.Event()

    def find(self, report: str, /, **given: str) -> Table:
        """Return a table, from memory if there is one. Raises Problem 400, 404, or 503."""
        found = self.look(read_key(report, tuple(given.items())))
        return (found if isinstance(found, Kept) else found.result()).table

    def peek(self, report: str, /, **given: str) -> Table | None:
        """Return a table that is in memory; None, and it is being made, if it is not."""
        found = self.look(read_key(report, tuple(given.items())))
        return found.table if isinstance(found, Kept) else None

    def look(self, key: Key, *, fresh: bool = False) -> "Kept | Future[Kept]":
        """Return what is kept, or what is being computed; `fresh`: never what is kept already."""
        with self.lock:
            kept = self.kept.get(key)
            if kept is not None:
                self.kept.move_to_end(key)
                age, is_hopeless = kept.age(), kept.failed_lately()
                if not fresh and (age < LATE_SECONDS or is_hopeless):
                    if (age >= RENEW_SECONDS or kept.table.is_stale) and not is_hopeless:
                        self.submit(key)
                    return kept
            return self.submit(key)

    def submit(self, key: Key) -> "Future[Kept]":
        """Return the computation of a key that is under way, or begin one. The lock is held."""
        future = self.waiting.get(key)
        if future is None:
            future = self.waiting[key] = self.pool.submit(self.make, key)
        return future

    def make(self, key: Key) -> Kept:
        """Return a new table and keep it; the last good one where the database cannot answer.
        Raises Problem."""
        name, parameters = key
        try:
            kept = Kept(self.compute(registry.find(name), parameters))
            self.is_failing = False
            if not kept.table.is_empty:  # before the first event every look is a new one: it costs nothing
                self.keep(key, kept)
        except Problem as problem:
            self.is_failing = problem.status == 503
            last = self.find_last(key) if self.is_failing else None
            if last is None:
                raise
            last.failed_at = time.monotonic()
            self.keep(key, last)
            return last
        finally:
            with self.lock:
                self.waiting.pop(key, None)
        return kept

    def keep(self, key: Key, kept: Kept) -> None:
        """Keep a table; what was asked for longest ago gives way."""
        with self.lock:
            self.kept[key] = kept
            while len(self.kept) > MOST:
                self.kept.popitem(last=False)

    def find_last(self, key: Key) -> Kept | None:
        """Return the last good figures of what is asked for, None if there are none: of the same key; or of
        one that holds them, too."""
        with self.lock:
            kept = self.kept.get(key)
            if kept is not None and kept.table.is_stale:
                return kept
            others = [other for asked, other in self.kept.items() if contains(asked, other, key)]
        found = kept or max(others, key=lambda other: other.table.as_of, default=None)
        if found is None:
            return None
        table = found.table
        if key[1].series == "none" and table.series is not None:
            table = replace(table, series=None, parameters=table.parameters | {"series": "none"})
        return Kept(replace(table, is_stale=True))

    def keep_ahead(self, views: Sequence[tuple[str, Given]], is_needed: Callable[[], bool]) -> None:
        """Make these views in the background, now and every AHEAD_SECONDS, while they are needed."""

        def keep() -> None:
            while True:
                try:
                    if is_needed():
                        self.make_ahead(views)
                except (Problem, SQLAlchemyError) as error:
                    log.info("reports_not_prepared", error=type(error).__name__)
                if self.stopping.wait(AHEAD_SECONDS):
                    return

        threading.Thread(target=keep, name="reports-ahead", daemon=True).start()

    def make_ahead(self, views: Sequence[tuple[str, Given]]) -> None:
        """Renew views that are older than RENEW_SECONDS, one at a time: a reader
        finds the other thread free."""
        for report, given in views:
            if self.stopping.is_set():
                return
            key = read_key(report, given)
            with self.lock:
                kept = self.kept.get(key)
                future = self.submit(key) if kept is None or kept.age() >= RENEW_SECONDS else None
            if future is not None:
                future.result()

    def close(self) -> None:
        """Begin nothing new."""
        self.stopping.set()
        self.pool.shutdown(wait=False, cancel_futures=True)


def contains(asked: Key, kept: Kept, key: Key) -> bool:
    """Return whether what was asked for and kept holds the last good figures of another key: the same with
    its days beside it, as the pages ask, or of the day that was the last one when the database went."""
    (name, earlier), (report, later) = asked, key
    today = dt.datetime.now(dt.UTC).date()
    was_today = later.until == today and earlier.until == kept.table.as_of.date()
    is_relative = was_today or (earlier.ends_whole and earlier.until < later.until)
    same = replace(
        earlier,
        until=later.until if is_relative else earlier.until,
        series=later.series if later.series == "none" else earlier.series,
    )
    return name == report and same == later


def read_key(report: str, given: Given) -> Key:
    """Return the key of what is asked for. Raises Problem 400 or 404."""
    return report, parse(registry.find(report), given, dt.datetime.now(dt.UTC))
