"""Brings what waits in a queue to Postgres: the oldest first, many entries in one commit."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog

from app.ingest.committer import Committer
from app.ingest.durable import NotReadError, Queue, Taken, UnavailableError
from app.problems import TelemetryError
from app.store.events import Batch

log = structlog.get_logger()

COMMIT_SECONDS: Final = 10.0  # for what is committed together; statements have a time-out of their own
# Committed together; half of it after each failure, a slow server would never take them else.
MOST_ROWS: Final = 10_000
FEW_ROWS: Final = 1_000
PAUSE_SECONDS: Final = 0.25
IDLE_SECONDS: Final = 5.0


class Drain:
    """Empties one queue, entry by entry exactly once: each is fenced by the id of its batch."""

    def __init__(
        self,
        queue: Queue,
        committer: Committer,
        recover: Callable[[], None],
        prepare: Callable[[Batch], None],
        linger_seconds: float = 0.0,
    ) -> None:
        """Drain `queue` through `committer`.

        `recover` is called off the event loop while Postgres is unavailable: it may bring it back. `prepare`
        has a last look at a batch before it is committed, and may raise UnavailableError. Commits of few rows
        begin `linger_seconds` apart, so that more is committed together where everything is drained.
        """
        self.queue = queue
        self.committer = committer
        self.recover = recover
        self.prepare = prepare
        self.linger_seconds = linger_seconds
        self.pause_seconds = PAUSE_SECONDS  # after a failure
        self.most_rows = self.rows = MOST_ROWS
        self.lingers_until = 0.0

    async def run(self) -> None:
        """Drain for ever."""
        while True:
            try:
                await self.queue.tend()
                progressed = await self.drain_some()
            except NotReadError:  # the disk may have room again, or let go of a lock
                progressed = False
            if progressed is None:
                await self.queue.wait(IDLE_SECONDS)
            elif not progressed:
                await asyncio.sleep(self.pause_seconds)
            await asyncio.sleep(max(0.0, self.lingers_until - time.monotonic()))

    async def drain_some(self) -> bool | None:
        """Commit the oldest entries as one; return whether that worked, None if there was none.

        Raises NotReadError.
        """
        taken = await self.queue.take(self.rows)
        if taken is None:
            self.committer.circuit.try_again()  # also where the spool is full, or was emptied by hand
            return None
        began = time.monotonic()
        try:
            await self.commit(taken)
        except UnavailableError:
            self.rows = max(min(FEW_ROWS, self.most_rows), self.rows // 2)
            await self.queue.put_back(taken)
            await self.try_to_recover()
            return False
        if sum(len(batch.verdicts) for batch in taken.batches) < self.rows // 2:
            self.lingers_until = began + self.linger_seconds
        self.rows = min(self.most_rows, self.rows * 2)
        await self.queue.done(taken)
        return True

    async def commit(self, taken: Taken) -> None:
        """Commit what was taken. Raises UnavailableError."""
        for batch in taken.batches:
            self.prepare(batch)
        await self.committer.commit(taken.batches, COMMIT_SECONDS)

    async def try_to_recover(self) -> None:
        """Let Postgres be brought back, if it is ours."""
        try:
            await asyncio.to_thread(self.recover)
        except TelemetryError:
            log.exception("database_not_recovered")

    async def finish(self, seconds: float) -> None:
        """Drain for a bounded time before the process ends; what remains waits for the next one."""
        try:
            async with asyncio.timeout(seconds):
                while await self.drain_some():
                    pass
        except (TimeoutError, NotReadError):
            log.warning("queue_not_drained", entries=self.queue.depth().entries)
