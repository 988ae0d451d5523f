"""Alerts: regressions that were found, and whether the webhook has them.

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-25
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

RELEASE = "length({0}) <= 100 AND {0} !~ '[^0-9a-z.+-]'"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        f"""
        CREATE TABLE alerts (
            found_at timestamptz NOT NULL,
            posted_at timestamptz,
            evidence double precision NOT NULL,
            share double precision NOT NULL,
            share_before double precision NOT NULL,
            since date NOT NULL,
            votes integer NOT NULL,
            affected_units integer NOT NULL,
            kind text NOT NULL CONSTRAINT alerts_kind_closed CHECK (kind IN ('source', 'destination', 'pyairbyte')),
            connector text NOT NULL
                CONSTRAINT alerts_connector_closed CHECK (length(connector) <= 75 AND connector !~ '[^a-z0-9-]'),
            old_version text NOT NULL CONSTRAINT alerts_old_version_closed CHECK ({RELEASE.format("old_version")}),
            new_version text NOT NULL CONSTRAINT alerts_new_version_closed CHECK ({RELEASE.format("new_version")}),
            PRIMARY KEY (kind, connector, new_version)
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE alerts")
