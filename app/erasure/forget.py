"""Forget: a tombstone at once, deletion by a job. A tombstone holds the id's pseudonym, never the id.

The write statement looks at the tombstones, so nothing new is stored under the id from the moment the tombstone is
committed. What a statement that began earlier still wrote is met by the later sweeps.
"""

import datetime as dt
import re
import threading
import zlib
from typing import Final
from uuid import UUID

from sqlalchemy import Select, and_, case, or_, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.engine import Connection

from app.contract import wire
from app.privacy.projection import BUCKETS
from app.privacy.pseudonyms import Pseudonyms, to_ms
from app.store import partitions
from app.store.tables.events import SWEEPS, tombstones
from app.store.tables.rollups import rollup_buckets

# Tables with a column `anonymous_id`, and those that are derived from them, with a column `unit`.
FORGETTABLE: Final = ("events", "rejections")
DERIVED: Final = ("attempts", "unit_days")
SWEEP_AGAIN: Final = (dt.timedelta(0), dt.timedelta(minutes=1), dt.timedelta(hours=1))
IDS_A_SWEEP: Final = 1_000

FORGETTABLE_ID: Final = re.compile(f"{wire.ULID}|{wire.UUID}")


def is_forgettable(anonymous_id: object) -> bool:
    """Whether it is an id of one person: a ULID or a lower-case UUID, not the literal that old versions shared."""
    return isinstance(anonymous_id, str) and FORGETTABLE_ID.fullmatch(anonymous_id) is not None


def tombstone(pseudonyms: Pseudonyms, anonymous_id: str, now: dt.datetime) -> Insert:
    """The statement that forgets an id from `now` on; one that was forgotten before is swept anew."""
    row = insert(tombstones).values(
        bucket=zlib.crc32(anonymous_id.encode()) % BUCKETS,
        anonymous_id=UUID(bytes=pseudonyms.of("anonymous id", anonymous_id)),
        requested_at=now,
        sweeps=0,
    )
    return row.on_conflict_do_update(
        index_elements=["bucket", "anonymous_id"],
        set_={"requested_at": row.excluded.requested_at, "sweeps": 0},
        where=tombstones.c.sweeps > 0,
    )


def request(connection: Connection, pseudonyms: Pseudonyms, anonymous_id: str, now: dt.datetime) -> str:
    """Forget an id from now on, and commit; the receipt."""
    connection.execute(tombstone(pseudonyms, anonymous_id, now))
    connection.commit()
    return pseudonyms.receipt(to_ms(now))


def is_pending(requested_ms: int) -> Select[tuple[bool]]:
    """Whether something that was asked for until then is not deleted yet. A receipt holds a time, so it is all of it."""
    until = dt.datetime.fromtimestamp(requested_ms // 1000, dt.UTC) + dt.timedelta(
        milliseconds=requested_ms % 1000 + 1
    )
    pending = select(tombstones).where(tombstones.c.sweeps == 0, tombstones.c.requested_at < until)
    return select(pending.exists())


def sweep(connection: Connection, stop: threading.Event, now: dt.datetime | None = None) -> int:
    """Delete what is stored under ids whose sweep is due, in small transactions; how many rows that were."""
    now = now or dt.datetime.now(dt.UTC)
    ages = [
        and_(tombstones.c.sweeps == number, tombstones.c.requested_at <= now - age)
        for number, age in enumerate(SWEEP_AGAIN[:SWEEPS])
    ]
    columns = (tombstones.c.bucket, tombstones.c.anonymous_id, tombstones.c.requested_at, tombstones.c.sweeps)
    due = connection.execute(select(*columns).where(or_(*ages)).limit(IDS_A_SWEEP)).all()
    connection.commit()
    if not due:
        return 0
    ids = [anonymous_id for _, anonymous_id, _, _ in due]
    deleted = 0
    found: set[UUID] = set()
    for table in FORGETTABLE:
        for partition in partitions.leaves(connection, table):
            gone = partitions.delete(
                connection, partition, "anonymous_id = ANY(:ids)", {"ids": ids}, "anonymous_id"
            )
            deleted += len(gone)
            found.update(gone)
            if stop.is_set():
                return deleted
    deleted += delete_derived(connection, ids, sorted({bucket for bucket, _, _, _ in due}))
    # One that was asked for again meanwhile is left as it is: its sweeps start anew.
    connection.execute(
        update(tombstones)
        .where(tuple_(*columns).in_([tuple(row) for row in due]))
        .values(
            sweeps=tombstones.c.sweeps + 1,
            met_at=case((tombstones.c.anonymous_id.in_(found), now), else_=tombstones.c.met_at),
        )
    )
    connection.commit()
    return deleted


def delete_derived(connection: Connection, ids: list[UUID], buckets: list[int]) -> int:
    """Delete what was rolled up of ids, and commit; how many rows that were.

    After their events are gone, and never while a worker may still add up what it read of those: the claims are its.
    """
    connection.execute(text("SET LOCAL lock_timeout = '10s'"))
    claim = select(rollup_buckets).where(rollup_buckets.c.bucket.in_(buckets)).order_by("bucket")
    connection.execute(claim.with_for_update())
    deleted = 0
    for table in DERIVED:
        gone = connection.execute(
            text(f"DELETE FROM {table} WHERE bucket = ANY(:buckets) AND unit = ANY(:ids)"),
            {"buckets": buckets, "ids": ids},
        )
        deleted += gone.rowcount
    connection.commit()
    return deleted
