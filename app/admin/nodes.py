"""What `doctor` says of the nodes of a distributed database."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy.engine import Connection

from app.admin.folders import Finding
from app.store import nodes
from app.store.nodes import Nodes

MEGABYTE: Final = 2**20


def check_nodes(connection: Connection) -> Iterator[Finding]:
    """Yield what is to be said of a cluster's nodes; nothing of one server. Raises DBAPIError."""
    seen = nodes.look(connection)
    if seen is None:
        return
    if seen.silent:
        groups = ", ".join(map(str, seen.silent))
        yield Finding(
            "nodes",
            False,
            f"No answer from {len(seen.silent)} of {len(seen.groups)} nodes, groupid {groups} in "
            "pg_dist_node: start them. Events wait in the spool or the log until then.",
        )
    else:
        yield Finding("nodes", True, f"{len(seen.groups)} nodes answer")
        yield check_fill(seen)
    yield Finding(
        "prepared",
        not seen.left,
        f"{seen.left} transactions were prepared over 10 minutes ago"
        + (": see pg_prepared_xacts on every node, and recover_prepared_transactions()" if seen.left else ""),
    )


def check_fill(seen: Nodes) -> Finding:
    """What is distributed lies on all nodes alike; only warned of, as everything works until one is full."""
    held = "; ".join(
        f"groupid {each.group}: {each.size_bytes / MEGABYTE:,.0f} MB in {each.shards} shards"
        for each in seen.filled
    )
    if not seen.is_uneven():
        return Finding("skew", True, held)
    said = f"Warning: {held}: the fullest holds {seen.ratio():.1f} x the average, or one holds nothing"
    return Finding("skew", True, f"{said}. SELECT citus_rebalance_start() moves shards.")
