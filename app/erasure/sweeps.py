"""When what was asked for is deleted: many requests share a sweep, and no sweep
reads what it knows to be clean."""

import datetime as dt
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Row, and_, case, or_, select, text, tuple_, update
from sqlalchemy.engine import Connection

from app.erasure.forget import DELETED, FORGETTABLE, delete_derived
from app.store import partitions
from app.store.tables.events import SWEEPS, tombstones

SWEEP_AGAIN: Final = (dt.timedelta(0), dt.timedelta(minutes=1), dt.timedelta(hours=1))
IDS_A_SWEEP: Final = 1_000
KEPT: Final = dt.timedelta(hours=2)  # longer than the last sweep takes to come
# After a sweep of t seconds none for 20 t: however many ask, 5 % of a core at most are spent on it.
COOLDOWN: Final = 20
COLUMNS: Final = (
    tombstones.c.bucket,
    tombstones.c.anonymous_id,
    tombstones.c.requested_at,
    tombstones.c.sweeps,
)
WORTH_A_COOLDOWN: Final = 0.05  # seconds
# Rows that were ever inserted into a partition, as its statistics say within a minute; 0 where they are kept
# elsewhere, as by a distributed Postgres.
INSERTED: Final = """
    SELECT relname, n_tup_ins FROM pg_stat_user_tables WHERE relid IN (
        SELECT inhrelid FROM pg_inherits WHERE inhparent IN ('events'::regclass, 'rejections'::regclass)
    )
"""
Due = Row[Any, Any, Any, Any]


class Sweeps:
    """The sweeps of one process, and what they left clean: ids by partition, as long
    as nothing is inserted there."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` tells seconds."""
        self.clock = clock
        self.cooldown_until = 0.0
        self.clean: dict[
            tuple[Any, ...], dict[str, int]
        ] = {}  # inserted rows by partition, by row of `tombstones`

    def sweep(self, connection: Connection, stop: threading.Event, now: dt.datetime | None = None) -> int:
        """Delete what is stored under ids whose sweep is due, all of them at once, in
        small transactions, and commit.

        Return how many rows that were. After a sweep nothing is done for a while, so that what is asked for
        meanwhile is swept together. A sweep reads a partition only if one of its ids was never looked for
        there, or if something was inserted since.
        """
        began = self.clock()
        now = now or dt.datetime.now(dt.UTC)
        due = [] if began < self.cooldown_until else find_due(connection, now)
        if not due:
            return 0
        inserted = {str(name): int(rows) for name, rows in connection.execute(text(INSERTED))}
        connection.commit()
        deleted, found = 0, set[int]()
        for table in FORGETTABLE:
            for partition in partitions.leaves(connection, table):
                wanted = [each for each in due if not self.is_clean(each, partition, inserted)]
                if wanted:
                    gone = partitions.delete(connection, partition, DELETED, asked(wanted), "anonymous_id")
                    deleted += len(gone)
                    found.update(gone)
                if stop.is_set():
                    return deleted
        derived, counted = delete_derived(connection, asked(due))
        deleted, found = deleted + derived, found | counted
        self.remember(due, inserted, now)
        count_sweep(connection, due, found, now)
        ended = self.clock()
        if ended - began >= WORTH_A_COOLDOWN:
            self.cooldown_until = ended + COOLDOWN * (ended - began)
        return deleted

    def rest_left(self) -> float:
        """Return the seconds until the next sweep may begin."""
        return max(0.0, self.cooldown_until - self.clock())

    def is_clean(self, each: Due, partition: str, inserted: dict[str, int]) -> bool:
        """Return whether an earlier sweep for the same request left nothing in a
        partition, and nothing came in since."""
        rows = inserted.get(partition, 0)
        return rows > 0 and self.clean.get(tuple(each)[:3], {}).get(partition) == rows

    def remember(self, due: list[Due], inserted: dict[str, int], now: dt.datetime) -> None:
        """Keep what was there before the sweep began, for the ids that are swept again."""
        self.clean.update({tuple(each)[:3]: inserted for each in due if each.sweeps + 1 < SWEEPS})
        # Another process may have done the last sweep of an id.
        self.clean = {key: rows for key, rows in self.clean.items() if key[2] > now - KEPT}


def find_due(connection: Connection, now: dt.datetime) -> list[Due]:
    """Return the rows of `tombstones` whose next sweep is due, and end the transaction."""
    ages = [
        and_(tombstones.c.sweeps == number, tombstones.c.requested_at <= now - age)
        for number, age in enumerate(SWEEP_AGAIN[:SWEEPS])
    ]
    due = list(connection.execute(select(*COLUMNS).where(or_(*ages)).limit(IDS_A_SWEEP)))
    connection.commit()
    return due


def asked(due: list[Due]) -> dict[str, list[int]]:
    """Return the ids and their buckets as the statements take them."""
    return {"buckets": [each.bucket for each in due], "ids": [each.anonymous_id for each in due]}


def count_sweep(connection: Connection, due: list[Due], found: set[int], now: dt.datetime) -> None:
    """Count a sweep, and commit. An id that was asked for again meanwhile is left as
    it is: its sweeps start anew."""
    connection.execute(
        update(tombstones)
        .where(tuple_(*COLUMNS).in_([tuple(row) for row in due]))
        .values(
            sweeps=tombstones.c.sweeps + 1,
            met_at=case((tombstones.c.anonymous_id.in_(found), now), else_=tombstones.c.met_at),
        )
    )
    connection.commit()
