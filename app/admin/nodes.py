"""The nodes of a distributed database: whether they answer, and what a failure left behind on them."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import text
from sqlalchemy.engine import Connection

from app.admin.folders import Finding

IS_CLUSTER: Final = "SELECT to_regproc('citus_check_connection_to_node') IS NOT NULL"
# Named by their group, as Citus does in its own views; addresses are nobody's business here.
SILENT: Final = """
SELECT count(*) AS nodes, array_agg(groupid ORDER BY groupid) FILTER (WHERE NOT answers) AS silent
FROM (
    SELECT groupid, coalesce(citus_check_connection_to_node(nodename, nodeport), false) AS answers
    FROM pg_dist_node
) AS tried
"""
# Of a commit over several nodes that ended in its midst. Citus settles them within a minute; while one stands
# it holds its locks.
LEFT: Final = "SELECT count(*) FROM pg_prepared_xacts WHERE prepared < now() - interval '10 minutes'"


def check_nodes(connection: Connection) -> Iterator[Finding]:
    """Yield what is to be said of a cluster's nodes; nothing of one server. Raises DBAPIError."""
    if not connection.execute(text(IS_CLUSTER)).scalar():
        return
    nodes, silent = connection.execute(text(SILENT)).one()
    if silent:
        groups = ", ".join(map(str, silent))
        yield Finding(
            "nodes",
            False,
            f"No answer from {len(silent)} of {nodes} nodes, groupid {groups} in pg_dist_node: start them. "
            "Events wait in the spool or the log until then.",
        )
    else:
        yield Finding("nodes", True, f"{nodes} nodes answer")
    left = connection.execute(text(LEFT)).scalar_one()
    yield Finding(
        "prepared",
        not left,
        f"{left} transactions were prepared over 10 minutes ago"
        + (": see pg_prepared_xacts on every node, and recover_prepared_transactions()" if left else ""),
    )
