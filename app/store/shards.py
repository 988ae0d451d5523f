"""On which node of a cluster each bucket lives, and a batch in parts by it: what is written for one node
waits for no other (decision 0061)."""

import zlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import uuid5

from sqlalchemy.ext.asyncio import AsyncConnection

from app.privacy.projection import BUCKETS
from app.privacy.verdict import Verdict
from app.store.events import Batch, bucket_of
from app.store.placement import FIRST

IS_CLUSTER: Final = "SELECT to_regclass('pg_dist_placement') IS NOT NULL"
FIND: Final = f"""
SELECT b.bucket, p.groupid
FROM (
    SELECT n AS bucket, worker_hash(CAST(n AS smallint)) AS hash FROM generate_series(0, {BUCKETS - 1}) AS n
) AS b
JOIN pg_dist_shard AS s ON s.logicalrelid = CAST('{FIRST}' AS regclass)
    AND b.hash BETWEEN CAST(s.shardminvalue AS integer) AND CAST(s.shardmaxvalue AS integer)
JOIN pg_dist_placement AS p ON p.shardid = s.shardid
ORDER BY b.bucket
"""
ANSWERS: Final = """
SELECT coalesce(bool_and(citus_check_connection_to_node(nodename, nodeport)), false)
FROM pg_dist_node WHERE groupid = %(group)s AND noderole = 'primary'
"""


@dataclass(frozen=True, slots=True)
class Placement:
    """The node (its group) of each bucket, and the buckets of each node."""

    groups: Sequence[int]
    buckets: Mapping[int, Sequence[int]]

    @classmethod
    def of(cls, groups: Sequence[int]) -> "Placement":
        """Return the placement for the groups of all buckets, in order."""
        buckets: defaultdict[int, list[int]] = defaultdict(list)
        for bucket, group in enumerate(groups):
            buckets[group].append(bucket)
        return cls(groups, buckets)


async def find_placement(connection: AsyncConnection) -> Placement | None:
    """Return where the buckets are; None where all are on one node, as on every plain Postgres.

    Raises sqlalchemy.exc.DBAPIError.
    """
    if not (await connection.exec_driver_sql(IS_CLUSTER)).scalar():
        return None
    groups = [row.groupid for row in await connection.exec_driver_sql(FIND)]
    return Placement.of(groups) if len(groups) == BUCKETS and len(set(groups)) > 1 else None


async def answers(connection: AsyncConnection, group: int) -> bool:
    """Return whether the coordinator reaches a node. Raises sqlalchemy.exc.DBAPIError."""
    return bool((await connection.exec_driver_sql(ANSWERS, {"group": group})).scalar())


def split(batch: Batch, placement: Placement) -> Mapping[int, Batch]:
    """Return the part of a batch for each node that it needs; a part is not split again.

    Ids follow from the batch's and the node, so that the fences hold when the batch is split again, by
    another process, too. A part is counted in a bucket of its node; the batch's own tallies go with one.
    """
    if batch.bucket is not None:
        return {placement.groups[batch.bucket]: batch}
    if batch.parts is None:
        verdicts: defaultdict[int, list[Verdict]] = defaultdict(list)
        for verdict in batch.verdicts:
            verdicts[placement.groups[verdict.row["bucket"]]].append(verdict)
        if batch.tallies or not verdicts:
            verdicts[placement.groups[bucket_of(batch.batch_id)]] += ()
        parts = {group: part_of(batch, group, verdicts[group], placement) for group in sorted(verdicts)}
        with_tallies = placement.groups[bucket_of(batch.batch_id)]
        if batch.tallies:
            parts[with_tallies].tallies.update(batch.tallies)
        batch.parts = parts
    return batch.parts


def part_of(batch: Batch, group: int, verdicts: Sequence[Verdict], placement: Placement) -> Batch:
    """Return what of a batch is for a node, under an id of its own."""
    identity = uuid5(batch.batch_id, f"node {group}")
    buckets = placement.buckets[group]
    return Batch(verdicts, Counter(), identity, buckets[zlib.crc32(identity.bytes) % len(buckets)])
