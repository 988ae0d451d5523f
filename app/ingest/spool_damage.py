"""What damage does to a spool file, how it is recognised, and what can still be read."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

SCHEMA: Final = """
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queued_at REAL NOT NULL,
    checksum BLOB NOT NULL,
    payload BLOB NOT NULL
);
"""
# A damaged byte may be the one that says of what type a value is: bytes are taken for
# bytes, and moments for numbers.
READ: Final = (
    "SELECT id, coalesce(CAST(queued_at AS REAL), 0), CAST(checksum AS BLOB), coalesce(CAST(payload AS "
    "BLOB), x'')"
    " FROM entries"
)
PAGE_BYTES: Final = 4096
ENTRY_BYTES: Final = 32  # at the least: a moment and a checksum
# What passes by itself, by the lower byte of its code. Everything else says that the
# file is not what SQLite wrote.
PASSING: Final = (
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
)
UNREADABLE: Final = (
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_IOERR_READ,
    sqlite3.SQLITE_IOERR_CORRUPTFS,
)
SQLITE_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)  # its messages quote names of a damaged schema


def examine(connection: sqlite3.Connection, file: Path) -> None:
    """Make the table of a new file, or see whether an old one is whole: 0.05 s for 200 MB.
    Raises sqlite3.DatabaseError."""
    size = file.stat().st_size
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE name NOT GLOB 'sqlite_*'").fetchall()
    connection.executescript(SCHEMA)
    [(found,), *_] = connection.execute("PRAGMA quick_check(1)").fetchall()
    if tables not in ([], [("entries",)]) or found != "ok" or 0 < size < PAGE_BYTES:
        raise sqlite3.DatabaseError("damaged")


def is_damage(error: Exception) -> bool:
    """Return whether an error says that the file is not what SQLite wrote; a full disk or
    a lock says nothing of that."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code in UNREADABLE or code & 0xFF not in PASSING


def readable_rows(damaged: Path) -> Iterator[tuple[float, bytes, bytes] | None]:
    """Yield moment, checksum and payload of the entries of a damaged file, None for
    one that is known to be lost."""
    with (
        suppress(*SQLITE_ERRORS),
        closing(sqlite3.connect(f"file:{damaged}?mode=ro", uri=True)) as connection,
    ):
        (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()
        (first,) = connection.execute("SELECT min(id) FROM entries").fetchone()
        first = last + 1 if first is None else first
        # The numbers may be damaged, too: more entries than fit into the file there never were.
        for number in range(first, min(last, first + damaged.stat().st_size // ENTRY_BYTES) + 1):
            try:
                row = connection.execute(f"{READ} WHERE id = ?", (number,)).fetchone()
            except SQLITE_ERRORS:
                yield None
            else:
                if row is not None and row[2] is not None:
                    yield row[1:]
