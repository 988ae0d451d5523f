"""Several batches committed as one: what the spool holds is brought in by the thousand rows, each
batch fenced by its own id."""

from collections.abc import Sequence
from itertools import islice
from typing import Final
from uuid import UUID

from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.events import Batch, insert, insert_whole, outcome_of
from app.store.statements import read_sql

TRIES: Final = 3  # a batch that was left behind may commit between the look and the commit
FIND_COMMITTED: Final = read_sql("app.store", "find_committed")


async def insert_all(connection: AsyncConnection, batches: Sequence[Batch]) -> list[str]:
    """Commit batches; return the outcomes of their verdicts, in order.

    A batch that was committed before is left out. Where they cannot be committed as one they are halved
    until the batch is alone that cannot; `insert` deals with it. Raises sqlalchemy.exc.DBAPIError for faults
    of the connection or the server.
    """
    if len(batches) == 1:
        return await insert(connection, batches[0])
    for _ in range(TRIES):
        known = await find_committed(connection, batches)
        fresh = [batch for batch in batches if batch.batch_id not in known]
        try:
            outcomes = iter(await insert_whole(connection, *fresh) if fresh else ())
        except IntegrityError:
            continue
        except DataError:
            break
        found: list[str] = []
        for batch in batches:
            if batch.batch_id in known:
                found += [outcome_of(verdict, fresh=True) for verdict in batch.verdicts]
            else:
                found += islice(outcomes, len(batch.verdicts))
        return found
    middle = len(batches) // 2
    halves = batches[:middle], batches[middle:]
    return [outcome for half in halves for outcome in await insert_all(connection, half)]


async def find_committed(connection: AsyncConnection, batches: Sequence[Batch]) -> frozenset[UUID]:
    """Return the ids of those batches that are committed already."""
    buckets = [batch.counted_in for batch in batches]
    found = await connection.exec_driver_sql(
        FIND_COMMITTED, {"ids": [batch.batch_id for batch in batches], "buckets": buckets}
    )
    return frozenset(row[0] for row in found)
