"""Expiry of the rollups: contributions go with their events, daily sums after 400 days; busy connectors' days stay.

Days whose events were dropped are frozen: nothing recomputes them, so what each session contributed is of no use any more.
"""

import datetime as dt
import threading
from importlib.resources import files
from typing import Final

from sqlalchemy import text
from sqlalchemy.engine import Connection

from app.store.tables import NOBODY

UNIT_DAYS: Final = dt.timedelta(days=400)
ROWS: Final = 5_000  # a transaction
# By BRIN to what is older than the newest dropped range; history that was imported later is not in one.
FROZEN: Final = """
    DELETE FROM attempts WHERE ctid = ANY(ARRAY(
        SELECT a.ctid FROM attempts AS a
        WHERE a.day < (SELECT CAST(max(upper) AS date) FROM dropped_ranges)
          AND a.settles_at < :quiet
          AND EXISTS (SELECT FROM dropped_ranges AS d WHERE a.day >= CAST(d.lower AS date) AND a.day < CAST(d.upper AS date))
        LIMIT :rows
    ))
"""
# A day of which events are still kept may change.
OLD_DAYS: Final = """
    SELECT DISTINCT day FROM unit_days AS u
    WHERE day < :before AND NOT EXISTS (SELECT FROM attempts AS a WHERE a.day = u.day)
    ORDER BY day
"""
ARCHIVE_DAY: Final = files("app.upkeep").joinpath("sql", "archive_day.sql").read_text("utf-8")


def expire(connection: Connection, stop: threading.Event, now: dt.datetime | None = None) -> int:
    """Delete contributions of frozen days, and daily sums older than 400 days once archived; how many days went."""
    now = now or dt.datetime.now(dt.UTC)
    quiet = now - dt.timedelta(days=8)  # longer than any session spans
    while connection.execute(text(FROZEN), {"rows": ROWS, "quiet": quiet}).rowcount and not stop.is_set():
        connection.commit()
    connection.commit()
    days = list(connection.execute(text(OLD_DAYS), {"before": now.date() - UNIT_DAYS}).scalars())
    connection.commit()
    for number, day in enumerate(days):
        if stop.is_set():
            return number
        archive(connection, day)
    return len(days)


def archive(connection: Connection, day: dt.date) -> None:
    """Keep the day of busy connectors, delete the users' sums, and commit."""
    connection.execute(text(ARCHIVE_DAY), {"day": day, "nobody": NOBODY})
    connection.execute(text("DELETE FROM unit_days WHERE day = :day"), {"day": day})
    connection.commit()
