"""Reindexing: the indexes of a week that is over are built anew, once, and take about a sixth less.

Events come in nearly, but not quite, in the order of their clocks, and session keys in none: pages are split
in the middle and stay half empty. Those of a new index are filled to 90 %, so there is room for what comes
late. `REINDEX CONCURRENTLY` keeps nobody from reading or writing.

On a cluster nothing is done: the partitions that the coordinator sees are empty, their shards on the nodes.
"""

import datetime as dt
import threading
from typing import Any, Final

import psycopg
from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from app.store import partitions
from app.store.partitions import WEEK
from app.store.tables.events import PARTITIONED

SETTLED: Final = dt.timedelta(days=1)  # so long after its end a week still gets its share of late events
REINDEXED: Final = "reindexed"  # the comment on a partition that was
LOCK_WAIT: Final = "1min"  # it waits for those that read or write to end, but they do not wait for it

BLOATED: Final = text(
    """
    SELECT relname FROM pg_class
    WHERE relname = ANY(:names) AND relispartition AND pg_relation_size(oid) > 0
      AND obj_description(oid, 'pg_class') IS DISTINCT FROM :reindexed
    ORDER BY 1
    """
)
# What a reindexing that was interrupted left behind.
HALF_BUILT: Final = text(
    """
    SELECT i.indexrelid::regclass::text
    FROM pg_class AS c JOIN pg_index AS i ON i.indrelid = c.oid AND NOT i.indisvalid
    WHERE c.relname = ANY(:names) AND i.indexrelid::regclass::text ~ '_cc(new|old)[0-9]*$'
    """
)


def reindex(connection: Connection, stop: threading.Event, now: dt.datetime | None = None) -> int:
    """Reindex the partitions of weeks that are over and were not reindexed yet; return how many.

    Raises sqlalchemy.exc.DBAPIError, also for what stops it, or keeps the lock for a minute.
    """
    now = now or dt.datetime.now(dt.UTC)
    names = [
        f"{parent}_p{week:%Y%m%d}"
        for week in partitions.weeks(connection)
        if partitions.start(week) + WEEK + SETTLED <= now
        for parent in PARTITIONED
    ]
    bloated = list(connection.execute(BLOATED, {"names": names, "reindexed": REINDEXED}).scalars())
    half_built = list(connection.execute(HALF_BUILT, {"names": names}).scalars())
    connection.commit()
    driver: Any = connection.connection.driver_connection
    driver.autocommit = True  # it commits several times itself
    try:
        driver.execute(f"SET lock_timeout = '{LOCK_WAIT}'".encode())
        for name in half_built:
            driver.execute(f"DROP INDEX CONCURRENTLY {name}".encode())
        for name in bloated:
            if stop.is_set():
                break
            driver.execute(f"REINDEX TABLE CONCURRENTLY {name}".encode())
            driver.execute(f"COMMENT ON TABLE {name} IS '{REINDEXED}'".encode())
    except psycopg.Error as error:  # nobody else wraps what goes past SQLAlchemy
        raise DBAPIError("REINDEX", None, error) from None
    finally:
        if not driver.closed:
            driver.execute(f"SET lock_timeout = '{partitions.LOCK_WAIT}'".encode())
            driver.autocommit = False
    return len(bloated)
