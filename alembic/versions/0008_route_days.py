"""An index for the page of one connector: its routes, by day.

Revision ID: 0008
Revises: 0007
Create Date: 2026-11-25
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '5min'")
    op.execute("CREATE INDEX unit_days_route_idx ON unit_days (route, day)")


def downgrade() -> None:
    op.execute("DROP INDEX unit_days_route_idx")
