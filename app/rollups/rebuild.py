"""`rebuild`: every rollup made anew from the events, some buckets at a time, while the service goes on.

It takes the same claim as the worker, so the two never work on one session at once; what comes in meanwhile is marked,
and the worker adds it afterwards. Days whose events were dropped are frozen: nothing touches them.
"""

import datetime as dt
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, func, select, text

from app.problems import TelemetryError
from app.rollups.recomputation import analyze_unknown, prepare, query, recompute
from app.store.tables.events import dropped_ranges
from app.store.tables.rollups import rollup_buckets

BUCKETS: Final = 8  # a transaction; 32 of them are a rebuild
WEEK: Final = dt.timedelta(days=7)
EVER: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
STORED: Final = "CREATE TEMPORARY TABLE IF NOT EXISTS stored (LIKE marks)"


def first_day(connection: Connection) -> dt.date | None:
    """The first day that can be rebuilt: a week after the last range that was dropped; None if none was."""
    upper: dt.datetime | None = connection.execute(select(func.max(dropped_ranges.c.upper))).scalar()
    return None if upper is None else (upper + WEEK).date()


def rebuild(connection: Connection, since: dt.date | None, advance: Callable[[int, int], None]) -> int:
    """Make the rollups of the days from `since` on anew (of all that can be, if None), and commit; how many rows of
    `attempts` that gave.

    `advance` is told how many of how many buckets are done. Raises TelemetryError for a day that is frozen.
    """
    line = first_day(connection)
    if line is not None and since is not None and since < line:
        raise TelemetryError(f"The events of that time were dropped: days before {line} are frozen.")
    since = since or line
    prepare(connection)
    analyze_unknown(connection)
    buckets = list(connection.execute(select(rollup_buckets.c.bucket).order_by("bucket")).scalars())
    list_stored(connection, since)
    rows = 0
    for first in range(0, len(buckets), BUCKETS):
        advance(first, len(buckets))
        rows += rebuild_buckets(connection, buckets[first : first + BUCKETS], since)
    advance(len(buckets), len(buckets))
    return rows


def list_stored(connection: Connection, since: dt.date | None) -> None:
    """List the sessions once, by bucket: a scan of events for each bucket would take 32 times as long."""
    moment = EVER if since is None else dt.datetime.combine(since, dt.time(), dt.UTC) - WEEK
    connection.execute(text(STORED))
    connection.execute(text("TRUNCATE stored"))
    connection.execute(query("list_stored"), {"since": moment})
    connection.execute(text("CREATE INDEX IF NOT EXISTS stored_bucket_idx ON stored (bucket)"))
    connection.execute(text("ANALYZE stored"))
    connection.commit()


def rebuild_buckets(connection: Connection, buckets: list[int], since: dt.date | None) -> int:
    """Make some buckets anew, in one transaction, and commit; how many rows of `attempts` that gave."""
    claim = select(rollup_buckets).where(rollup_buckets.c.bucket.in_(buckets)).order_by("bucket")
    connection.execute(claim.with_for_update())
    some = {"buckets": buckets, "since": "-infinity" if since is None else since.isoformat()}
    for table in ("attempts", "unit_days"):
        connection.execute(
            text(f"DELETE FROM {table} WHERE bucket = ANY(:buckets) AND day >= CAST(:since AS date)"), some
        )
    connection.execute(text("INSERT INTO marks SELECT * FROM stored WHERE bucket = ANY(:buckets)"), some)
    rows = recompute(connection, since)
    connection.commit()
    return rows
