"""A batch as a message of the stream and back; what is no batch is kept beside the spool."""

import zlib
from pathlib import Path
from typing import Final

from app.ingest.entries import dump, load
from app.privacy.projection import NO_ROW
from app.store.events import Batch

SMALL_BYTES: Final = 4_096  # of a batch that is sent as it is
MOST_BYTES: Final = 2**26  # of a batch, inflated


def is_portable(batch: Batch) -> bool:
    """Return whether any instance can bring a batch to Postgres. A provisional number of a write key means
    something to the process that gave it only: such a batch is the spool's."""
    numbers = [verdict.row["write_key"] for verdict in batch.verdicts]
    return min([*numbers, *(tally.write_key for tally in batch.tallies)], default=0) >= 0


def is_newer(batch: Batch) -> bool:
    """Return whether a batch has columns that this release does not know: while instances are upgraded one
    after another, it is for those that are."""
    return any(verdict.row.keys() - NO_ROW.keys() for verdict in batch.verdicts[:1])


def pack(batch: Batch) -> bytes:
    """Return a batch as a message: JSON, deflated unless it is small. 1,000 rows are 400 kB and more, where
    a server takes 1 MB."""
    document = dump(batch)
    return document if len(document) <= SMALL_BYTES else zlib.compress(document, 1)


def unpack(payload: bytes) -> Batch | None:
    """Return the batch that `pack` wrote, None for anything else."""
    try:
        if not payload.startswith(b"{"):
            inflating = zlib.decompressobj()
            payload = inflating.decompress(payload, MOST_BYTES)
            if not inflating.eof:
                return None
        return load(payload)
    except (ValueError, KeyError, TypeError, zlib.error):
        return None


def write_aside(file: Path, payload: bytes) -> None:
    """Keep what is no batch for whoever wants to look at it. Raises OSError."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_bytes(payload)
