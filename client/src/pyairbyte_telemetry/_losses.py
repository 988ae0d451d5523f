"""How many events a process could not deliver, for the next one to report: a number in a file, nothing else.

Each process adds a line as it exits; the next that sends takes the file away and reports the sum. Two that exit at once
both count, since a line this short is appended in one piece.
"""

import contextlib
import os
from pathlib import Path

_MAX_BYTES = 4096
"""Beyond it nothing is added: a machine that never reaches its service must not fill a disk."""


def get_file(analytics_file: Path) -> Path:
    """Return the file's path, beside the id's."""
    return analytics_file.parent / "telemetry-losses"


def add(analytics_file: Path, events: int) -> None:
    """Remember losses. Does nothing where no file can be written."""
    path = get_file(analytics_file)
    with contextlib.suppress(OSError):
        path.parent.mkdir(exist_ok=True, parents=True)
        with path.open("ab") as file:
            if file.tell() < _MAX_BYTES:
                file.write(b"%d\n" % events)


def take(analytics_file: Path) -> int:
    """Return the losses that earlier processes remembered, and forget them. 0 if there are none, or they cannot be read."""
    path = get_file(analytics_file)
    taken = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.rename(taken)
    except OSError:
        return 0
    try:
        lines = taken.read_bytes()[: 2 * _MAX_BYTES].split()
        return sum(int(line) for line in lines if line.isdigit() and len(line) <= 9)
    except OSError:
        return 0
    finally:
        with contextlib.suppress(OSError):
            taken.unlink()
