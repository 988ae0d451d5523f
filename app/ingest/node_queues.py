"""A queue for each node of a cluster that does not answer: what is for it waits there, and holds up nothing
that is for another node (decision 0061).

On a plain Postgres, and on a cluster of one node, there are no parts and no such queues.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.ingest.circuit import Circuit
from app.ingest.committer import Committer, look_at
from app.ingest.drain import Drain
from app.ingest.durable import NotKeptError, UnavailableError
from app.ingest.places import QUEUED
from app.ingest.spool import Spool
from app.store.events import Batch, outcome_of
from app.store.lexicon import Lexicon
from app.store.shards import Placement, answers, find_placement, split

log = structlog.get_logger()

RENEW_SECONDS: Final = 60.0  # shards move while a cluster is rebalanced
ASK_SECONDS: Final = 2.0
SILENT_SECONDS: Final = 5.0  # in which nobody waits for a node that did not answer
PAUSE_SECONDS: Final = 2.0  # between two tries to reach it
Attempt = Callable[[Sequence[Batch], float | None], Awaitable[list[str]]]


class NodeQueues:
    """Commits batches node by node; keeps the parts for nodes that do not answer, and brings them there."""

    def __init__(
        self, engine: AsyncEngine, folder: Path, quota_bytes: int, make_lexicon: Callable[[], Lexicon]
    ) -> None:
        """Keep parts in spools of `quota_bytes` in `folder`, one a node; what is left there when the process
        ends is adopted like any spool. Parts are committed after a look at the words of a new lexicon."""
        self.engine = engine
        self.folder = folder
        self.quota_bytes = quota_bytes
        self.make_lexicon = make_lexicon
        self.placement: Placement | None = None
        self.renew_at: float | None = None
        self.renewing: asyncio.Task[None] | None = None
        self.silent_until: dict[int, float] = {}
        self.spools: dict[int, Spool] = {}
        self.committers: list[Committer] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def find(self, seconds: float | None) -> Placement | None:
        """Return where the buckets are, None where all are on one node. It is asked anew every minute, and
        nobody waits for that.

        Raises UnavailableError while that was never known and cannot be asked, after `seconds` at the latest.
        """
        if self.renew_at is None:
            try:
                async with asyncio.timeout(ASK_SECONDS if seconds is None else min(seconds, ASK_SECONDS)):
                    await self.renew()
            except (DBAPIError, OSError, TimeoutError):
                raise UnavailableError from None
        elif time.monotonic() >= self.renew_at:
            self.renew_at = time.monotonic() + RENEW_SECONDS
            self.renewing = asyncio.create_task(self.renew())
            self.renewing.add_done_callback(look_at)
        return self.placement

    async def renew(self) -> None:
        """Ask where the buckets are, over a connection that is not kept."""
        async with self.engine.connect() as connection:
            self.placement = await find_placement(connection)
            await connection.invalidate()
        self.renew_at = time.monotonic() + RENEW_SECONDS

    async def commit(
        self, batches: Sequence[Batch], placement: Placement, ending: float, attempt: Attempt
    ) -> list[str]:
        """Commit batches in parts; return the outcomes of their verdicts, `queued` for what waits for a node.

        `ending`: when, on the monotonic clock. Raises UnavailableError then, if the coordinator does not
        answer, and if a part could not be kept: when all of it comes again, fences tell what is committed.
        """
        parts = [part for batch in batches for part in split(batch, placement).items()]
        reported: dict[int, str] = {}  # by the identity of the verdict
        for group in sorted({group for group, _ in parts}):
            own = [part for of, part in parts if of == group]
            outcomes = await self.commit_group(group, own, ending, attempt)
            verdicts = [verdict for part in own for verdict in part.verdicts]
            reported |= {id(verdict): outcome for verdict, outcome in zip(verdicts, outcomes, strict=True)}
        return [reported[id(verdict)] for batch in batches for verdict in batch.verdicts]

    async def commit_group(
        self, group: int, parts: Sequence[Batch], ending: float, attempt: Attempt
    ) -> list[str]:
        """Commit parts for one node, or keep them if that does not answer.

        Return the outcome of each event. Raises UnavailableError.
        """
        if not self.is_silent(group):
            try:
                return await attempt(parts, remaining(ending))
            except UnavailableError:
                if await self.reaches(group, ending):
                    raise
                self.silent_until[group] = time.monotonic() + SILENT_SECONDS
                self.renew_at = time.monotonic()  # its shards may be elsewhere soon
        return await self.keep(group, parts)

    def is_silent(self, group: int) -> bool:
        """Return whether a node did not answer just now, or has not been given yet what waits for it."""
        waits = group in self.spools and self.spools[group].depth().entries > 0
        return waits or time.monotonic() < self.silent_until.get(group, 0.0)

    async def reaches(self, group: int, ending: float) -> bool:
        """Return whether the coordinator reaches a node.

        Raises UnavailableError if that does not answer itself, or if it is too early to tell: then all of it
        goes to the next place, whose drain has the time.
        """
        try:
            async with asyncio.timeout(min(ASK_SECONDS, remaining(ending))):
                connection = await self.engine.connect()
        except (DBAPIError, OSError, TimeoutError):
            raise UnavailableError from None
        seconds = min(ASK_SECONDS, remaining(ending))
        try:
            async with asyncio.timeout(seconds):
                return await answers(connection, group)
        except TimeoutError:
            if seconds < ASK_SECONDS:
                raise UnavailableError from None
            return False
        except (DBAPIError, OSError):
            return False
        finally:
            await connection.invalidate()
            await connection.close()

    async def keep(self, group: int, parts: Sequence[Batch]) -> list[str]:
        """Append parts to the queue of a node; return their outcomes. Raises UnavailableError."""
        spool = self.spools.get(group) or self.open(group)
        try:
            for part in parts:
                await spool.append(part)
        except NotKeptError:
            raise UnavailableError from None
        verdicts = [verdict for part in parts for verdict in part.verdicts]
        return [outcome_of(verdict, fresh=True) if verdict.rejected else QUEUED for verdict in verdicts]

    def open(self, group: int) -> Spool:
        """Return the queue of a node, which is drained from now on."""
        log.warning("node_unavailable", group=group)
        circuit = Circuit()
        committer = Committer(self.engine, circuit, self.make_lexicon())
        spool = Spool(self.folder, self.quota_bytes, circuit, is_for_node=True)
        drain = Drain(spool, committer, lambda: None, lambda _batch: None)
        drain.pause_seconds = PAUSE_SECONDS
        self.spools[group] = spool
        self.committers.append(committer)
        self.tasks.append(asyncio.create_task(drain.run()))
        return spool

    async def close(self) -> None:
        """Let go of all queues; what waits in them is adopted by the next process."""
        tasks = [*self.tasks, *([self.renewing] if self.renewing else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for committer in self.committers:
            await committer.close()
        for spool in self.spools.values():
            await spool.close()
        await self.engine.dispose()


def remaining(ending: float) -> float:
    """Return the seconds until `ending`. Raises UnavailableError if there are none."""
    seconds = ending - time.monotonic()
    if seconds <= 0:
        raise UnavailableError
    return seconds
