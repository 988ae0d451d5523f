"""Alerts: regressions that were found, and whether the webhook has them. Public figures, a month at a time.

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-27
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NAME = "length({0}) <= 75 AND {0} !~ '[^a-z0-9-]'"
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
            kind text NOT NULL CONSTRAINT alerts_kind_closed CHECK (kind IN ('source', 'destination',
                'pyairbyte')),
            connector text NOT NULL
                CONSTRAINT alerts_connector_closed CHECK (length(connector) <= 75
                    AND connector !~ '[^a-z0-9-]'),
            old_version text NOT NULL CONSTRAINT alerts_old_version_closed
                CHECK ({RELEASE.format("old_version")}),
            new_version text NOT NULL CONSTRAINT alerts_new_version_closed
                CHECK ({RELEASE.format("new_version")}),
            PRIMARY KEY (kind, connector, new_version)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE publications (
            month date NOT NULL PRIMARY KEY,
            published_at timestamptz NOT NULL,
            CONSTRAINT publications_month_check CHECK (extract(day FROM month) = 1)
        )
        """
    )
    op.execute(
        f"""
        CREATE TABLE public_figures (
            month date NOT NULL,
            units integer NOT NULL,
            affected_units integer,
            role text NOT NULL,
            connector text NOT NULL,
            CONSTRAINT public_figures_units_check CHECK (units >= 10 AND units % 5 = 0),
            CONSTRAINT public_figures_role_closed CHECK (role IN ('source', 'destination')),
            CONSTRAINT public_figures_connector_closed CHECK ({NAME.format("connector")}),
            PRIMARY KEY (month, role, connector)
        )
        """
    )


def downgrade() -> None:
    for table in ("public_figures", "publications", "alerts"):
        op.execute(f"DROP TABLE {table}")
