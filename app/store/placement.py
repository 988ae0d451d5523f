"""Where each table stands on a distributed Postgres (Citus): by bucket over all nodes,
whole on every node, or on one.

Tables of users, sessions and events are distributed by `bucket` and colocated, so that whatever belongs
to one user is joined on one node. Vocabularies and what every node asks for are reference tables. The
rest stays with the coordinator.
"""

from typing import Final

from sqlalchemy import Connection, text

from app.store.schema import METADATA
from app.store.statements import read_sql

KEY: Final = "bucket"  # the distribution column
FIRST: Final = "events"  # with which all others are colocated
REFERENCE: Final = frozenset({"routes", "environments", "failures", "dropped_ranges", "tombstones"})
DISTRIBUTED, REFERRED, LOCAL = "distributed", "reference", "local"
# Rows to lock with SKIP LOCKED, which waits on a distributed and on a reference table.
AT_COORDINATOR: Final = frozenset({"rollup_buckets"})
# Repeated after `distribute` and after each migration, which may have written a view anew.
GUARD_VIEWS: Final = read_sql("app.store", "guard_views").rstrip()


def distributed_tables() -> tuple[str, ...]:
    """Return the names of the tables that are distributed, `events` first."""
    names = (
        {table.name for table in METADATA.tables.values() if KEY in table.columns}
        - AT_COORDINATOR
        - REFERENCE
    )
    return (FIRST, *sorted(names - {FIRST}))


def reference_tables() -> tuple[str, ...]:
    """Return the names of the reference tables."""
    return tuple(sorted(REFERENCE))


def kinds() -> dict[str, str]:
    """Return where each table on the nodes stands, DISTRIBUTED or REFERRED; every other one is LOCAL."""
    return dict.fromkeys(reference_tables(), REFERRED) | dict.fromkeys(distributed_tables(), DISTRIBUTED)


def is_cluster(connection: Connection) -> bool:
    """Return whether the database has Citus: a table may have shards, which lock and plan apart."""
    return bool(connection.execute(text("SELECT to_regproc('citus_version') IS NOT NULL")).scalar())
