"""Whether the time may be acted upon: nothing that cannot be undone trusts one reading of one clock.

One start with a wrong clock dropped every event. So the lesser of our clock and the database's counts; a
high-water mark of the newest arrival and of the last trusted reading is kept, and a clock more than two days
ahead of it is not trusted; at most two weeks are dropped a day; and nothing within the first hour of a
process, in which somebody may notice.
"""

import datetime as dt
import time
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.engine import Connection

log = structlog.get_logger()

AHEAD: Final = dt.timedelta(days=2)
WEEKS_A_DAY: Final = 2
STARTED: Final = time.monotonic()
READ: Final = """
    SELECT
        clock_timestamp() AS there,
        (SELECT max(hour) FROM outcomes WHERE outcome = 'received' AND hour <= :own) AS newest,
        (SELECT marked_at FROM upkeep_clock) AS marked_at
"""
# A mark that lags behind moves on an hour at a time: a quiet installation that was
# switched off comes back by itself.
KEEP: Final = """
    INSERT INTO upkeep_clock (single, marked_at, distrusted) VALUES (true, :mark, :distrusted)
    ON CONFLICT (single) DO UPDATE SET
        marked_at = greatest(upkeep_clock.marked_at, excluded.marked_at),
            distrusted = excluded.distrusted
"""
TAKE_WEEK: Final = """
    INSERT INTO upkeep_clock (single, marked_at, distrusted, dropped_on, dropped_weeks)
    VALUES (true, :now, false, CAST(:now AS date), 1)
    ON CONFLICT (single) DO UPDATE SET
        dropped_weeks = CASE
            WHEN upkeep_clock.dropped_on = excluded.dropped_on THEN upkeep_clock.dropped_weeks + 1
                ELSE 1
        END,
        dropped_on = excluded.dropped_on
    WHERE upkeep_clock.dropped_on IS DISTINCT FROM excluded.dropped_on
        OR upkeep_clock.dropped_weeks < :most
    RETURNING 1
"""


@dataclass(frozen=True, slots=True)
class Guard:
    """Reads the time for jobs that delete; `grace` is how many seconds of a process pass before the first."""

    grace: float

    def read(self, connection: Connection, own: dt.datetime | None = None) -> dt.datetime | None:
        """Return the time to act upon, and commit; None while it is not to be trusted."""
        if time.monotonic() - STARTED < self.grace:
            return None
        return trusted_now(connection, own or dt.datetime.now(dt.UTC))


def trusted_now(connection: Connection, own: dt.datetime) -> dt.datetime | None:
    """Return the lesser of `own` and the database's clock, None if it is over two days
    ahead of the mark. Commits."""
    there, newest, marked_at = connection.execute(text(READ), {"own": own}).one()
    now: dt.datetime = min(own, there)
    marks = [mark for mark in (newest, marked_at) if mark is not None]
    distrusted = bool(marks) and now > max(marks) + AHEAD
    mark = max(marks) + dt.timedelta(hours=1) if distrusted else now
    connection.execute(text(KEEP), {"mark": mark, "distrusted": distrusted})
    connection.commit()
    if distrusted:
        log.warning("clock_not_trusted", days_ahead=round((now - max(marks)) / dt.timedelta(days=1), 1))
        return None
    return now


def take_week(connection: Connection, now: dt.datetime) -> bool:
    """Return whether one more week may be dropped on the UTC day of `now`, and count it. Does not commit."""
    return connection.execute(text(TAKE_WEEK), {"now": now, "most": WEEKS_A_DAY}).scalar() is not None
