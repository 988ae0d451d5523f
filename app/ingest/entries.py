"""A batch as bytes and back: what the spool keeps on disk. Judged rows only, never raw input."""

import datetime as dt
from collections import Counter
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import DateTime

from app.ingest.spool_file import Entry, SpoolFile
from app.privacy.projection import NO_ROW
from app.privacy.verdict import Verdict
from app.store.events import Batch, Tally
from app.store.tables.events import events

COLUMNS: Final = list(NO_ROW)
VALUES: Final = itemgetter(*COLUMNS)  # by name: the order of a row's keys is nobody's promise
MOMENTS: Final = tuple(column.name for column in events.columns if isinstance(column.type, DateTime))


def dump(batch: Batch) -> bytes:
    """Return a batch as JSON: the names of the columns once, a list of values for each row."""
    document = {
        "batch_id": batch.batch_id,
        "bucket": batch.bucket,
        "columns": COLUMNS,
        "verdicts": [
            [verdict.id, VALUES(verdict.row), verdict.withheld, verdict.reason, verdict.path]
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
    columns = document.get("columns")
    complete = columns == COLUMNS
    verdicts = []
    for identity, values, withheld, reason, path in document["verdicts"]:
        # Before there were `columns`, a row was an object without its empty ones.
        row = values if columns is None else dict(zip(columns, values, strict=True))
        verdict = Verdict(
            identity, load_row(row if complete else NO_ROW | row), tuple(withheld), reason, path
        )
        verdicts.append(verdict)
    tallies = Counter(
        {
            Tally(dt.datetime.fromisoformat(hour), write_key, kind, reason): number
            for hour, write_key, kind, reason, number in document["tallies"]
        }
    )
    return Batch(verdicts, tallies, UUID(document["batch_id"]), document.get("bucket"))


def take(spool: SpoolFile, rows: int) -> list[tuple[Entry, Batch]]:
    """Return the oldest entries of a spool with their batches: so many rows together, one
    entry at the least if there is any.

    What cannot be loaded is dropped and quarantined.
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


def load_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with its times as Python values."""
    for name in MOMENTS:
        if row[name] is not None:
            row[name] = dt.datetime.fromisoformat(row[name])
    return row
