"""What a registry says of public connectors, in the database: a small reference table."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from app.store.tables.events import connectors


@dataclass(frozen=True, slots=True)
class Entry:
    """A connector's entry: its id in the registry, its documentation's address, and its
    label in the issue tracker."""

    definition_id: UUID | None = None
    documentation_url: str | None = None
    issue_label: str | None = None


def load(connection: Connection) -> dict[str, Entry]:
    """Return all entries by the connector's name."""
    rows = connection.execute(
        select(
            connectors.c.name,
            connectors.c.definition_id,
            connectors.c.documentation_url,
            connectors.c.issue_label,
        )
    )
    return {name: Entry(*rest) for name, *rest in rows}


def save(connection: Connection, entries: Mapping[str, Entry]) -> None:
    """Add or renew entries; servers learn them within seconds.

    Nothing is ever taken away: old events bear the names, and what a registry says no
    more stays as it was said last.
    """
    if not entries:
        return
    now = dt.datetime.now(dt.UTC)
    given = insert(connectors).values(
        [{"name": name, "added_at": now, **asdict(entry)} for name, entry in sorted(entries.items())]
    )
    renewed = {
        column: func.coalesce(given.excluded[column], connectors.c[column])
        for column in ("definition_id", "documentation_url", "issue_label")
    }
    connection.execute(given.on_conflict_do_update(index_elements=["name"], set_=renewed))
