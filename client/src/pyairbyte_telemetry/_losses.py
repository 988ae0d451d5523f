"""How many events a process could not deliver, for the next one to report: a number in a file, nothing else.

Each process adds a line as it exits; the next that sends takes the file away and reports the sum. A lock
keeps a line from being added to a file that was just read. On Windows, which has no such locks, a file
that is open is not taken away.
"""

import contextlib
import os
import time
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_MAX_BYTES = 4096
"""Beyond it nothing is added: a machine that never reaches its service must not fill a disk."""

_LOCK_SECONDS = 1.0


def get_file(analytics_file: Path) -> Path:
    """Return the file's path, beside the id's."""
    return analytics_file.parent / "telemetry-losses"


def add(analytics_file: Path, events: int) -> None:
    """Remember losses. Does nothing where no file can be written."""
    path = get_file(analytics_file)
    with contextlib.suppress(OSError):
        path.parent.mkdir(exist_ok=True, parents=True)
        while True:
            with path.open("ab") as file:
                _lock(file)
                if not _is_at(file, path):
                    continue
                if file.tell() < _MAX_BYTES:
                    file.write(b"%d\n" % events)
                return


def _lock(file: BinaryIO) -> None:
    """Keep others from the file until it is closed; go on without after a second, for
    whoever has it may be stopped."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while not _try_lock(file) and time.monotonic() < deadline:
        time.sleep(0.001)


def _try_lock(file: BinaryIO) -> bool:
    """Return False while somebody else has the lock."""
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            return True
    return True


def _is_at(file: BinaryIO, path: Path) -> bool:
    """Return whether an open file is the one at the path still."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def take(analytics_file: Path) -> int:
    """Return the losses that earlier processes remembered, and forget them. 0 if there are
    none, or they cannot be read."""
    path = get_file(analytics_file)
    taken = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.rename(taken)
    except OSError:
        return 0
    try:
        with taken.open("rb") as file:
            _lock(file)
            lines = file.read(2 * _MAX_BYTES).split()
        return sum(int(line) for line in lines if line.isdigit() and len(line) <= 9)
    except OSError:
        return 0
    finally:
        with contextlib.suppress(OSError):
            taken.unlink()
