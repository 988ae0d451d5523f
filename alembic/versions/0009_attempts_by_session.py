"""The key of `attempts` becomes an index: it is read by session, and its other six columns tripled the index.

Revision ID: 0009
Revises: 0008
Create Date: 2026-11-26
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KEY = "bucket, session_key, day, unit, route, environment, failure, application_hash"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '5min'")
    op.execute("ALTER TABLE attempts DROP CONSTRAINT attempts_pkey")
    op.execute("CREATE INDEX attempts_session_key_idx ON attempts (bucket, session_key)")


def downgrade() -> None:
    op.execute("DROP INDEX attempts_session_key_idx")
    op.execute(f"ALTER TABLE attempts ADD PRIMARY KEY ({KEY})")
