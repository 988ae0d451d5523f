"""Where batches wait on their way to Postgres: one protocol for the spool and for a log beside it.

A batch that was appended is durable. It is taken with others, committed with them, and only then forgotten;
should that be lost it is taken again, and its id, under which it is counted, says that it is committed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from app.ingest.spool_depth import Depth
from app.store.events import Batch


class NotKeptError(Exception):
    """The batch was not made durable here: no room, or no answer in time. Another place may take it."""


class UnavailableError(NotKeptError):
    """Postgres did not commit in time, or said that it cannot."""


class NotReadError(Exception):
    """What waits cannot be read, or not be forgotten, just now; the drain tries again."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Entries that are committed together: their batches, oldest first, and what they are to their queue."""

    batches: Sequence[Batch]
    entries: Any


class Queue(Protocol):
    """What a drain empties. Used by one task at a time."""

    async def tend(self) -> None:
        """Do what is due from time to time; called before every look. Raises NotReadError."""

    async def take(self, rows: int) -> Taken | None:
        """Return the oldest entries, so many rows together and one entry at the least; None if none waits.

        Entries that cannot be read are quarantined on the way. Raises NotReadError.
        """

    async def done(self, taken: Taken) -> None:
        """Forget entries that are committed. Raises NotReadError; they come again then."""

    async def put_back(self, taken: Taken) -> None:
        """Let entries that could not be committed be taken again, at once."""

    async def wait(self, seconds: float) -> None:
        """Return when something may have come, after `seconds` at the latest."""

    def depth(self) -> Depth:
        """Return how much waits, as far as is known without asking anybody."""


class Log(Queue, Protocol):
    """A queue that the writer appends to."""

    async def append(self, batch: Batch) -> None:
        """Keep a batch: it is durable when this returns. Raises NotKeptError; if cancelled, it may be kept.

        Appended twice, here or in another place, a batch is stored once: its id fences it.
        """

    def describe(self) -> dict[str, Any]:
        """Return what `/readyz` says: at least `writable`, `entries` and `age_seconds` (of the oldest)."""

    async def close(self) -> None:
        """Let go of everything; what waits is for the next process."""
