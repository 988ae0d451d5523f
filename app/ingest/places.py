"""Where the writer makes a batch durable: in Postgres, or in what is drained to it."""

import asyncio
from typing import Final, Protocol

from app.ingest import instruments
from app.ingest.committer import Committer
from app.ingest.durable import Log, NotKeptError
from app.store.events import Batch

QUEUED: Final = "queued"


class Place(Protocol):
    """Makes batches durable."""

    async def keep(self, batch: Batch, seconds: float | None) -> list[str]:
        """Make a batch durable; return the outcomes of its verdicts, in order.

        Raises NotKeptError after `seconds` at the latest; None: however long it takes.
        """


class Direct:
    """Postgres itself. It alone knows duplicates."""

    def __init__(self, committer: Committer) -> None:
        """Commit through `committer`, while its circuit is closed."""
        self.committer = committer

    async def keep(self, batch: Batch, seconds: float | None) -> list[str]:
        """Commit a batch and return the outcomes. Raises NotKeptError; it may be committed later all the
        same."""
        if self.committer.circuit.is_open:
            raise NotKeptError
        return await self.committer.commit([batch], seconds)


class Appended:
    """A log, from which batches are drained to Postgres."""

    def __init__(self, log: Log) -> None:
        """Append to `log`."""
        self.log = log

    async def keep(self, batch: Batch, seconds: float | None) -> list[str]:
        """Append a batch and return the outcomes: what is refused is refused already, all else is `queued`.
        Raises NotKeptError."""
        try:
            async with asyncio.timeout(seconds):
                await self.log.append(batch)
        except TimeoutError:
            raise NotKeptError from None
        instruments.OUTCOMES.labels(QUEUED).inc(len(batch.verdicts))
        return ["rejected" if verdict.rejected else QUEUED for verdict in batch.verdicts]
