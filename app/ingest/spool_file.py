"""One file of the spool: batches that Postgres could not take in time, fsynced in SQLite until it can.

One a process, under a lock file of its own (SQLite uses locks on its file itself, so that one is never
flocked). The lock dies with its process: whoever gets the lock of somebody else's file adopts what is in it.
"""

import fcntl
import hashlib
import os
import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import structlog
from ulid import ULID

from app.ingest.durable import NotKeptError
from app.ingest.spool_damage import PAGE_BYTES, READ, SQLITE_ERRORS, examine, is_damage, readable_rows
from app.ingest.spool_depth import COUNT, Depth

log = structlog.get_logger()

WRITE: Final = "INSERT INTO entries (queued_at, checksum, payload) VALUES (?, ?, ?)"
MOST_PAGES: Final = 2**32 - 2  # of SQLite
WAL_PAGES: Final = 512  # then the log is folded into the file, so that both stay near the quota together


class SpoolFullError(NotKeptError):
    """The quota or the disk has no room; nothing was written."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A batch in the spool."""

    number: int
    payload: bytes


def checksum(payload: bytes) -> bytes:
    """Return what tells a whole payload from a damaged one."""
    return hashlib.blake2b(payload, digest_size=16).digest()


class SpoolFile:
    """One spool file, held by this process. Blocking: use it from one thread."""

    def __init__(self, file: Path, lock: int, quota_bytes: int) -> None:
        """Open the file under a lock that is held already; quarantine what cannot be read."""
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
        """Return a new spool in a folder. Raises OSError or sqlite3.Error when it cannot be written."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = folder / f"{ULID()}.sqlite"
        lock = take_lock(file)
        if lock is None:
            raise OSError("a new spool is locked already")
        return cls(file, lock, quota_bytes)

    def connect(self) -> sqlite3.Connection:
        """Return a connection to the file, fsyncing every commit."""
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
        """Keep a payload: it is on disk when this returns. Raises SpoolFullError and writes nothing."""
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
        """Return the longest waiting entry of a higher number than `after`, or None.

        Entries that cannot be read are dropped on the way and counted. If the file was damaged, `file` is
        another one afterwards, with numbers of its own, and the entry is its first.
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
        """Quarantine an entry that is not what was written, and say so."""
        self.corrupt += 1
        kept = self.file.with_suffix(f".{entry.number}.corrupt")
        with suppress(OSError):  # on a full disk the log names it all the same
            kept.touch(mode=0o600)
            kept.write_bytes(entry.payload)
        log.error("spool_entry_corrupt", spool=self.file.name, entry=entry.number, quarantined=kept.name)
        self.remove(entry)

    def remove(self, *entries: Entry) -> None:
        """Forget entries that Postgres has. Should this be lost, their fences drop them the next time."""
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
        """Return how much waits; quick, and from any thread."""
        age = time.time() - self.oldest_at if self.oldest_at and self.entries else 0.0
        return Depth(self.entries, self.payload_bytes, max(0.0, age), self.corrupt)

    def shrink(self) -> None:
        """Give the space of what was drained back to the disk."""
        with suppress(sqlite3.Error):
            self.connection.execute("PRAGMA incremental_vacuum").fetchall()
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def start_over(self) -> None:
        """Go on with a new file of all entries of a damaged one that can be read; keep that one beside.

        Raises OSError or sqlite3.Error, and nothing has changed then. Should the process die between, entries
        are in both files; their fences let them be stored once.
        """
        fresh = SpoolFile.create(self.file.parent, self.quota_bytes)
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
        log.error("spool_corrupt", spool=self.file.name, quarantined=damaged.name, saved=saved, lost=lost)
        lock_file(self.file).unlink(missing_ok=True)
        os.close(self.lock)
        self.file, self.lock, self.connection = fresh.file, fresh.lock, fresh.connection
        self.corrupt += max(lost, 1)
        self.count()

    def rescue(self, damaged: Path) -> tuple[int, int]:
        """Copy a damaged file's entries, all or none. Return how many there were and how many were lost.

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


def lock_file(file: Path) -> Path:
    """Return the lock of a spool file."""
    return file.with_suffix(".lock")


def take_lock(file: Path) -> int | None:
    """Return the descriptor of the lock of a spool file, None while a living process holds it."""
    descriptor = os.open(lock_file(file), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
