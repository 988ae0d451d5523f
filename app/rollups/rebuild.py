"""`rebuild`: every rollup made anew from the events, some buckets at a time, while the service goes on.

It takes the same claim as the worker, so the two never work on one session at once; what comes in meanwhile
is marked, and the worker adds it afterwards. Days whose events were dropped are frozen: nothing touches them.
"""

import datetime as dt
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, delete, func, select, text
from sqlalchemy.exc import DBAPIError

from app.problems import TelemetryError
from app.rollups.recomputation import analyze_unknown, prepare, query, recompute
from app.store.tables.events import dropped_ranges
from app.store.tables.rollups import quarantined_sessions, rollup_buckets

BUCKETS: Final = 128  # a transaction; 32 of them are a rebuild
WEEK: Final = dt.timedelta(days=7)
IN_BUCKETS: Final = (
    "bucket IN (SELECT unnest(CAST(:buckets AS smallint[])))"  # = ANY costs half as much again
)
EVER: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MARK_STORED: Final = """
    INSERT INTO marks
    WITH aside AS MATERIALIZED (SELECT bucket, session_key FROM quarantined_sessions)
    SELECT * FROM stored AS s WHERE bucket IN (SELECT unnest(CAST(:buckets AS smallint[]))) AND NOT EXISTS (
        SELECT 1 FROM aside AS q
        WHERE q.bucket = s.bucket AND q.session_key = coalesce(s.session_key, s.message_key)
    )
"""
MARK_SESSION: Final = """
    INSERT INTO marks (bucket, session_key, message_key, lower, upper, late)
    SELECT bucket, session_key, alone, min(occurred_at), max(occurred_at), true
    FROM (
        SELECT bucket, session_key, CASE WHEN session_key IS NULL THEN message_key END AS alone, occurred_at
            FROM events
        UNION ALL
        SELECT bucket, session_key, CASE WHEN session_key IS NULL THEN message_key END, occurred_at
            FROM rejections
    ) AS rows
    WHERE bucket = :bucket AND coalesce(session_key, alone) = :session_key
    GROUP BY bucket, session_key, alone, CASE WHEN session_key IS NULL THEN occurred_at END
"""
STORED: Final = "CREATE TEMPORARY TABLE IF NOT EXISTS stored (LIKE marks)"


def first_day(connection: Connection) -> dt.date | None:
    """Return the first day that can be rebuilt: a week after the last range that was dropped; None if none
    was."""
    upper: dt.datetime | None = connection.execute(select(func.max(dropped_ranges.c.upper))).scalar()
    return None if upper is None else (upper + WEEK).date()


def rebuild(connection: Connection, since: dt.date | None, advance: Callable[[int, int], None]) -> int:
    """Make the rollups of the days from `since` on anew (of all that can be, if None), commit, and
    return how many rows of `attempts` that gave.

    `advance` is called with how many of how many buckets are done. Raises TelemetryError for a day that
    is frozen.
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


def rebuild_session(connection: Connection, session_key: int) -> int:
    """Recompute one quarantined session and let it go, and commit; return how
    many rows of `attempts` that gave.

    Raises TelemetryError if no such session is quarantined, or if its recomputation fails still.
    """
    prepare(connection)
    aside = quarantined_sessions.c.session_key == session_key
    bucket = connection.execute(select(quarantined_sessions.c.bucket).where(aside)).scalar()
    if bucket is None:
        raise TelemetryError("No session of that key is quarantined: `doctor` names those that are.")
    claim = select(rollup_buckets).where(rollup_buckets.c.bucket == bucket)
    connection.execute(claim.with_for_update())
    connection.execute(text(MARK_SESSION), {"bucket": bucket, "session_key": session_key})
    try:
        rows = recompute(connection, first_day(connection))
    except DBAPIError as error:
        connection.rollback()
        sqlstate = getattr(error.orig, "sqlstate", None)
        raise TelemetryError(
            f"Its recomputation fails still (SQLSTATE {sqlstate}); it stays quarantined."
        ) from None
    connection.execute(delete(quarantined_sessions).where(aside))
    connection.commit()
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
    """Make some buckets anew, in one transaction, commit; return how many rows of `attempts` that gave."""
    claim = select(rollup_buckets).where(rollup_buckets.c.bucket.in_(buckets)).order_by("bucket")
    connection.execute(claim.with_for_update())
    some = {"buckets": buckets, "since": "-infinity" if since is None else since.isoformat()}
    for table in ("attempts", "unit_days"):
        connection.execute(
            text(f"DELETE FROM {table} WHERE {IN_BUCKETS} AND day >= CAST(:since AS date)"), some
        )
    connection.execute(text(MARK_STORED), some)
    rows = recompute(connection, since)
    connection.commit()
    return rows
