"""The write transaction of parts for one node of a cluster: the one statement in steps (decision 0061).

What a step returns goes by way of this process. In one statement Citus sends it to every node, so that none
could be written while one is away.
"""

import asyncio
import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import orjson
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.privacy.verdict import Verdict
from app.store import events as store
from app.store.events import KEY_BYTES, Batch, encode, hour_of, list_withheld, sort_key
from app.store.statements import read_sql

COLUMNS: Final = ", ".join(store.COLUMNS)
DISPOSITIONS: Final = read_sql("app.store", "part_dispositions")
EVENTS: Final = read_sql("app.store", "part_events").format(columns=COLUMNS)
REJECTIONS: Final = read_sql("app.store", "part_rejections").format(columns=COLUMNS)
MARKS: Final = read_sql("app.store", "part_marks")
OUTCOMES: Final = read_sql("app.store", "part_outcomes")
TALLIES: Final = read_sql("app.store", "part_tallies")
MET: Final = read_sql("app.store", "part_met")

Rows = Sequence[Any]
Found = Mapping[tuple[bytes, dt.datetime], str]


async def insert_parts(connection: AsyncConnection, parts: Sequence[Batch]) -> list[tuple[Any, ...]]:
    """Commit parts for one node in a transaction, each fenced by its id; return what `assign` takes.

    Raises sqlalchemy.exc.DBAPIError: nothing is committed then, unless the connection was lost.
    """
    await connection.exec_driver_sql("BEGIN")
    try:
        found, fresh = await write(connection, parts)
        await connection.exec_driver_sql("COMMIT")
    except DBAPIError:
        with suppress(DBAPIError):
            await connection.exec_driver_sql("ROLLBACK")
        raise
    forgotten = [
        verdict for part in parts for verdict in part.verdicts if found.get(key_of(verdict)) == "forgotten"
    ]
    if forgotten:
        with suppress(DBAPIError):  # a reference table is written on all nodes or none
            await connection.exec_driver_sql(MET, {"events": encode(forgotten)})
    keys = b"".join(row.message_key.to_bytes(KEY_BYTES, signed=True) for row in fresh)
    return [(keys, None, None), *((key, moment, why) for (key, moment), why in found.items())]


async def write(connection: AsyncConnection, parts: Sequence[Batch]) -> tuple[Found, Rows]:
    """Write everything; return the dispositions of events, and the rows of those that were new."""
    verdicts = sorted((each for part in parts for each in part.verdicts), key=sort_key)
    lines = await asyncio.to_thread(encode, verdicts)
    found = {
        (bytes(row.message_key), row.occurred_at): row.disposition
        for row in await connection.exec_driver_sql(DISPOSITIONS, {"events": lines})
    }
    stored = [each for each in verdicts if key_of(each) not in found]
    fresh = await insert(connection, EVENTS, [each for each in stored if each.reason is None])
    ledger = await insert(connection, REJECTIONS, [each for each in stored if each.reason is not None])
    telling = [row for row in ledger if row.session_key is not None or row.telling]
    await insert_json(connection, MARKS, mark([row for row in [*fresh, *telling] if row.timely]))
    counts = await asyncio.to_thread(count, parts, verdicts, found, fresh)
    await insert_json(connection, OUTCOMES, counts)
    await insert_json(connection, TALLIES, tally(parts, verdicts, fresh))
    return found, fresh


async def insert(connection: AsyncConnection, statement: str, verdicts: Sequence[Verdict]) -> Rows:
    """Insert events; return the rows of those that were new."""
    if not verdicts:
        return []
    lines = await asyncio.to_thread(encode, verdicts)  # thousands of rows: other requests go on meanwhile
    return (await connection.exec_driver_sql(statement, {"events": lines})).all()


async def insert_json(connection: AsyncConnection, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that are JSON objects."""
    if rows:
        await connection.exec_driver_sql(statement, {"rows": orjson.dumps(rows).decode()})


def key_of(verdict: Verdict) -> tuple[bytes, dt.datetime]:
    """Return what a disposition is found by."""
    key: bytes = verdict.row["message_key"].to_bytes(KEY_BYTES, signed=True)
    return key, verdict.row["occurred_at"]


def mark(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Return a row for each session, or event without one, that is to be rolled up."""
    marks: dict[tuple[int, int | None, int | None], dict[str, Any]] = {}
    for row in rows:
        alone = row.message_key if row.session_key is None else None
        known = marks.setdefault(
            (row.bucket, row.session_key, alone),
            {
                "bucket": row.bucket,
                "session_key": row.session_key,
                "message_key": alone,
                "received_at": row.received_at,
                "occurred_at": row.occurred_at,
            },
        )
        for moment in ("received_at", "occurred_at"):
            known[moment] = min(known[moment], getattr(row, moment))
    return [marks[key] for key in sorted(marks, key=lambda key: (key[0], key[1] or 0, key[2] or 0))]


def count(
    parts: Sequence[Batch], verdicts: Iterable[Verdict], found: Found, fresh: Rows
) -> list[dict[str, Any]]:
    """Return the counts of outcomes, all under the first part's id, and the fences of the others."""
    counts: Counter[tuple[dt.datetime, int, str, str]] = Counter()
    for verdict in verdicts:
        hour, write_key = hour_of(verdict.row["received_at"]), verdict.row["write_key"]
        counts[hour, write_key, "received", ""] += 1
        disposition = found.get(key_of(verdict))
        if disposition is not None:
            counts[hour, write_key, disposition, ""] += 1
        elif verdict.reason is not None:
            counts[hour, write_key, store.REJECTED, verdict.reason] += 1
        else:
            counts[hour, write_key, "duplicate", ""] += 1  # unless it was new
    for row in fresh:
        hour = hour_of(row.received_at)
        counts[hour, row.write_key, "duplicate", ""] -= 1
        counts[hour, row.write_key, "accepted", ""] += 1
    first, *others = parts
    own = {"batch_id": first.batch_id, "bucket": first.counted_in}
    return [
        own | {"hour": hour, "write_key": key, "outcome": outcome, "reason": reason, "count": number}
        for (hour, key, outcome, reason), number in sorted(counts.items())
        if number
    ] + [
        row | {"count": 0, "outcome": "received", "reason": ""}
        for each in others
        for row in store.fence(each)
    ]


def tally(parts: Sequence[Batch], verdicts: Iterable[Verdict], fresh: Rows) -> list[dict[str, Any]]:
    """Return the parts' own tallies, and those of withheld fields and odd times of events that were new."""
    counts: Counter[tuple[dt.datetime, int, str, str]] = Counter()
    withheld: defaultdict[int, list[str]] = defaultdict(list)
    for key, path in list_withheld(verdicts):
        withheld[key].append(path)
    for row in fresh:
        where = hour_of(row.received_at), row.write_key
        if not row.timely:
            counts[*where, "outside_window", ""] += 1
        for path in withheld.get(row.message_key, ()):
            counts[*where, "withheld", path] += 1
    own = {"batch_id": parts[0].batch_id, "bucket": parts[0].counted_in}
    return [row for part in parts for row in store.tally(part)] + [
        own | {"hour": hour, "write_key": key, "kind": kind, "reason": reason, "count": number}
        for (hour, key, kind, reason), number in sorted(counts.items())
    ]
