"""Brings the tombstones of the database and those of the data directory together, in both directions.

What the file has and the database has not was lost there: a backup was restored. It is asked for again, and
swept anew. What only the database has came by another instance. What is over by the rule of
`app/upkeep/expiry.py` goes from the file, too.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from app.problems import TelemetryError
from app.store.journal import NEVER, NOT_YET, Entry, Journal, Key
from app.store.tables.events import SWEEPS, hash_key_check, tombstones

UNMET: Final = dt.timedelta(days=30)
MET: Final = dt.timedelta(days=400)
COLUMNS: Final = ("bucket", "anonymous_id", "requested_at", "sweeps", "met_at")
ROWS: Final = 1_000  # an insertion


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many tombstones are kept outside the database now, and how many of those it had lost."""

    kept: int
    lost: int


def replay(connection: Connection, journal: Journal) -> Replayed:
    """Give each side what it lacks, commit, and return how much that was.

    Raises OSError, TelemetryError where file or database are of another hash key,
    sqlalchemy.exc.SQLAlchemyError.
    """
    check = connection.execute(select(hash_key_check.c.key_check)).scalar()
    if check is not None and bytes(check) != journal.pseudonyms.check():
        raise TelemetryError("The database is of another hash key.")
    with journal.locked():
        written = journal.read()
        stored = load(connection)
        now: dt.datetime = connection.execute(text("SELECT now()")).scalar_one()
        lost = {key: entry for key, entry in written.items() if key not in stored and not is_over(entry, now)}
        restore(connection, lost)
        connection.commit()
        kept = lost | stored
        if kept != written or not journal.is_current():
            journal.replace(kept)
    return Replayed(len(kept), len(lost))


def load(connection: Connection) -> dict[Key, Entry]:
    """Return the tombstones of the database."""
    columns = [tombstones.c[name] for name in COLUMNS]
    return {
        (bucket, unit): Entry(requested_at, met_at or (NEVER if sweeps >= SWEEPS else NOT_YET))
        for bucket, unit, requested_at, sweeps, met_at in connection.execute(select(*columns))
    }


def is_over(entry: Entry, now: dt.datetime) -> bool:
    """Return whether a tombstone has no use any more: nothing under it can come back."""
    if entry.met == NEVER:
        return entry.requested_at < now - UNMET
    met = entry.requested_at if isinstance(entry.met, str) else max(entry.met, entry.requested_at)
    return met < now - MET


def restore(connection: Connection, lost: dict[Key, Entry]) -> None:
    """Put tombstones into the database again, to be swept anew. One that came meanwhile stays as it is."""
    rows = [
        {
            "bucket": bucket,
            "anonymous_id": unit,
            "requested_at": entry.requested_at,
            "sweeps": 0,
            "met_at": None if isinstance(entry.met, str) else entry.met,
        }
        for (bucket, unit), entry in lost.items()
    ]
    for first in range(0, len(rows), ROWS):
        connection.execute(insert(tombstones).values(rows[first : first + ROWS]).on_conflict_do_nothing())
