"""The spool: batches that Postgres could not take in time, fsynced in an SQLite file, until it can.

One file a process, under a lock file of its own (SQLite uses locks on its file itself, so that one is never flocked). The
lock dies with its process: whoever gets the lock of somebody else's file adopts what is in it.
"""

import fcntl
import hashlib
import os
import sqlite3
import time
from collections.abc import Collection
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
COUNT: Final = "SELECT count(*), coalesce(sum(length(payload)), 0), min(queued_at) FROM entries"
PAGE_BYTES: Final = 4096
DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR_SHORT_READ)
WAL_PAGES: Final = (
    512  # the log is folded into the file every 2 MiB, so that the two stay near the quota together
)


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
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            self.connection = self.start_over()

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
        connection.executescript(SCHEMA)
        connection.execute(f"PRAGMA max_page_count = {max(64, self.quota_bytes // PAGE_BYTES)}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        return connection

    def count(self) -> None:
        """Count what waits: once, for each change is counted from then on."""
        self.entries, self.payload_bytes, self.oldest_at = self.connection.execute(COUNT).fetchone()

    def append(self, payload: bytes) -> None:
        """Keep a payload; it is on disk when this returns. Raises SpoolFullError, and nothing is written then."""
        now = time.time()
        try:
            self.connection.execute(
                "INSERT INTO entries (queued_at, checksum, payload) VALUES (?, ?, ?)",
                (now, checksum(payload), payload),
            )
        except sqlite3.Error as error:
            raise SpoolFullError(error.sqlite_errorname) from None
        self.entries += 1
        self.payload_bytes += len(payload)
        self.oldest_at = self.oldest_at or now

    def oldest(self) -> Entry | None:
        """The entry that waits longest. Entries that cannot be read are dropped on the way and counted."""
        while True:
            try:
                row = self.connection.execute(
                    "SELECT id, checksum, payload, queued_at FROM entries ORDER BY id LIMIT 1"
                ).fetchone()
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                self.connection = self.start_over()
                continue
            if row is None:
                self.oldest_at = None
                return None
            number, expected, payload, self.oldest_at = row
            entry = Entry(number, payload)
            if isinstance(payload, bytes) and checksum(payload) == expected:
                return entry
            self.drop_corrupt(entry)

    def drop_corrupt(self, entry: Entry) -> None:
        """Drop an entry that is not what was written, and say so."""
        self.corrupt += 1
        log.error("spool_entry_corrupt", spool=self.file.name, entry=entry.number)
        self.remove(entry)

    def remove(self, entry: Entry) -> None:
        """Forget an entry: Postgres has it. Should this be lost, the batch's fence drops it the next time."""
        self.connection.execute("DELETE FROM entries WHERE id = ?", (entry.number,))
        self.entries -= 1
        self.payload_bytes -= len(entry.payload)

    def depth(self) -> Depth:
        """How much waits; quick, and from any thread."""
        age = time.time() - self.oldest_at if self.oldest_at and self.entries else 0.0
        return Depth(self.entries, self.payload_bytes, max(0.0, age), self.corrupt)

    def shrink(self) -> None:
        """Give the space of what was drained back to the disk."""
        with suppress(sqlite3.Error):
            self.connection.execute("PRAGMA incremental_vacuum").fetchall()
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def start_over(self) -> sqlite3.Connection:
        """Set a damaged file aside, and go on with a new one that holds every entry that can still be read."""
        with suppress(AttributeError, sqlite3.Error):
            self.connection.close()
        damaged = self.file.with_suffix(".corrupt")
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{self.file}{suffix}").replace(f"{damaged}{suffix}")
        self.connection = self.connect()
        saved, lost = salvage(damaged, self.connection)
        self.count()
        self.corrupt += max(lost, 1)
        log.error("spool_corrupt", spool=self.file.name, set_aside=damaged.name, saved=saved, lost=lost)
        return self.connection

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


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that the file is not what SQLite wrote; a full disk or a lock says nothing of that."""
    return getattr(error, "sqlite_errorcode", None) in DAMAGE


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


def salvage(damaged: Path, target: sqlite3.Connection) -> tuple[int, int]:
    """Copy what can be read of a damaged file, entry by entry; how many were saved and how many are known to be lost."""
    saved = lost = 0
    with suppress(sqlite3.DatabaseError):
        source = sqlite3.connect(f"file:{damaged}?mode=ro", uri=True)
        (last,) = source.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()
        first = (source.execute("SELECT min(id) FROM entries").fetchone() or (last,))[0] or last + 1
        for number in range(first, last + 1):
            try:
                row = source.execute(
                    "SELECT queued_at, checksum, payload FROM entries WHERE id = ?", (number,)
                ).fetchone()
            except sqlite3.DatabaseError:
                lost += 1
                continue
            if row is not None:
                target.execute("INSERT INTO entries (queued_at, checksum, payload) VALUES (?, ?, ?)", row)
                saved += 1
        source.close()
    return saved, lost
