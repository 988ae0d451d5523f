"""Weekly partitions of `events` and `rejections`, by the client's clock, made ahead of time.

A default partition takes what no week covers, so a missing partition never refuses an event.
"""

import datetime as dt
from typing import Final

from sqlalchemy import text
from sqlalchemy.engine import Connection

from app.store.tables import PARTITIONED

WEEK: Final = dt.timedelta(days=7)
WEEKS_BACK: Final = 13  # the 90 days that raw events are kept by default
WEEKS_AHEAD: Final = 4


def monday(moment: dt.datetime) -> dt.date:
    """The first day of the UTC week of `moment`."""
    day = moment.astimezone(dt.UTC).date()
    return day - dt.timedelta(days=day.weekday())


def due(now: dt.datetime) -> list[dt.date]:
    """The Mondays whose week should have a partition at `now`."""
    first = monday(now)
    return [first + WEEK * step for step in range(-WEEKS_BACK, WEEKS_AHEAD + 1)]


def make(connection: Connection, week: dt.date) -> None:
    """Make the partitions of one week, moving what the default partition already holds of it, and commit.

    A plain `CREATE … PARTITION OF` fails where the default partition has rows of the range; so the table is
    created unattached, filled, attached, in one transaction.
    """
    connection.execute(text("SET LOCAL lock_timeout = '100ms'"))
    bounds = {"lower": f"{week} 00:00:00+00", "upper": f"{week + WEEK} 00:00:00+00"}
    for parent in PARTITIONED:
        name = f"{parent}_p{week:%Y%m%d}"
        connection.execute(
            text(f"CREATE TABLE {name} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
        )
        connection.execute(
            text(  # both names are ours
                f"WITH moved AS (DELETE FROM {parent}_default WHERE occurred_at >= :lower AND occurred_at < :upper"
                f" RETURNING *) INSERT INTO {name} SELECT * FROM moved"
            ),
            bounds,
        )
        connection.execute(
            text(
                f"ALTER TABLE {parent} ATTACH PARTITION {name}"
                f" FOR VALUES FROM ('{bounds['lower']}') TO ('{bounds['upper']}')"
            )
        )
    connection.commit()


def existing(connection: Connection) -> set[str]:
    """Names of the partitions of `events` that exist."""
    rows = connection.execute(
        text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events'::regclass")
    )
    return set(rows.scalars())


def make_due(connection: Connection, now: dt.datetime | None = None) -> int:
    """Make every partition that is due and missing; how many were made."""
    present = existing(connection)
    missing = [
        week for week in due(now or dt.datetime.now(dt.UTC)) if f"events_p{week:%Y%m%d}" not in present
    ]
    for week in missing:
        make(connection, week)
    connection.commit()
    return len(missing)
