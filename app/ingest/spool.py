"""The spool: batches that Postgres could not take in time, fsynced in an SQLite file, until it can.

One file a process, under a lock file of its own (SQLite uses locks on its file itself, so that one is never flocked). The
lock dies with its process: whoever gets the lock of somebody else's file adopts what is in it.
"""

import fcntl
import hashlib
import os
import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import structlog
from ulid import ULID

log = structlog.get_logger()

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
COUNT: Final = "SELECT count(*), coalesce(sum(length(payload)), 0), min(CAST(queued_at AS REAL)) FROM entries"
# A damaged byte may be the one that says of what type a value is: bytes are taken for bytes, and moments for numbers.
READ: Final = (
    "SELECT id, coalesce(CAST(queued_at AS REAL), 0), CAST(checksum AS BLOB), coalesce(CAST(payload AS BLOB), x'')"
    " FROM entries"
)
WRITE: Final = "INSERT INTO entries (queued_at, checksum, payload) VALUES (?, ?, ?)"
PAGE_BYTES: Final = 4096
MOST_PAGES: Final = 2**32 - 2  # of SQLite
ENTRY_BYTES: Final = 32  # at the least: a moment and a checksum
# What passes by itself, by the lower byte of its code. Everything else says that the file is not what SQLite wrote.
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
SET_ASIDE_SECONDS: Final = 30 * 24 * 3600.0  # since it was last written
WAL_PAGES: Final = (
    512  # the log is folded into the file every 2 MiB, so that the two stay near the quota together
)
SQLITE_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)  # its messages quote names of a damaged schema


class SpoolFullError(Exception):
    """The quota or the disk has no room; nothing was written."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A batch in the spool."""

    number: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Depth:
    """How much waits in a spool: entries, bytes of payload, seconds since the oldest came; and how many were unreadable."""

    entries: int = 0
    payload_bytes: int = 0
    age_seconds: float = 0.0
    corrupt: int = 0

    def __add__(self, other: "Depth") -> "Depth":
        """Two spools taken together."""
        return Depth(
            self.entries + other.entries,
            self.payload_bytes + other.payload_bytes,
            max(self.age_seconds, other.age_seconds),
            self.corrupt + other.corrupt,
        )


def checksum(payload: bytes) -> bytes:
    """What tells a whole payload from a damaged one."""
    return hashlib.blake2b(payload, digest_size=16).digest()


class Spool:
    """One spool file, held by this process. Blocking: use it from one thread."""

    def __init__(self, file: Path, lock: int, quota_bytes: int) -> None:
        """Open the file under a lock that is held already; set aside what cannot be read."""
        self.file = file
        self.lock = lock
        self.quota_bytes = quota_bytes
        self.corrupt = 0
        self.entries = 0
        self.payload_bytes = 0
        self.oldest_at: float | None = None
        try:
            self.connection = self.connect()
            self.count()
        except SQLITE_ERRORS as error:
            if not is_damage(error):
                raise
            self.start_over()

    @classmethod
    def create(cls, folder: Path, quota_bytes: int) -> Self:
        """A new spool in a folder. Raises OSError or sqlite3.Error when it cannot be written."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = folder / f"{ULID()}.sqlite"
        lock = take_lock(file)
        if lock is None:
            raise OSError("a new spool is locked already")
        return cls(file, lock, quota_bytes)

    @classmethod
    def adopt(cls, folder: Path, quota_bytes: int) -> list[Self]:
        """The spools in a folder whose processes are dead."""
        adopted = []
        for file in sorted(folder.glob("*.sqlite")):
            lock = take_lock(file)
            if lock is None:
                continue
            if file.exists():
                try:
                    adopted.append(cls(file, lock, quota_bytes))
                except (OSError, sqlite3.Error) as error:  # not now; somebody looks again in a few seconds
                    log.warning("spool_not_adopted", spool=file.name, error=type(error).__name__)
                    os.close(lock)
            else:  # its owner deleted it, empty, between our look and our lock
                lock_file(file).unlink(missing_ok=True)
                os.close(lock)
        return adopted

    @staticmethod
    def discard_set_aside(folder: Path) -> None:
        """Delete what was set aside long ago: it holds pseudonyms, and nobody who asks to be forgotten is found in it."""
        for file in folder.glob("*.corrupt*"):
            with suppress(OSError):  # another process was faster, or it is somebody else's
                if time.time() - file.stat().st_mtime > SET_ASIDE_SECONDS:
                    file.unlink()
                    log.warning("spool_set_aside_deleted", file=file.name)

    @staticmethod
    def look(folder: Path, held: Collection[Path]) -> Depth:
        """How much waits in the spools of other living processes; one that cannot be read just now counts as empty."""
        depth = Depth()
        for file in sorted(set(folder.glob("*.sqlite")) - set(held)):
            with (
                suppress(sqlite3.Error),
                closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection,
            ):
                entries, size, oldest = connection.execute(COUNT).fetchone()
                depth += Depth(entries, size, max(0.0, time.time() - oldest) if oldest else 0.0)
        return depth

    def connect(self) -> sqlite3.Connection:
        """Open the file, fsyncing every commit."""
        descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600)
        os.close(descriptor)
        connection = sqlite3.connect(self.file, isolation_level=None, check_same_thread=False)
        try:
            examine(connection, self.file)
            bound(connection, self.quota_bytes // PAGE_BYTES)
            connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        except BaseException:
            connection.close()
            raise
        return connection

    def count(self) -> None:
        """Count what waits: once, for each change is counted from then on."""
        self.entries, self.payload_bytes, self.oldest_at = self.connection.execute(COUNT).fetchone()

    def append(self, payload: bytes) -> None:
        """Keep a payload; it is on disk when this returns. Raises SpoolFullError, and nothing is written then."""
        try:
            self.insert(payload)
        except SQLITE_ERRORS as error:
            if not is_damage(error):
                raise SpoolFullError(getattr(error, "sqlite_errorname", None)) from None
            self.start_over()
            self.insert(payload)

    def insert(self, payload: bytes) -> None:
        """Write a payload at the end."""
        now = time.time()
        self.connection.execute(WRITE, (now, checksum(payload), payload))
        self.entries += 1
        self.payload_bytes += len(payload)
        self.oldest_at = self.oldest_at or now

    def oldest(self, after: int = 0) -> Entry | None:
        """Return the entry that waits longest, of those of a higher number than `after`; None if there is none.

        Entries that cannot be read are dropped on the way and counted. If the file was damaged, `file` is another one
        afterwards, with numbers of its own, and the entry is its first.
        """
        file = self.file
        while True:
            after = after if self.file is file else 0
            try:
                row = self.connection.execute(f"{READ} WHERE id > ? ORDER BY id LIMIT 1", (after,)).fetchone()
            except SQLITE_ERRORS as error:
                if not is_damage(error):
                    raise
                self.start_over()
                continue
            if row is None:
                self.oldest_at = self.oldest_at if after else None
                return None
            number, queued_at, expected, payload = row
            self.oldest_at = self.oldest_at if after else queued_at
            entry = Entry(number, payload)
            if checksum(payload) == expected:
                return entry
            self.drop_corrupt(entry)

    def drop_corrupt(self, entry: Entry) -> None:
        """Set an entry aside that is not what was written, and say so."""
        self.corrupt += 1
        aside = self.file.with_suffix(f".{entry.number}.corrupt")
        with suppress(OSError):  # on a full disk the log names it all the same
            aside.touch(mode=0o600)
            aside.write_bytes(entry.payload)
        log.error("spool_entry_corrupt", spool=self.file.name, entry=entry.number, set_aside=aside.name)
        self.remove(entry)

    def remove(self, *entries: Entry) -> None:
        """Forget entries: Postgres has them. Should this be lost, the batches' fences drop them the next time."""
        numbers = ",".join(str(entry.number) for entry in entries)
        try:
            gone = self.connection.execute(f"DELETE FROM entries WHERE id IN ({numbers})").rowcount
        except SQLITE_ERRORS as error:
            if not is_damage(error):
                raise
            gone = 0
        if gone == len(entries):
            self.entries -= gone
            self.payload_bytes -= sum(len(entry.payload) for entry in entries)
        else:  # found by a scan and not by its number: in such a file it would be the oldest for ever
            self.start_over()

    def depth(self) -> Depth:
        """How much waits; quick, and from any thread."""
        age = time.time() - self.oldest_at if self.oldest_at and self.entries else 0.0
        return Depth(self.entries, self.payload_bytes, max(0.0, age), self.corrupt)

    def shrink(self) -> None:
        """Give the space of what was drained back to the disk."""
        with suppress(sqlite3.Error):
            self.connection.execute("PRAGMA incremental_vacuum").fetchall()
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def start_over(self) -> None:
        """Go on with a new file that holds every entry of a damaged one that can still be read; set that one aside.

        Raises OSError or sqlite3.Error, and nothing has changed then. Should the process die between, entries are in both
        files; their fences let them be stored once.
        """
        fresh = Spool.create(self.file.parent, self.quota_bytes)
        try:
            saved, lost = fresh.rescue(self.file)
        except BaseException:
            fresh.close()
            raise
        damaged = self.file.with_suffix(".corrupt")
        with suppress(AttributeError, *SQLITE_ERRORS):  # the first if it never was one
            self.connection.close()
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{self.file}{suffix}").replace(f"{damaged}{suffix}")
        log.error("spool_corrupt", spool=self.file.name, set_aside=damaged.name, saved=saved, lost=lost)
        lock_file(self.file).unlink(missing_ok=True)
        os.close(self.lock)
        self.file, self.lock, self.connection = fresh.file, fresh.lock, fresh.connection
        self.corrupt += max(lost, 1)
        self.count()

    def rescue(self, damaged: Path) -> tuple[int, int]:
        """Copy the entries of a damaged file, all or none; how many there were, and how many could not be read.

        Beyond the quota if need be: what was promised may take a page more in another file.
        """
        saved = lost = 0
        bound(self.connection, MOST_PAGES)
        with self.connection:  # commits, or rolls back
            self.connection.execute("BEGIN")
            for row in readable_rows(damaged):
                if row is None:
                    lost += 1
                else:
                    self.connection.execute(WRITE, row)
                    saved += 1
        bound(self.connection, self.quota_bytes // PAGE_BYTES)
        return saved, lost

    def close(self) -> None:
        """Let go of the file; delete it if nothing waits in it."""
        empty = False
        with suppress(sqlite3.Error):
            empty = self.connection.execute("SELECT count(*) FROM entries").fetchone()[0] == 0
        self.connection.close()
        if empty:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self.file}{suffix}").unlink(missing_ok=True)
            lock_file(self.file).unlink(missing_ok=True)
        os.close(self.lock)


def bound(connection: sqlite3.Connection, pages: int) -> None:
    """Let the file grow to so many pages, and to 64 in any case."""
    connection.execute(f"PRAGMA max_page_count = {max(64, pages)}")


def examine(connection: sqlite3.Connection, file: Path) -> None:
    """Make the table of a new file, or see whether an old one is whole: 0.05 s for 200 MB. Raises sqlite3.DatabaseError."""
    size = file.stat().st_size
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE name NOT GLOB 'sqlite_*'").fetchall()
    connection.executescript(SCHEMA)
    [(found,), *_] = connection.execute("PRAGMA quick_check(1)").fetchall()
    if tables not in ([], [("entries",)]) or found != "ok" or 0 < size < PAGE_BYTES:
        raise sqlite3.DatabaseError("damaged")


def is_damage(error: Exception) -> bool:
    """Whether an error says that the file is not what SQLite wrote; a full disk or a lock says nothing of that."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code in UNREADABLE or code & 0xFF not in PASSING


def lock_file(file: Path) -> Path:
    """The lock of a spool file."""
    return file.with_suffix(".lock")


def take_lock(file: Path) -> int | None:
    """The descriptor of the lock of a spool file, None while a living process holds it."""
    descriptor = os.open(lock_file(file), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def readable_rows(damaged: Path) -> Iterator[tuple[float, bytes, bytes] | None]:
    """Moment, checksum and payload of the entries of a damaged file, None for one that is known to be lost."""
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
