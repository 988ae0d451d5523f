"""Weekly partitions of `events` and `rejections`, by the client's clock, made ahead of time.

A default partition takes what no week covers, so a missing partition never refuses an event.
"""

import datetime as dt
import re
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from sqlalchemy import func, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from app.store import placement
from app.store.tables.events import PARTITIONED, dropped_ranges

WEEK: Final = dt.timedelta(days=7)
WEEKS_BACK: Final = 13  # the 90 days that raw events are kept by default
WEEKS_AHEAD: Final = 4
LOCK_WAIT: Final = "100ms"  # whoever waits for a lock on a table keeps writers waiting behind it
ATTEMPTS: Final = 100
PAUSE_SECONDS: Final = 0.1
ROWS_A_TRANSACTION: Final = 1_000
# A lock that was not to be had, a deadlock, and a row that reached the default partition in between.
PASSING: Final = frozenset({"55P03", "40P01", "23514"})
DELETE_BY_KEY: Final = """
    WITH chosen AS MATERIALIZED (
        SELECT * FROM unnest(CAST(:moments AS timestamptz[]), CAST(:places AS smallint[]), CAST(:keys
            AS bigint[]))
            AS keys (moment, place, key)
    )
    DELETE FROM {partition}
    USING chosen
    WHERE occurred_at = chosen.moment AND bucket = chosen.place AND message_key = chosen.key AND {condition}
"""
NAME: Final = re.compile(r"events_p(\d{8})")


def monday(moment: dt.datetime) -> dt.date:
    """Return the first day of the UTC week of `moment`."""
    day = moment.astimezone(dt.UTC).date()
    return day - dt.timedelta(days=day.weekday())


def start(day: dt.date) -> dt.datetime:
    """Return midnight UTC of a day."""
    return dt.datetime.combine(day, dt.time(), dt.UTC)


def due(now: dt.datetime) -> list[dt.date]:
    """Return the Mondays whose week should have a partition at `now`."""
    first = monday(now)
    return [first + WEEK * step for step in range(-WEEKS_BACK, WEEKS_AHEAD + 1)]


def existing(connection: Connection) -> set[str]:
    """Return the names of the partitions of `events` that exist."""
    return set(leaves(connection, "events"))


def leaves(connection: Connection, parent: str) -> list[str]:
    """Return the names of the partitions of a table, the default one last: rows move from it, never to it."""
    rows = connection.execute(
        text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = CAST(:parent AS regclass)"),
        {"parent": parent},
    )
    return sorted(rows.scalars(), key=lambda name: (name.endswith("_default"), name))


def weeks(connection: Connection) -> list[dt.date]:
    """Return the Mondays whose week has a partition, oldest first."""
    names = filter(None, map(NAME.fullmatch, existing(connection)))
    return sorted(dt.datetime.strptime(name[1], "%Y%m%d").replace(tzinfo=dt.UTC).date() for name in names)


def was_dropped(connection: Connection, week: dt.date) -> bool:
    """Return whether the events of a week were dropped: nothing is stored in it any more."""
    lower = start(week)
    covered = select(func.count()).where(
        dropped_ranges.c.lower < lower + WEEK, dropped_ranges.c.upper > lower
    )
    return bool(connection.execute(covered).scalar_one())


def make_due(connection: Connection, now: dt.datetime | None = None) -> int:
    """Make every partition that is due and missing; return how many were made."""
    return make_all(connection, due(now or dt.datetime.now(dt.UTC)))


def make_all(connection: Connection, wanted: Iterable[dt.date]) -> int:
    """Make the partitions of some weeks, but for those that exist or were dropped; return how many were made.

    Raises sqlalchemy.exc.DBAPIError when the locks are not to be had within some ten seconds.
    """
    present = existing(connection)
    missing = [week for week in wanted if f"events_p{week:%Y%m%d}" not in present]
    wanted = [week for week in missing if not was_dropped(connection, week)]
    for week in wanted:
        patiently(connection, partial(make, connection, week))
    connection.commit()
    return len(wanted)


def patiently(connection: Connection, action: Callable[[], object]) -> None:
    """Do something that needs locks as soon as they are to be had.

    Raises sqlalchemy.exc.DBAPIError when they are not within some twenty seconds, and
    for every other fault at once.
    """
    for attempt in range(1, ATTEMPTS + 1):
        connection.rollback()
        try:
            action()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in PASSING or attempt == ATTEMPTS:
                raise
            connection.rollback()
            time.sleep(PAUSE_SECONDS)
        else:
            return


def wait_shortly(connection: Connection) -> None:
    """Let the rest of this transaction wait for no lock longer than a moment, on the nodes neither."""
    # Where there is no Citus it is a name without use.
    connection.execute(text("SET LOCAL citus.propagate_set_commands = 'local'"))
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'"))


def make(connection: Connection, week: dt.date) -> None:
    """Make the partitions of one week, unless they exist, moving what the default
    partition holds of it, and commit.

    A plain `CREATE … PARTITION OF` fails where the default partition has rows of the range; so the
    table is created unattached, filled, attached, in one transaction. The lock keeps writers off the
    default partition, and off that one only, from the move to the end: a row that came in between
    would make the attachment fail. On a cluster it keeps them off the whole table: who writes to the parent
    locks its own partitions, but the default one's shards as they are met, and the attachment wants
    those for itself; two that both hold one and want more are a deadlock.
    """
    if f"events_p{week:%Y%m%d}" in existing(connection):  # another process was faster
        return
    wait_shortly(connection)
    has_shards = placement.is_cluster(connection)
    lower, upper = f"{start(week):%Y-%m-%d %H:%M:%S}+00", f"{start(week) + WEEK:%Y-%m-%d %H:%M:%S}+00"
    for parent in PARTITIONED:
        name = f"{parent}_p{week:%Y%m%d}"
        connection.execute(
            text(f"CREATE TABLE {name} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
        )
        locked = parent if has_shards else f"{parent}_default"
        connection.execute(text(f"LOCK TABLE {locked} IN SHARE ROW EXCLUSIVE MODE"))
        connection.execute(
            text(  # both names are ours
                f"WITH moved AS (DELETE FROM {parent}_default WHERE occurred_at >= :lower AND "
                f"occurred_at < :upper"
                f" RETURNING *) INSERT INTO {name} SELECT * FROM moved"
            ),
            {"lower": lower, "upper": upper},
        )
        connection.execute(
            text(f"ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ('{lower}') TO ('{upper}')")
        )
    connection.commit()


def detach(connection: Connection, week: dt.date, *, record: bool) -> None:
    """Detach the partitions of a week and commit; with `record` its range goes to `dropped_ranges`.

    `drop` does the rest, in a transaction of its own: the lock on the whole table lasts for a moment only.
    From now on nothing is stored in the range, so what the detached tables hold is final.
    """
    wait_shortly(connection)
    for parent in PARTITIONED:
        connection.execute(text(f"ALTER TABLE {parent} DETACH PARTITION {parent}_p{week:%Y%m%d}"))
    if record:
        lower = start(week)
        connection.execute(
            dropped_ranges.insert().values(
                lower=lower, upper=lower + WEEK, dropped_at=dt.datetime.now(dt.UTC)
            )
        )
    connection.commit()


def detached(connection: Connection) -> list[str]:
    """Return the names of the tables that were partitions."""
    rows = connection.execute(
        text(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND NOT relispartition"
            " AND relnamespace = 'public'::regnamespace AND relname ~ '^(events|rejections)_p[0-9]{8}$'"
        )
    )
    return sorted(rows.scalars())


def drop(connection: Connection, name: str, keep_since: dt.datetime) -> None:
    """Drop a detached partition and commit; rows received since `keep_since` move to the default partition.

    There are some only if they came in after the partition was looked at and before it was detached.
    """
    parent = name.partition("_")[0]
    wait_shortly(connection)
    connection.execute(text(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE"))
    connection.execute(
        text(f"INSERT INTO {parent} SELECT * FROM {name} WHERE received_at >= :since ON CONFLICT DO NOTHING"),
        {"since": keep_since},
    )
    connection.execute(text(f"DROP TABLE {name}"))
    connection.commit()


def delete(
    connection: Connection, partition: str, condition: str, values: Mapping[str, Any], returned: str = "NULL"
) -> list[Any]:
    """Delete the rows of a partition that meet a condition; return the column `returned` of each.

    They are found by one scan and deleted by their keys, a thousand a transaction.
    """
    rows = connection.execute(
        text(f"SELECT occurred_at, bucket, message_key, {returned} FROM {partition} WHERE {condition}"),
        values,
    )
    found = [tuple(row) for row in rows]
    connection.commit()
    statement = text(DELETE_BY_KEY.format(partition=partition, condition=condition))
    for first in range(0, len(found), ROWS_A_TRANSACTION):
        moments, buckets, keys, _ = zip(*found[first : first + ROWS_A_TRANSACTION], strict=True)
        connection.execute(
            statement, {**values, "moments": [*moments], "places": [*buckets], "keys": [*keys]}
        )
        connection.commit()
    return [value for _, _, _, value in found]
