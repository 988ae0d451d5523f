"""Tables kept in memory: served at once however old, renewed in the background (stale while revalidate)."""

import datetime as dt
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.problems import Problem
from app.reports.model import Table

log = structlog.get_logger()

RENEW_SECONDS: Final = 60.0
MOST: Final = 64
AT_ONCE: Final = 2  # computations: readers cannot slow ingestion
Given = tuple[tuple[str, str], ...]
Key = tuple[str, Given]
Compute = Callable[[str, list[tuple[str, str]]], Table]


@dataclass(slots=True)
class Kept:
    """A table, and whether a newer one is being made."""

    table: Table
    renewal: Future[Table] | None = None


class Tables:
    """The tables of the pages by report and parameters: a reader never sees those of other parameters."""

    def __init__(self, compute: Compute) -> None:
        """`compute` gives the table of a report under given parameters; raises Problem."""
        self.compute = compute
        self.kept: OrderedDict[Key, Kept] = OrderedDict()
        self.waiting: dict[Key, Future[Table]] = {}
        self.lock = threading.Lock()
        self.is_failing = False
        self.pool = ThreadPoolExecutor(AT_ONCE, "tables")

    def find(self, report: str, /, **given: str) -> Table:
        """Return a table, from memory if there is one. Raises Problem 400, 404, or 503."""
        key = (report, tuple(sorted(given.items())))
        with self.lock:
            kept = self.kept.get(key)
            if kept is not None:
                self.kept.move_to_end(key)
                self.renew(key, kept)
                return kept.table
            future = self.waiting.get(key)
            if future is None:
                future = self.waiting[key] = self.pool.submit(self.make, key)
        return future.result()

    def peek(self, report: str, /, **given: str) -> Table | None:
        """Return a table that is in memory; None, and it is being made, if it is not."""
        key = (report, tuple(sorted(given.items())))
        with self.lock:
            kept = self.kept.get(key)
            if kept is None and key not in self.waiting:
                self.waiting[key] = self.pool.submit(self.make, key)
        return kept.table if kept else None

    def warm(self, keys: Sequence[Key], is_needed: Callable[[], bool]) -> None:
        """Make these tables in the background, if they are needed."""

        def make_all() -> None:
            try:
                if is_needed():
                    for key in keys:
                        self.peek(key[0], **dict(key[1]))  # who asks meanwhile waits for the same
            except (Problem, SQLAlchemyError) as error:
                log.info("pages_not_prepared", error=type(error).__name__)

        self.pool.submit(make_all)

    def forget(self, report: str) -> None:
        """Let go of a report's tables: while there is no event at all, every look is a new one."""
        with self.lock:
            for key in [key for key in self.kept if key[0] == report]:
                del self.kept[key]

    def renew(self, key: Key, kept: Kept) -> None:
        """Start a renewal of a table that is old, unless one is under way."""
        old = (dt.datetime.now(dt.UTC) - kept.table.as_of).total_seconds() >= RENEW_SECONDS
        if old and (kept.renewal is None or kept.renewal.done()):
            kept.renewal = self.pool.submit(self.make, key)

    def make(self, key: Key) -> Table:
        """Compute a table and keep it."""
        name, given = key
        try:
            table = self.compute(name, list(given))
            self.is_failing = False
            with self.lock:
                self.kept[key] = Kept(table)
                while len(self.kept) > MOST:
                    self.kept.popitem(last=False)
        except Problem as problem:
            self.is_failing = problem.status == 503
            raise
        finally:
            with self.lock:
                self.waiting.pop(key, None)
        return table
