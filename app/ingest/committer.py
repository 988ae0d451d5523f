"""Commits batches to Postgres within a time: a statement that hangs is left behind, never waited for.

What is left behind may still commit. The batch is in the spool by then, under its id, and the id fences it:
drained later, it is recognised as committed.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.ingest import instruments
from app.ingest.circuit import Circuit
from app.ingest.durable import UnavailableError
from app.store.causes import describe_fault
from app.store.events import Batch
from app.store.lexicon import Lexicon
from app.store.merging import insert_all

if TYPE_CHECKING:
    from app.ingest.node_queues import NodeQueues

log = structlog.get_logger()

FOR_EVER: Final = 3600.0
LEFT_BEHIND_AT_MOST: Final = 3
LEFT_BEHIND_SECONDS: Final = 20.0  # after that nobody is there; a server that hangs ends a statement after 2


class Committer:
    """One connection to Postgres at a time, opened when needed, dropped after any fault."""

    def __init__(
        self,
        engine: AsyncEngine,
        circuit: Circuit,
        lexicon: Lexicon,
        nodes: "NodeQueues | None" = None,
    ) -> None:
        """Commit through an engine whose connections commit by themselves.

        `circuit` learns of every success and failure; `lexicon` has a look at the words first. `nodes` take
        what is for nodes of a cluster that do not answer; None: nothing is committed in parts.
        """
        self.nodes = nodes
        self.circuit = circuit
        self.engine = engine
        self.lexicon = lexicon
        self.connection: AsyncConnection | None = None
        self.left_behind: set[asyncio.Task[list[str]]] = set()

    async def commit(self, batches: Sequence[Batch], seconds: float | None) -> list[str]:
        """Commit batches as one; return the outcomes of their verdicts, in order.

        Raises UnavailableError after `seconds` at the latest, None: however long it takes.
        """
        try:
            outcomes = await self.attempt_by_node(batches, seconds)
        except UnavailableError:
            instruments.UNAVAILABLE.inc()
            self.circuit.fail()
            raise
        self.circuit.succeed()
        instruments.BATCH_EVENTS.observe(len(outcomes))
        for outcome, number in Counter(outcomes).items():
            instruments.OUTCOMES.labels(outcome).inc(number)
        return outcomes

    async def attempt_by_node(self, batches: Sequence[Batch], seconds: float | None) -> list[str]:
        """Return the outcomes of one attempt at `commit`, on a cluster of several nodes in parts for each."""
        ending = time.monotonic() + (FOR_EVER if seconds is None else seconds)
        placement = await self.nodes.find(seconds) if self.nodes else None
        if self.nodes is None or placement is None:
            return await self.attempt(batches, seconds)
        return await self.nodes.commit(batches, placement, ending, self.attempt)

    async def attempt(self, batches: Sequence[Batch], seconds: float | None) -> list[str]:
        """Return one attempt at `commit`."""
        if len(self.left_behind) >= LEFT_BEHIND_AT_MOST:
            raise UnavailableError
        started = time.perf_counter()
        connection, self.connection = self.connection, None
        task = asyncio.create_task(self.insert(connection, batches))
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            log.warning("postgres_too_slow", seconds=seconds)
            self.left_behind.add(task)
            asyncio.get_running_loop().call_later(LEFT_BEHIND_SECONDS, task.cancel)
            task.add_done_callback(self.left_behind.discard)
            task.add_done_callback(look_at)
            raise UnavailableError
        try:
            outcomes = task.result()
        except (DBAPIError, OSError) as error:
            log.warning("postgres_unavailable", **describe_fault(error))
            raise UnavailableError from None
        instruments.COMMIT_SECONDS.observe(time.perf_counter() - started)
        return outcomes

    async def insert(self, connection: AsyncConnection | None, batches: Sequence[Batch]) -> list[str]:
        """Insert over the connection, a new one if there is none, and return the outcomes; keep it only if
        all went well."""
        if connection is None:
            connection = await self.engine.connect()
            self.lexicon.forget()
        try:
            await self.lexicon.settle(connection, batches)
            outcomes = await insert_all(connection, batches)
        except BaseException:
            await connection.invalidate()
            await connection.close()
            raise
        if self.connection is None:
            self.connection = connection
        else:
            await connection.close()
        return outcomes

    async def close(self) -> None:
        """Close the connection; what was left behind is given up."""
        for task in self.left_behind:
            task.cancel()
        if self.connection is not None:
            await self.connection.close()


def look_at(task: asyncio.Task[Any]) -> None:
    """Retrieve the end of a task that nobody waits for any more, so that asyncio does not report it."""
    if not task.cancelled():
        task.exception()
