"""Forget: a tombstone at once, deletion by a job. A tombstone holds the id's pseudonym, never the id.

The write statement looks at the tombstones, so nothing new is stored under the id from the moment the
tombstone is committed. What a statement that began earlier still wrote is met by the later sweeps.
"""

import datetime as dt
import re
import zlib
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Select, case, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection
from sqlalchemy.sql.dml import ReturningInsert

from app.contract import wire
from app.privacy.projection import BUCKETS
from app.privacy.pseudonyms import Pseudonyms, to_ms
from app.store.journal import Journal, Key
from app.store.tables.events import tombstones
from app.store.tables.rollups import rollup_buckets

# Tables with a column `anonymous_id`, and those that are derived from them, with a column `unit`.
FORGETTABLE: Final = ("events", "rejections")
DERIVED: Final = ("unit_days", "units")
# A pseudonym is unique in its bucket only: by itself, it might be somebody else's.
ASKED: Final = (
    "({0}bucket, {0}{1}) IN (SELECT * FROM unnest(CAST(:buckets AS smallint[]), CAST(:ids AS "
    "bigint[])) AS asked)"
)
DELETED: Final = ASKED.format("", "anonymous_id")
# Whose a contribution was follows from the daily sum that it was added to.
CONTRIBUTIONS: Final = f"""
    DELETE FROM attempts AS a USING unit_days AS d
    WHERE d.day = a.day AND d.bucket = a.bucket AND d.day_key = a.day_key AND {ASKED.format("d.", "unit")}
    RETURNING d.unit
"""

FORGETTABLE_ID: Final = re.compile(f"{wire.ULID}|{wire.UUID}")


def is_forgettable(anonymous_id: object) -> bool:
    """Return whether it is an id of one person: a ULID or a lower-case UUID, not the
    literal that old versions shared."""
    return isinstance(anonymous_id, str) and FORGETTABLE_ID.fullmatch(anonymous_id) is not None


def key_of(pseudonyms: Pseudonyms, anonymous_id: str) -> Key:
    """Return bucket and pseudonym of an id: the key of its tombstone."""
    return zlib.crc32(anonymous_id.encode()) % BUCKETS, pseudonyms.of("anonymous id", anonymous_id)


def tombstone(key: Key, now: dt.datetime) -> ReturningInsert[Any]:
    """Return the statement that forgets an id from `now` on; it answers when that was asked for.

    That is earlier where an earlier request waits for its first sweep. An id that
    was swept before is swept anew.
    """
    row = insert(tombstones).values(bucket=key[0], anonymous_id=key[1], requested_at=now, sweeps=0)
    swept = tombstones.c.sweeps > 0
    return row.on_conflict_do_update(
        index_elements=["bucket", "anonymous_id"],
        set_={
            "requested_at": case((swept, row.excluded.requested_at), else_=tombstones.c.requested_at),
            "sweeps": 0,
        },
    ).returning(tombstones.c.requested_at)


def request(
    connection: Connection, pseudonyms: Pseudonyms, anonymous_id: str, now: dt.datetime, journal: Journal
) -> str:
    """Forget an id from now on, in the database and beside it, and commit; return the receipt.

    Raises sqlalchemy.exc.SQLAlchemyError; OSError or TelemetryError where it is not kept beside the database.
    """
    key = key_of(pseudonyms, anonymous_id)
    requested_at = connection.execute(tombstone(key, now)).scalar_one()
    connection.commit()
    journal.append(key, requested_at)
    return pseudonyms.receipt(to_ms(requested_at))


def progress(requested_ms: int) -> Select[Any]:
    """Return the query whether what was asked for in that millisecond is deleted; its answer
    is null without a tombstone."""
    start = dt.datetime.fromtimestamp(requested_ms // 1000, dt.UTC) + dt.timedelta(
        milliseconds=requested_ms % 1000
    )
    at = tombstones.c.requested_at
    return select(func.bool_and(tombstones.c.sweeps > 0)).where(
        at >= start, at < start + dt.timedelta(milliseconds=1)
    )


def delete_derived(connection: Connection, asked: Mapping[str, list[int]]) -> tuple[int, set[int]]:
    """Delete what was rolled up of ids in their buckets, and commit; return how many
    rows that were, and of which ids.

    After their events are gone, and never while a worker may still add up what it
    read of those: the claims are its.
    """
    connection.execute(text("SET LOCAL lock_timeout = '10s'"))
    buckets = sorted(set(asked["buckets"]))
    claim = select(rollup_buckets).where(rollup_buckets.c.bucket.in_(buckets)).order_by("bucket")
    connection.execute(claim.with_for_update())
    gone = list(connection.execute(text(CONTRIBUTIONS), asked).scalars())
    for table in DERIVED:
        found = connection.execute(
            text(f"DELETE FROM {table} WHERE {ASKED.format('', 'unit')} RETURNING unit"), asked
        )
        gone += found.scalars()
    connection.commit()
    return len(gone), set(gone)
