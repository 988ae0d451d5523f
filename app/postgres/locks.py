"""The two flocks on a data directory. The kernel releases them however their holders die.

`hold.lock`, shared: every process that uses the server. The server's keeper waits for it
exclusively, so it learns at once that the last user is gone; it then keeps it until the server has
stopped, so newcomers wait for that.

`server.lock`, exclusive: taken by whoever starts the server, inherited by the keeper and by every process of
Postgres. Whoever gets it knows that no such process is left, in whichever container it ran.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.postgres.errors import UnsuitableLayoutError

NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


def open_lock(path: Path) -> int:
    """Return a new open file description of the lock file; a flock belongs to
    it and to all who inherit it."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def try_exclusive(descriptor: int) -> bool:
    """Take the lock for ourselves alone; return False if anyone else has it."""
    return _try(descriptor, fcntl.LOCK_EX)


def try_shared(descriptor: int) -> bool:
    """Take the lock together with others; return False if someone has it alone."""
    return _try(descriptor, fcntl.LOCK_SH)


def others_hold(path: Path) -> bool:
    """Return whether some process has the lock shared. An exclusive holder (a keeper
    that is stopping) does not count.

    Each process that asks holds the lock for a moment, so two that ask at once may both hear yes.
    """
    with opened(path) as descriptor:
        if not try_shared(descriptor) or try_exclusive(descriptor):
            return False
        # The failed upgrade gave up our share. A keeper never lets go again, so if a share is still to be
        # had, it was not the keeper that stood in the way.
        return try_shared(descriptor)


def is_free(path: Path) -> bool:
    """Return whether nobody at all has the lock."""
    with opened(path) as descriptor:
        return try_exclusive(descriptor)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Yield the lock file for the length of the block; its flock ends with it,
    unless someone inherited it."""
    descriptor = open_lock(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _try(descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in NO_LOCKS:
            raise UnsuitableLayoutError(
                "The file system of the data directory has no file locks, without which two servers "
                "could start on "
                "one cluster. Set TELEMETRY_DATA_DIR to a folder on a local disk."
            ) from error
        raise
    return True
