"""The table of alerts: regressions that were found, and whether the webhook has them."""

from sqlalchemy import CheckConstraint, Column, Date, Double, Integer, PrimaryKeyConstraint, Table, Text

from app.store.tables.events import metadata, moment

# One row a new version that was found to be a regression. `posted_at` is NULL until the
# webhook said that it has it.
alerts = Table(
    "alerts",
    metadata,
    moment("found_at"),
    moment("posted_at", nullable=True),
    *(Column(name, Double, nullable=False) for name in ("evidence", "share", "share_before")),
    Column("since", Date, nullable=False),
    *(Column(name, Integer, nullable=False) for name in ("votes", "affected_units")),
    *(Column(name, Text, nullable=False) for name in ("kind", "connector", "old_version", "new_version")),
    PrimaryKeyConstraint("kind", "connector", "new_version"),
    CheckConstraint("kind IN ('source', 'destination', 'pyairbyte')", name="alerts_kind_closed"),
)
