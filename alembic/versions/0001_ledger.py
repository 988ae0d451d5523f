"""Events, the ledger of refusals, outcome counts, write keys.

Revision ID: 0001
Revises:
Create Date: 2026-11-23
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PROJECTION = """
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    corrected_at timestamptz,
    number_of_records bigint,
    exit_code integer,
    bucket smallint NOT NULL,
    write_key smallint NOT NULL,
    ci boolean,
    langchain boolean,
    mcp boolean,
    first_run boolean NOT NULL,
    message_key bytea NOT NULL,
    anonymous_id bytea,
    session_key bytea,
    application_hash bytea,
    source_config_hash bytea,
    destination_config_hash bytea,
    cache_config_hash bytea,
    event text {required},
    state text {required},
    version text,
    python_version text,
    os text,
    notebook_runtime text,
    source_name text,
    source_executor_type text,
    source_version text,
    destination_name text,
    destination_executor_type text,
    destination_version text,
    cache_type text,
    exception_class text,
    connector_name text,
"""

COUNTED = """
    CREATE TABLE {name} (
        hour timestamptz NOT NULL,
        batch_id uuid NOT NULL,
        count bigint NOT NULL,
        bucket smallint NOT NULL,
        write_key smallint NOT NULL,
        {kind} text NOT NULL,
        reason text NOT NULL DEFAULT '',
        PRIMARY KEY (bucket, batch_id, hour, write_key, {kind}, reason),
        CONSTRAINT {name}_{kind}_check CHECK ({kind} IN ({values}))
    )
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '5min'")
    op.execute(
        f"""
        CREATE TABLE events (
            {PROJECTION.format(required="NOT NULL")}
            PRIMARY KEY (occurred_at, bucket, message_key)
        ) PARTITION BY RANGE (occurred_at)
        """
    )
    op.execute(
        f"""
        CREATE TABLE rejections (
            {PROJECTION.format(required="")}
            reason text NOT NULL,
            path text NOT NULL,
            PRIMARY KEY (occurred_at, bucket, message_key)
        ) PARTITION BY RANGE (occurred_at)
        """
    )
    for table in ("events", "rejections"):
        op.execute(f"CREATE INDEX {table}_session_key_idx ON {table} (session_key)")
        op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
    op.execute(
        COUNTED.format(
            name="outcomes",
            kind="outcome",
            values="'received', 'accepted', 'duplicate', 'rejected', 'expired', 'forgotten'",
        )
    )
    op.execute(COUNTED.format(name="tallies", kind="kind", values="'refused', 'withheld', 'client_dropped'"))
    op.execute(
        """
        CREATE TABLE write_keys (
            id smallint GENERATED ALWAYS AS IDENTITY,
            created_at timestamptz NOT NULL,
            revoked_at timestamptz,
            name text NOT NULL CONSTRAINT write_keys_name_key UNIQUE,
            key_hash bytea NOT NULL CONSTRAINT write_keys_key_hash_key UNIQUE,
            PRIMARY KEY (id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE hash_key_check (
            single boolean NOT NULL DEFAULT true CONSTRAINT hash_key_check_single_check CHECK (single),
            key_check bytea NOT NULL,
            PRIMARY KEY (single)
        )
        """
    )


def downgrade() -> None:
    for table in ("hash_key_check", "write_keys", "tallies", "outcomes", "rejections", "events"):
        op.execute(f"DROP TABLE {table}")
