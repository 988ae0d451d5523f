"""Names of public connectors that were learned since the release, in the database: a small reference table."""

import datetime as dt
from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from app.store.tables.events import connectors


def load(connection: Connection) -> frozenset[str]:
    """All names."""
    return frozenset(connection.execute(select(connectors.c.name)).scalars())


def add(connection: Connection, names: Collection[str]) -> int:
    """Add names; how many were new. Servers learn them within seconds. Nothing is ever taken away: old events bear it."""
    if not names:
        return 0
    now = dt.datetime.now(dt.UTC)
    result = connection.execute(
        insert(connectors)
        .values([{"name": name, "added_at": now} for name in sorted(names)])
        .on_conflict_do_nothing()
        .returning(connectors.c.name)
    )
    return len(result.all())
