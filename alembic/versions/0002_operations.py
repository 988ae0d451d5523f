"""Forget, retention, connector names: tombstones, dropped ranges, when counts were written.

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-23
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '5min'")
    op.execute(
        """
        CREATE TABLE tombstones (
            requested_at timestamptz NOT NULL,
            bucket smallint NOT NULL,
            sweeps smallint NOT NULL DEFAULT 0,
            anonymous_id bytea NOT NULL,
            PRIMARY KEY (bucket, anonymous_id),
            CONSTRAINT tombstones_anonymous_id_check CHECK (octet_length(anonymous_id) = 16)
        )
        """
    )
    op.execute("CREATE INDEX tombstones_pending_idx ON tombstones (requested_at) WHERE sweeps < 3")
    op.execute(
        """
        CREATE TABLE dropped_ranges (
            lower timestamptz NOT NULL,
            upper timestamptz NOT NULL,
            dropped_at timestamptz NOT NULL,
            PRIMARY KEY (lower),
            CONSTRAINT dropped_ranges_upper_check CHECK (lower < upper)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE connectors (
            name text NOT NULL,
            added_at timestamptz NOT NULL,
            PRIMARY KEY (name),
            CONSTRAINT connectors_name_check CHECK (
                length(name) <= 75 AND name ~ '^(source|destination)-[a-z0-9][a-z0-9-]*$'
            )
        )
        """
    )
    for table in ("outcomes", "tallies"):
        op.execute(f"ALTER TABLE {table} ADD COLUMN written_at timestamptz NOT NULL DEFAULT now()")


def downgrade() -> None:
    for table in ("outcomes", "tallies"):
        op.execute(f"ALTER TABLE {table} DROP COLUMN written_at")
    for table in ("connectors", "dropped_ranges", "tombstones"):
        op.execute(f"DROP TABLE {table}")
