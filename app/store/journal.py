"""Tombstones outside the database: a file of the data directory, so that a
restored backup brings nobody back.

One line a tombstone: bucket, pseudonym, microseconds of the request, and when something under it was
last met (in microseconds; `-` if the sweeps found nothing, `?` while they have not looked). The first
line holds the HMAC that says under which hash key the pseudonyms are. Whoever reads the file learns
what a reader of the table learns.
"""

import datetime as dt
import fcntl
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.privacy.pseudonyms import Pseudonyms, from_text, to_key, to_text
from app.problems import TelemetryError

NAME: Final = "tombstones"
NOT_YET, NEVER = "?", "-"
HEAD: Final = re.compile("key ([0-9a-f]{32})")
LINE: Final = re.compile("([0-9]{1,5}) ([0-9a-f]{16}) ([0-9]{1,17}) ([?-]|[0-9]{1,17})")
EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND: Final = dt.timedelta(microseconds=1)
Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """A tombstone: when it was asked for, and when it was last met: a time, `-`
    for never, `?` for not known."""

    requested_at: dt.datetime
    met: dt.datetime | str = NOT_YET

    def write(self, key: Key) -> str:
        """Return the line."""
        met = self.met if isinstance(self.met, str) else str((self.met - EPOCH) // MICROSECOND)
        return f"{key[0]} {to_text(key[1])} {(self.requested_at - EPOCH) // MICROSECOND} {met}\n"


class Journal:
    """The file of one data directory; several processes may use it at once."""

    def __init__(self, data_dir: Path, pseudonyms: Pseudonyms) -> None:
        """Use the file of a data directory, which is made when it is first needed."""
        self.file = data_dir / NAME
        self.pseudonyms = pseudonyms

    def append(self, key: Key, requested_at: dt.datetime) -> None:
        """Add a tombstone, and return when it is on the disk. Raises OSError, or
        TelemetryError as `read` does."""
        with self.locked():
            if not self.is_current():  # one file, one key
                self.replace(self.read())
            with self.file.open("r+b") as stream:
                # After a crash the last line may be torn: what follows is not to be one with it.
                size = stream.seek(0, os.SEEK_END)
                stream.seek(max(size - 1, 0))
                torn = stream.read(1) not in (b"", b"\n")
                stream.write(b"\n" * torn + Entry(requested_at).write(key).encode())
                stream.flush()
                os.fsync(stream.fileno())

    def is_current(self) -> bool:
        """Return whether there is a file, under the newest key."""
        try:
            with self.file.open("rb") as stream:
                return stream.readline().strip() == f"key {self.pseudonyms.check().hex()}".encode()
        except FileNotFoundError:
            return False

    def read(self) -> dict[Key, Entry]:
        """Return the tombstones of the file, wrapped with the keys that rotations added
        since; none where there is no file.

        Lines that are none are left out. Raises OSError; TelemetryError where
        the file is of another hash key.
        """
        if not self.file.exists():
            return {}
        head, *lines = self.file.read_text("ascii", "replace").split("\n")
        found = HEAD.fullmatch(head)
        wrap = self.pseudonyms.find_wrapping(bytes.fromhex(found[1])) if found else None
        if wrap is None:
            raise TelemetryError(
                f"{self.file} was not written under this hash key: set the right one, or, if that is "
                f"lost for good, move the "
                "file away."
            )
        return {
            (bucket, to_key(wrap(unit.to_bytes(8, signed=True)))): entry
            for (bucket, unit), entry in parse(lines)
        }

    def replace(self, entries: Mapping[Key, Entry]) -> None:
        """Write the whole file anew, durably; whoever reads meanwhile sees the old one. Raises OSError."""
        text = f"key {self.pseudonyms.check().hex()}\n" + "".join(
            entries[key].write(key) for key in sorted(entries)
        )
        temporary = self.file.with_name(f".{NAME}-new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, 0o600)
            stream.write(text.encode())
            stream.flush()
            os.fsync(descriptor)
        temporary.replace(self.file)
        folder = os.open(self.file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def holds(self, milliseconds: int) -> bool:
        """Return whether a tombstone was asked for in that millisecond since 1970."""
        return any(
            (entry.requested_at - EPOCH) // MICROSECOND // 1000 == milliseconds
            for entry in self.read().values()
        )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing for the length of the block."""
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.file.with_name(f".{NAME}-lock"), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def parse(lines: Iterable[str]) -> Iterator[tuple[Key, Entry]]:
    """Yield the tombstones of lines; a later one of the same id counts."""
    for line in lines:
        if found := LINE.fullmatch(line):
            bucket, unit, requested, met = found.groups()
            last = met if met in (NOT_YET, NEVER) else EPOCH + int(met) * MICROSECOND
            yield (int(bucket), from_text(unit)), Entry(EPOCH + int(requested) * MICROSECOND, last)
