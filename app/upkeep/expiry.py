"""Expiry of the rollups: contributions go with their events, daily sums after 400
days; busy connectors' days stay.

Days whose events were dropped are frozen: nothing recomputes them, so what each session
contributed is of no use any more.
"""

import datetime as dt
import threading
from typing import Final

from sqlalchemy import text
from sqlalchemy.engine import Connection

from app.store.statements import read_sql
from app.store.tables.events import SWEEPS
from app.upkeep.clock import Guard

UNIT_DAYS: Final = dt.timedelta(days=400)
ROWS: Final = 5_000  # a transaction
# By BRIN to what is older than the newest dropped range; history that was imported later is not in one.
FROZEN: Final = """
    WITH frozen AS MATERIALIZED (
        SELECT a.bucket, a.session_key, a.day FROM attempts AS a
        WHERE a.day < (SELECT CAST(max(upper) AS date) FROM dropped_ranges)
          AND a.settles_at < :quiet
          AND EXISTS (SELECT 1 FROM dropped_ranges AS d WHERE a.day >= CAST(d.lower AS date)
              AND a.day < CAST(d.upper AS date))
        LIMIT :rows
    )
    DELETE FROM attempts AS a
    USING frozen AS f
    WHERE a.bucket = f.bucket AND a.session_key = f.session_key AND a.day = f.day AND a.settles_at < :quiet
"""
# No event of such a day is rolled up any more (`app/store/sql/insert_batch.sql`), whether
# or not its week was dropped.
OLD_ATTEMPTS: Final = """
    WITH old AS MATERIALIZED (SELECT bucket, session_key FROM attempts WHERE day < :before LIMIT :rows)
    DELETE FROM attempts AS a
    USING old
    WHERE a.bucket = old.bucket AND a.session_key = old.session_key AND a.day < :before
"""
OLD_DAYS: Final = "SELECT DISTINCT day FROM unit_days WHERE day < :before ORDER BY day"
# An id that was never met needs no tombstone for long; one that was keeps it as long as it may come back.
OLD_TOMBSTONES: Final = """
    DELETE FROM tombstones
    WHERE sweeps >= :sweeps AND requested_at < :now - interval '30 days'
      AND (met_at IS NULL OR greatest(met_at, requested_at) < :now - interval '400 days')
"""
# As long as a day by user: until the last of them is archived, it is known which of its users were settled.
OLD_UNITS: Final = "DELETE FROM units WHERE last_day < :before"
OLD_QUARANTINE: Final = "DELETE FROM quarantined_sessions WHERE met_at < :now - interval '400 days'"
ARCHIVE_DAY: Final = read_sql("app.upkeep", "archive_day")


def keep(connection: Connection, stop: threading.Event, guard: Guard) -> int:
    """Do what `expire` does and return how many rows went, unless the time is not to be trusted."""
    now = guard.read(connection)
    return 0 if now is None else expire(connection, stop, now)


def expire(connection: Connection, stop: threading.Event, now: dt.datetime) -> int:
    """Delete contributions of frozen days, and daily sums older than 400 days once
    archived; return how many days went.

    Users go 400 days after they were last heard of, tombstones and quarantined sessions go 400
    days after they last met anything.
    """
    quiet = now - dt.timedelta(days=8)  # longer than any session spans
    while connection.execute(text(FROZEN), {"rows": ROWS, "quiet": quiet}).rowcount and not stop.is_set():
        connection.commit()
    connection.commit()
    before = now.date() - UNIT_DAYS
    while (
        connection.execute(text(OLD_ATTEMPTS), {"before": before, "rows": ROWS}).rowcount
        and not stop.is_set()
    ):
        connection.commit()
    connection.execute(text(OLD_TOMBSTONES), {"now": now, "sweeps": SWEEPS})
    connection.execute(text(OLD_QUARANTINE), {"now": now})
    connection.commit()
    days = list(connection.execute(text(OLD_DAYS), {"before": before}).scalars())
    connection.commit()
    for number, day in enumerate(days):
        if stop.is_set():
            return number
        archive(connection, day)
    connection.execute(text(OLD_UNITS), {"before": before})
    connection.commit()
    return len(days)


def archive(connection: Connection, day: dt.date) -> None:
    """Keep the day of busy connectors, delete the users' sums, and commit."""
    connection.execute(text(ARCHIVE_DAY), {"day": day})
    connection.execute(text("DELETE FROM unit_days WHERE day = :day"), {"day": day})
    connection.commit()
