"""A batch as bytes and back: what the spool keeps on disk. Judged rows only, never raw input."""

import datetime as dt
from collections import Counter
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import DateTime

from app.ingest.spool_file import Entry, SpoolFile
from app.privacy.projection import NO_ROW
from app.privacy.verdict import Verdict
from app.store.events import Batch, Tally
from app.store.tables.events import events

MOMENTS: Final = frozenset(column.name for column in events.columns if isinstance(column.type, DateTime))


def dump(batch: Batch) -> bytes:
    """Return a batch as JSON."""
    document = {
        "batch_id": batch.batch_id,
        "verdicts": [
            [verdict.id, dump_row(verdict.row), verdict.withheld, verdict.reason, verdict.path]
            for verdict in batch.verdicts
        ],
        "tallies": [
            [tally.hour, tally.write_key, tally.kind, tally.reason, number]
            for tally, number in batch.tallies.items()
        ],
    }
    return orjson.dumps(document)


def load(payload: bytes) -> Batch:
    """Return the batch that `dump` wrote. Raises ValueError or KeyError for anything else."""
    document = orjson.loads(payload)
    verdicts = [
        Verdict(identity, load_row(row), tuple(withheld), reason, path)
        for identity, row, withheld, reason, path in document["verdicts"]
    ]
    tallies = Counter(
        {
            Tally(dt.datetime.fromisoformat(hour), write_key, kind, reason): number
            for hour, write_key, kind, reason, number in document["tallies"]
        }
    )
    return Batch(verdicts, tallies, UUID(document["batch_id"]))


def take(spool: SpoolFile, rows: int) -> list[tuple[Entry, Batch]]:
    """Return the oldest entries of a spool with their batches: so many rows together, one
    entry at the least if there is any.

    What cannot be loaded is dropped and set aside.
    """
    taken: list[tuple[Entry, Batch]] = []
    found, file = 0, spool.file
    while found < rows:
        if spool.file is not file:  # it was damaged: another file, other numbers
            taken, found, file = [], 0, spool.file
        entry = spool.oldest(taken[-1][0].number if taken else 0)
        if spool.file is not file:
            continue
        if entry is None:
            break
        try:
            batch = load(entry.payload)
        except (ValueError, KeyError, TypeError):
            spool.drop_corrupt(entry)
            continue
        found += max(1, len(batch.verdicts))
        if taken and found > rows:
            break
        taken.append((entry, batch))
    return taken


def dump_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without its empty columns."""
    return {name: value for name, value in row.items() if value is not None}


def load_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with its empty columns, and with its times as Python values."""
    return NO_ROW | {
        name: dt.datetime.fromisoformat(value) if name in MOMENTS and value is not None else value
        for name, value in row.items()
    }
