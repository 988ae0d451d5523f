"""Group commit without timers: what arrives while a commit is in flight forms the next batch.

Each caller waits for its own commit. On an idle service that is one event a commit, on a busy one hundreds.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.privacy.verdict import Verdict
from app.problems import Problem, TelemetryError
from app.store.events import Batch, Tally, insert

log = structlog.get_logger()

BATCH_ROWS: Final = 2_500  # a statement of this size takes about 0.1 s; more only adds to everyone's wait
IN_FLIGHT_ROWS: Final = 25_000  # about 40 MB of rows; beyond it the answer is 503 at once
TALLY_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 0.05
TRANSIENT: Final = frozenset({"40P01", "40001", "57P01", "57P02", "57P03", "57014", "55P03"})

OVERLOADED: Final = Problem(
    503, "overloaded", "More events are waiting than can be stored now.", retry_after=1
)
UNAVAILABLE: Final = Problem(503, "unavailable", "The event could not be stored in time.", retry_after=5)


@dataclass(slots=True)
class Group:
    """The events of one request, and the future that its caller waits on."""

    verdicts: Sequence[Verdict]
    tallies: Counter[Tally]
    done: asyncio.Future[list[str]]


class Writer:
    """The only way into the event tables: one task, one connection, one batch at a time."""

    def __init__(self, engine: AsyncEngine, deadline_ms: int, recover: Callable[[], None]) -> None:
        """Write through `engine`; a caller waits `deadline_ms` milliseconds at the most.

        `recover` is called, off the event loop, when the database is lost: it may bring it back.
        """
        self.engine = engine
        self.recover = recover
        self.deadline = deadline_ms / 1000
        self.waiting: deque[Group] = deque()
        self.rows_in_flight = 0
        self.current: tuple[Batch, list[Group]] | None = None
        self.tallies: Counter[Tally] = Counter()
        self.tallies_due = False
        self.wake = asyncio.Event()
        self.closing = False

    async def submit(self, verdicts: Sequence[Verdict], tallies: Counter[Tally]) -> list[str]:
        """Commit the verdicts of one request; their outcomes, in order.

        Raises Problem 503 when too much is waiting already, or when the deadline passes first.
        """
        if self.rows_in_flight + len(verdicts) > IN_FLIGHT_ROWS or self.closing:
            raise OVERLOADED
        group = Group(verdicts, tallies, asyncio.get_running_loop().create_future())
        self.waiting.append(group)
        self.rows_in_flight += len(verdicts)
        self.wake.set()
        try:
            async with asyncio.timeout(self.deadline):
                return await group.done
        except TimeoutError:
            raise UNAVAILABLE from None
        finally:
            self.rows_in_flight -= len(verdicts)

    def tally(self, tally: Tally) -> None:
        """Count something that is no event; it is flushed within a second."""
        self.tallies[tally] += 1

    async def run(self) -> None:
        """Write until closed, and then what is still waiting."""
        flusher = asyncio.create_task(self.flush_tallies())
        try:
            while self.current or self.waiting or not self.closing:
                try:
                    await self.write_while_connected()
                except DBAPIError as error:
                    log.warning("write_failed", sqlstate=sqlstate(error), error=type(error.orig).__name__)
                    self.give_up_unless_transient(error)
                    await self.pause()
        finally:
            flusher.cancel()

    async def pause(self) -> None:
        """Wait a little before the next attempt, and let the database be brought back meanwhile."""
        await asyncio.sleep(RETRY_SECONDS)
        try:
            await asyncio.to_thread(self.recover)
        except TelemetryError:
            log.exception("database_not_recovered")

    def close(self) -> None:
        """Take no more, and let `run` end after the last batch."""
        self.closing = True
        self.wake.set()

    async def write_while_connected(self) -> None:
        """Write batch after batch over one connection. Raises DBAPIError when one fails."""
        async with self.engine.connect() as connection:
            while self.current or self.waiting or not self.closing:
                self.current = self.current or self.form_batch()
                if self.current is None:
                    self.wake.clear()
                    await self.wake.wait()
                else:
                    await self.commit(connection, *self.current)
                    self.current = None

    async def commit(self, connection: AsyncConnection, batch: Batch, groups: list[Group]) -> None:
        """Commit a batch and wake its callers."""
        outcomes = iter(await insert(connection, batch))
        for group in groups:
            own = [next(outcomes) for _ in group.verdicts]
            if not group.done.done():
                group.done.set_result(own)

    def give_up_unless_transient(self, error: DBAPIError) -> None:
        """After a passing fault keep the batch while somebody waits for it; after another let its callers go.

        It is kept under its batch id: should the failed attempt have committed unseen, the next one does nothing.
        """
        batch, groups = self.current or (None, [])
        if not is_transient(error):
            for group in groups:
                if not group.done.done():
                    group.done.set_exception(UNAVAILABLE)
        if batch and all(group.done.done() for group in groups):
            self.current = None

    def form_batch(self) -> tuple[Batch, list[Group]] | None:
        """The next batch with its callers; None if there is nothing to write."""
        groups = self.take()
        tallies = self.take_tallies() if groups or self.tallies_due else Counter[Tally]()
        if not groups and not tallies:
            return None
        for group in groups:
            tallies.update(group.tallies)
        return Batch([verdict for group in groups for verdict in group.verdicts], tallies), groups

    def take(self) -> list[Group]:
        """The groups of the next batch, oldest first; callers that gave up are left out."""
        groups: list[Group] = []
        rows = 0
        while self.waiting and (not groups or rows + len(self.waiting[0].verdicts) <= BATCH_ROWS):
            group = self.waiting.popleft()
            if not group.done.done():
                groups.append(group)
                rows += len(group.verdicts)
        return groups

    def take_tallies(self) -> Counter[Tally]:
        """What was counted since the last time."""
        taken, self.tallies, self.tallies_due = self.tallies, Counter(), False
        return taken

    async def flush_tallies(self) -> None:
        """Let tallies that no batch takes along be written once a second."""
        while True:
            await asyncio.sleep(TALLY_SECONDS)
            if self.tallies:
                self.tallies_due = True
                self.wake.set()


def sqlstate(error: DBAPIError) -> str | None:
    """Postgres' code of an error, if it came from Postgres."""
    code: str | None = getattr(error.orig, "sqlstate", None)
    return code


def is_transient(error: DBAPIError) -> bool:
    """Whether the same statement may succeed if sent again: lost connections, deadlocks, restarts, time-outs."""
    code = sqlstate(error)
    return error.connection_invalidated or code is None or code.startswith("08") or code in TRANSIENT
