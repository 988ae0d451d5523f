"""Retention: weeks whose events all arrived long ago are dropped, and counts of yesterday are added up.

By the time of arrival, not by the client's clock: a range that is dropped is closed, and what was imported
yesterday about last year is kept as long as everything else.
"""

import datetime as dt
import threading
from functools import partial
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.engine import Connection

from app.store import partitions
from app.store.partitions import WEEK
from app.store.tables.events import PARTITIONED
from app.store.tables.rollups import dirty_sessions
from app.upkeep import clock

# The 7 days around a dropped range are closed, too; and events come in late. So no week
# ends that is younger than this.
YOUNGEST: Final = dt.timedelta(days=14)
SESSION_SPAN: Final = dt.timedelta(days=7)  # no session key spans more
FENCED: Final = dt.timedelta(hours=24)  # for so long a batch that is sent again is recognised
COUNTED: Final = {"outcomes": "outcome", "tallies": "kind"}
NO_BATCH: Final = "00000000-0000-0000-0000-000000000000"


def keep(connection: Connection, stop: threading.Event, days: int, guard: clock.Guard) -> int:
    """Drop what arrived more than `days` ago, unless the time is not to be trusted; return
    how many weeks were dropped."""
    now = guard.read(connection)
    return 0 if now is None else apply(connection, stop, days, now)


def apply(connection: Connection, stop: threading.Event, days: int, now: dt.datetime) -> int:
    """Drop what arrived more than `days` before `now`; return how many weeks were dropped.

    A week that cannot be dropped whole loses its rows one by one: one sender's event a
    week must not keep everybody's.
    """
    since = now - dt.timedelta(days=days)
    dropped = 0
    finish(connection, since)
    for week in partitions.weeks(connection):
        if stop.is_set() or partitions.start(week) + WEEK + YOUNGEST > now:
            break
        dropped += drop_week(connection, week, since, now)
    for parent in PARTITIONED:
        for name in partitions.leaves(connection, parent):
            if stop.is_set():
                return dropped
            if name.endswith("_default") or is_held_open(connection, name, since, now):
                partitions.delete(connection, name, "received_at < :since", {"since": since})
    connection.commit()
    return dropped


def drop_week(connection: Connection, week: dt.date, since: dt.datetime, now: dt.datetime) -> bool:
    """Drop a week if nothing in it was received since, and all of it is rolled up; return whether it was
    dropped.

    An empty one leaves no closed range behind, as it has no originals; it goes once it is no longer
    among those that are made ahead.
    """
    names = [f"{parent}_p{week:%Y%m%d}" for parent in PARTITIONED]
    if any(holds(connection, name, "received_at >= :since", since) for name in names):
        return False
    if is_waiting(connection, week):
        return False
    is_empty = not any(holds(connection, name, "received_at < :since", since) for name in names)
    if is_empty and week >= partitions.due(now)[0]:
        return False
    if not is_empty and not clock.take_week(connection, now):
        connection.rollback()
        return False
    connection.commit()
    partitions.patiently(connection, partial(partitions.detach, connection, week, record=not is_empty))
    finish(connection, since)
    return True


def is_held_open(connection: Connection, name: str, since: dt.datetime, now: dt.datetime) -> bool:
    """Return whether a week's partition loses its rows one by one: it ended 14 days ago, all of it is
    rolled up, and something in it arrived after `since`. A week without such a row is dropped whole,
    today or on one of the next days.
    """
    week = dt.datetime.strptime(name.rpartition("_p")[2], "%Y%m%d").replace(tzinfo=dt.UTC)
    if week + WEEK + YOUNGEST > now or is_waiting(connection, week.date()):
        return False
    return holds(connection, name, "received_at >= :since", since)


def is_waiting(connection: Connection, week: dt.date) -> bool:
    """Return whether sessions that may have events in a week are still to be rolled up: the
    range that is dropped is frozen."""
    lower = partitions.start(week) - SESSION_SPAN
    upper = partitions.start(week) + WEEK + SESSION_SPAN
    marked = select(dirty_sessions.c.bucket).where(
        dirty_sessions.c.occurred_at >= lower, dirty_sessions.c.occurred_at < upper
    )
    waiting = connection.execute(marked.limit(1)).first() is not None
    connection.commit()
    return waiting


def holds(connection: Connection, table: str, condition: str, since: dt.datetime) -> bool:
    """Return whether a table has a row of that condition."""
    query = text(f"SELECT 1 FROM {table} WHERE {condition} LIMIT 1")
    found = connection.execute(query, {"since": since}).first() is not None
    connection.commit()
    return found


def finish(connection: Connection, since: dt.datetime) -> None:
    """Drop the tables that were detached, by an earlier run too that was interrupted."""
    names = partitions.detached(connection)
    for name in names:
        partitions.patiently(connection, partial(partitions.drop, connection, name, since))
    connection.commit()


def compact(connection: Connection, stop: threading.Event, now: dt.datetime | None = None) -> int:
    """Add up the counts that were written over a day ago, one transaction an hour and table; return how many
    rows went.

    The sums stand under the nil batch id in bucket 0. The sum of every outcome stays the same.
    """
    before = (now or dt.datetime.now(dt.UTC)) - FENCED
    gone = 0
    for table, kind in COUNTED.items():
        rows = connection.execute(
            text(
                f"SELECT DISTINCT hour FROM {table} WHERE written_at < :before AND batch_id <> '{NO_BATCH}'"
            ),
            {"before": before},
        )
        hours = list(rows.scalars())
        connection.commit()
        for hour in hours:
            if stop.is_set():
                return gone
            result = connection.execute(
                text(compaction(table, kind)), {"before": before, "hour": hour, "none": NO_BATCH}
            )
            gone += int(result.scalar_one())
            connection.commit()
    return gone


def compaction(table: str, kind: str) -> str:
    """Return the statement that adds up one hour of a table of counts."""
    return f"""
        WITH old AS (
            DELETE FROM {table}
            WHERE hour = :hour AND written_at < :before AND batch_id <> CAST(:none AS uuid)
            RETURNING write_key, {kind}, reason, count
        ),
        added AS (
            INSERT INTO {table} (hour, batch_id, count, bucket, write_key, {kind}, reason)
            SELECT :hour, CAST(:none AS uuid), sum(count), 0, write_key, {kind}, reason
            FROM old GROUP BY write_key, {kind}, reason
            ON CONFLICT (bucket, batch_id, hour, write_key, {kind}, reason)
            DO UPDATE SET count = {table}.count + excluded.count
        )
        SELECT count(*) FROM old
    """
