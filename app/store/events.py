"""The one write transaction: a batch's events, ledger, outcome counts and tallies, all or none."""

import asyncio
import datetime as dt
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

import orjson
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.privacy.projection import BUCKETS, NO_ROW
from app.privacy.verdict import Verdict
from app.store.fences import is_fence, is_misrouted
from app.store.statements import read_sql
from app.store.tables.events import events

COLUMNS: Final = tuple(column.name for column in events.columns)
LINE: Final = b")\n("
KEY_BYTES: Final = 8
MISROUTED_AT_MOST: Final = 3
REJECTED: Final = "rejected"
INTERNAL: Final = "internal"  # the reason of an event that Postgres itself would not take

INSERT_BATCH: Final = read_sql("app.store", "insert_batch").format(columns=", ".join(COLUMNS))


@dataclass(frozen=True, slots=True)
class Tally:
    """Counted beside events: kind `refused`, `withheld`, `client_dropped` or `envelope`, and a reason."""

    hour: dt.datetime
    write_key: int
    kind: str
    reason: str


@dataclass(slots=True)
class Batch:
    """What is committed together. `batch_id` fences it: committed twice, it would violate a key.

    `bucket`: of a part for one node of a cluster, where it is counted; `parts`: those by node, once split.
    """

    verdicts: Sequence[Verdict]
    tallies: Counter[Tally] = field(default_factory=Counter)
    batch_id: UUID = field(default_factory=uuid4)
    bucket: int | None = None
    parts: "Mapping[int, Batch] | None" = field(default=None, compare=False)

    @property
    def counted_in(self) -> int:
        """Return the bucket under which it is counted, and fenced."""
        return bucket_of(self.batch_id) if self.bucket is None else self.bucket


def hour_of(moment: dt.datetime) -> dt.datetime:
    """Return the UTC hour in which something is counted."""
    return moment.replace(minute=0, second=0, microsecond=0)


def sort_key(verdict: Verdict) -> tuple[Any, ...]:
    """Return the primary key: rows sorted by it are locked in one order by every writer."""
    row = verdict.row
    return (row["occurred_at"], row["bucket"], row["message_key"])


def encode(verdicts: Iterable[Verdict]) -> str:
    """Return the rows of verdicts as lines of text, each a value of the type `rejections` as Postgres
    writes one: `("2026-…",5,,"sync")`.

    JSON lists are nearly that: strings have the same quotation marks and escapes, and null is nothing at all.
    Postgres reads them in a third of the time of JSON objects. No string holds `],[` or `,null`; should one,
    its row is malformed to Postgres or refused by a CHECK.
    """
    values = [[*verdict.row.values(), verdict.reason, verdict.path or ""] for verdict in verdicts]
    if not values:
        return ""
    lists = orjson.dumps(values)[2:-2]
    return f"({lists.replace(b',null', b',').replace(b'],[', LINE).decode()})"


def bucket_of(batch_id: UUID) -> int:
    """Return the bucket under which a batch is counted."""
    return zlib.crc32(batch_id.bytes) % BUCKETS


def tally(batch: Batch) -> list[dict[str, Any]]:
    """Return the batch's own tallies."""
    own = {"batch_id": batch.batch_id, "bucket": batch.counted_in}
    return [
        own
        | {
            "hour": key.hour,
            "write_key": key.write_key,
            "kind": key.kind,
            "reason": key.reason,
            "count": number,
        }
        for key, number in batch.tallies.items()
    ]


def list_withheld(verdicts: Iterable[Verdict]) -> list[tuple[int, str]]:
    """Return the withheld fields of each event, once each: the statement counts those of new events."""
    return sorted({(verdict.row["message_key"], path) for verdict in verdicts for path in verdict.withheld})


async def insert(connection: AsyncConnection, batch: Batch) -> list[str]:
    """Commit a batch. Return each verdict's outcome in order: `accepted`, `duplicate`, `rejected` …

    `connection` commits by itself (AUTOCOMMIT). A row that Postgres will not take (SQLSTATE class 22
    or 23) never fails its neighbours: the batch is halved until the row is alone, and that row
    becomes `rejected`, reason `internal`. Raises sqlalchemy.exc.DBAPIError for everything else; the
    batch may then be inserted again.
    """
    for _ in range(MISROUTED_AT_MOST):
        try:
            return await insert_whole(connection, batch)
        except IntegrityError as error:
            if is_fence(error):
                return [outcome_of(verdict, fresh=True) for verdict in batch.verdicts]
            if not is_misrouted(error):
                break
        except DataError:
            break
    return await insert_apart(connection, batch)


async def insert_whole(connection: AsyncConnection, batch: Batch, *others: Batch) -> list[str]:
    """Commit a batch and `others` as one, each fenced by its id: in one statement, or parts for one node in
    steps. Return all outcomes, in order."""
    if batch.bucket is not None:
        from app.store.parts import insert_parts  # noqa: PLC0415 -- it is built on this module

        reported = await insert_parts(connection, [batch, *others])
        return assign([verdict for each in (batch, *others) for verdict in each.verdicts], reported)
    if not others:
        verdicts = batch.verdicts
        parameters = make_parameters(verdicts, batch)
    else:  # thousands of rows: other requests go on meanwhile
        verdicts = [verdict for each in (batch, *others) for verdict in each.verdicts]
        parameters = await asyncio.to_thread(make_parameters, verdicts, batch, *others)
    result = await connection.exec_driver_sql(INSERT_BATCH, parameters)
    return assign(verdicts, [tuple(row) for row in result])


def make_parameters(verdicts: Sequence[Verdict], batch: Batch, *others: Batch) -> dict[str, Any]:
    """Return the parameters of the statement. All verdicts are counted under the first batch's id."""
    tallies = [row for each in (batch, *others) for row in tally(each)]
    return {
        "batch_id": batch.batch_id,
        "bucket": batch.counted_in,
        "events": encode(sorted(verdicts, key=sort_key)),
        "tallies": orjson.dumps(tallies).decode(),
        "withheld": orjson.dumps(list_withheld(verdicts)).decode(),
        "fences": orjson.dumps([row for each in others for row in fence(each)]).decode(),
    }


def fence(batch: Batch) -> list[dict[str, Any]]:
    """Return the `received` keys that a batch would be counted under, were it committed alone."""
    own = {"batch_id": batch.batch_id, "bucket": batch.counted_in}
    hours = {(hour_of(verdict.row["received_at"]), verdict.row["write_key"]) for verdict in batch.verdicts}
    return [own | {"hour": hour, "write_key": write_key} for hour, write_key in sorted(hours)]


def assign(verdicts: Sequence[Verdict], rows: Sequence[tuple[Any, ...]]) -> list[str]:
    """Return the outcomes of verdicts from what the statement returned: the keys of what was new, one after
    another in one value; and key, time and disposition of what was not stored.
    """
    expected = [outcome_of(verdict, fresh=True) for verdict in verdicts]
    if len(rows) == 1 and len(rows[0][0] or b"") == KEY_BYTES * expected.count("accepted"):
        return expected  # all that was not refused was new, as nearly always
    fresh: Counter[bytes] = Counter()
    dispositions: dict[tuple[bytes, dt.datetime], str] = {}
    for keys, occurred_at, disposition in rows:
        if disposition is None:
            fresh.update([keys[at : at + KEY_BYTES] for at in range(0, len(keys or b""), KEY_BYTES)])
        else:
            dispositions[keys, occurred_at] = disposition
    outcomes = []
    for verdict in verdicts:
        key = verdict.row["message_key"].to_bytes(KEY_BYTES, signed=True)
        disposition = dispositions.get((key, verdict.row["occurred_at"])) if dispositions else None
        outcomes.append(disposition or outcome_of(verdict, fresh=fresh[key] > 0))
        if not verdict.rejected and disposition is None:
            fresh[key] -= 1  # the same event twice in one batch is new once
    return outcomes


async def insert_apart(connection: AsyncConnection, batch: Batch) -> list[str]:
    """Commit the halves of a batch one by one and return the outcomes; a single row that fails is refused.

    The halves' ids follow from the batch's, so that the fence holds when the batch is inserted again.
    """
    if not batch.verdicts:
        return []
    if len(batch.verdicts) == 1:
        await insert_refused(connection, batch)
        return [REJECTED]
    middle = len(batch.verdicts) // 2
    halves = (
        Batch(batch.verdicts[:middle], batch.tallies, uuid5(batch.batch_id, "first"), batch.bucket),
        Batch(batch.verdicts[middle:], Counter(), uuid5(batch.batch_id, "second"), batch.bucket),
    )
    return [outcome for half in halves for outcome in await insert(connection, half)]


async def insert_refused(connection: AsyncConnection, batch: Batch) -> None:
    """Refuse a batch's one event; leave out its tallies if it is they that Postgres will not take."""
    refused = [refuse(batch.verdicts[0])]
    for tallies in (batch.tallies, Counter[Tally]()):
        try:
            identity = uuid5(batch.batch_id, "refused")
            await insert_whole(connection, Batch(refused, tallies, identity, batch.bucket))
        except (IntegrityError, DataError) as error:
            if isinstance(error, IntegrityError) and is_fence(error):
                return
            if not tallies:
                raise
        else:
            return


def refuse(verdict: Verdict) -> Verdict:
    """Return the verdict on an event that Postgres would not take: in the ledger with its key only."""
    kept = (
        "occurred_at",
        "received_at",
        "bucket",
        "write_key",
        "message_key",
        "first_run",
        "imported",
        "crowded",
    )
    row = NO_ROW | {name: verdict.row[name] for name in kept} | {"configured": 0}
    return Verdict(verdict.id, row, reason=INTERNAL)


def outcome_of(verdict: Verdict, *, fresh: bool) -> str:
    """Return the outcome of a committed verdict."""
    if verdict.rejected:
        return REJECTED
    return "accepted" if fresh else "duplicate"
