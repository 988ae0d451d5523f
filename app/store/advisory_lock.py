"""The advisory lock that lets one process at a time maintain a database."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import text
from sqlalchemy.engine import Connection

MAINTENANCE_LOCK: Final = 0x7E1E_0002
LOOK_SECONDS: Final = 0.1


@contextmanager
def only_one(connection: Connection, *, wait: bool) -> Iterator[bool]:
    """Hold the lock of all upkeep for the block; yield whether it was free. `wait` waits for it."""
    held = take_lock(connection)
    while wait and not held:
        time.sleep(LOOK_SECONDS)
        held = take_lock(connection)
    try:
        yield held
    finally:
        if not connection.invalidated:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock_all()"))
            connection.commit()


def take_lock(connection: Connection) -> bool:
    """Take the lock if it is free; return whether it was. Never waits inside a transaction: `REINDEX
    CONCURRENTLY` waits for transactions."""
    held = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": MAINTENANCE_LOCK}).scalar()
    connection.commit()
    return bool(held)
