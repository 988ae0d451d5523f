"""The nodes of a distributed Postgres: which answer, what a failure left behind on them, how evenly they are
filled. They are named by their group, as Citus does in its own views; addresses are nobody's business here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

# The fullest node says when the cluster is full. By chance alone 4,096 buckets in 8 shards or more lie within
# a tenth of even; half as much again as on the average node has a cause: a node that was added and given
# nothing yet, or more shards than its share.
UNEVEN: Final = 1.5
LITTLE_BYTES: Final = 2**28  # on the average node: below, empty partitions and their indexes decide

IS_CLUSTER: Final = "SELECT to_regproc('citus_check_connection_to_node') IS NOT NULL"
SILENT: Final = """
SELECT groupid, coalesce(citus_check_connection_to_node(nodename, nodeport), false) AS answers
FROM pg_dist_node ORDER BY groupid
"""
# Of a commit over several nodes that ended in its midst. Citus settles them within a minute; while one stands
# it holds its locks. They stand on the workers, so each node is asked.
LEFT: Final = """
SELECT coalesce(sum(CAST(result AS bigint)), 0) FROM run_command_on_all_nodes(
    $$SELECT count(*) FROM pg_prepared_xacts WHERE prepared < now() - interval '10 minutes'$$
) WHERE success
"""
FILLED: Final = """
SELECT n.groupid, CAST(coalesce(sum(s.shard_size), 0) AS bigint) AS bytes, count(s.shardid) AS shards
FROM pg_dist_node AS n
LEFT JOIN citus_shards AS s
    ON s.nodename = n.nodename AND s.nodeport = n.nodeport AND s.citus_table_type = 'distributed'
WHERE n.shouldhaveshards AND n.noderole = 'primary'
GROUP BY n.groupid ORDER BY n.groupid
"""


@dataclass(frozen=True, slots=True)
class Filled:
    """How much of the distributed tables lies on a node that is to have some."""

    group: int
    size_bytes: int
    shards: int


@dataclass(frozen=True, slots=True)
class Nodes:
    """The state of a cluster: its groups, those that do not answer, how many transactions were left prepared;
    `filled` only while all answer."""

    groups: Sequence[int]
    silent: Sequence[int]
    left: int
    filled: Sequence[Filled] = ()

    def ratio(self) -> float:
        """Return how much the fullest node holds of what the average one does; 1 where little says little."""
        sizes = [each.size_bytes for each in self.filled]
        mean = sum(sizes) / len(sizes) if sizes else 0.0
        return max(sizes) / mean if mean >= LITTLE_BYTES else 1.0

    def is_uneven(self) -> bool:
        """Return whether a node holds far more than its share, or nothing at all although it should."""
        has_shards = [each.shards > 0 for each in self.filled]
        return self.ratio() > UNEVEN or (any(has_shards) and not all(has_shards))

    def list_symptoms(self) -> list[str]:
        """Return the names of what is wrong: `node_silent`, `prepared_transactions`, `nodes_uneven`."""
        signs = {
            "node_silent": bool(self.silent),
            "prepared_transactions": self.left > 0,
            "nodes_uneven": self.is_uneven(),
        }
        return [name for name, is_so in signs.items() if is_so]


def look(connection: Connection) -> Nodes | None:
    """Return the state of a cluster, None of one server. It asks every node: takes a second, or as long as a
    node that hangs is waited for. Raises DBAPIError."""
    if not connection.execute(text(IS_CLUSTER)).scalar():
        return None
    nodes = connection.execute(text(SILENT)).all()
    silent = [group for group, answers in nodes if not answers]
    left: int = connection.execute(text(LEFT)).scalar_one()
    rows = [] if silent else connection.execute(text(FILLED)).all()
    return Nodes([group for group, _ in nodes], silent, int(left), [Filled(*row) for row in rows])
