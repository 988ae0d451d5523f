"""Pseudonyms as uuid, closed vocabularies as enumerations, columns in an order without padding.

The tables are made anew, because a column keeps its place for ever. Checks of columns that stay text are carried over as
0003 wrote them.

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-25
"""

from alembic import op
from sqlalchemy import text

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TYPES = {
    "event_name": ("install", "sync", "validate", "check"),
    "event_state": ("started", "failed", "succeeded", "canceled"),
    "notebook_runtime": ("GOOGLE_COLAB", "JUPYTER", "VS_CODE"),
    "executor_type": (
        "VenvExecutor",
        "PathExecutor",
        "DockerExecutor",
        "DeclarativeExecutor",
        "NoOpExecutor",
        "Executor",
        "unknown",
        "venv",
        "local_install",
    ),
    "cache_type": (
        "DuckDBCache",
        "MotherDuckCache",
        "PostgresCache",
        "SnowflakeCache",
        "BigQueryCache",
        "streaming",
        "duckdb",
        "postgres",
        "snowflake",
        "bigquery",
        "custom",
    ),
}
ENUMERATIONS = {
    "event": "event_name",
    "state": "event_state",
    "notebook_runtime": "notebook_runtime",
    "source_executor_type": "executor_type",
    "destination_executor_type": "executor_type",
    "cache_type": "cache_type",
}
PSEUDONYMS = (
    "message_key",
    "anonymous_id",
    "session_key",
    "application_hash",
    "source_config_hash",
    "destination_config_hash",
    "cache_config_hash",
)
LEDGER = "reason text NOT NULL, path text NOT NULL,"

NARROW = """
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    corrected_at timestamptz,
    number_of_records bigint,
    exit_code integer,
    event event_name {required},
    state event_state {required},
    notebook_runtime notebook_runtime,
    source_executor_type executor_type,
    destination_executor_type executor_type,
    cache_type cache_type,
    bucket smallint NOT NULL,
    write_key smallint NOT NULL,
    ci boolean,
    langchain boolean,
    mcp boolean,
    first_run boolean NOT NULL,
    message_key uuid NOT NULL,
    anonymous_id uuid,
    session_key uuid,
    application_hash uuid,
    source_config_hash uuid,
    destination_config_hash uuid,
    cache_config_hash uuid,
    version text,
    python_version text,
    os text,
    source_name text,
    source_version text,
    destination_name text,
    destination_version text,
    exception_class text,
    connector_name text,
    {ledger}
    PRIMARY KEY (occurred_at, bucket, message_key)
"""

WIDE = """
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
    {ledger}
    PRIMARY KEY (occurred_at, bucket, message_key)
"""

CHECKS = """
    SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE conrelid = CAST(:table AS regclass) AND contype = 'c' ORDER BY conname
"""
PARTITIONS = """
    SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid
    WHERE inhparent = CAST(:table AS regclass) ORDER BY 1
"""
COLUMNS = """
    SELECT attname FROM pg_attribute
    WHERE attrelid = CAST(:table AS regclass) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
# Detached by retention and not dropped yet. The pattern is that of `app.store.partitions`.
DETACHED = """
    SELECT relname FROM pg_class
    WHERE relkind = 'r' AND NOT relispartition AND relnamespace = 'public'::regnamespace
      AND relname ~ ('^' || :table || '_p[0-9]{8}$')
"""


def words(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def rows(query: str, table: str) -> list[tuple[str, ...]]:
    return [tuple(row) for row in op.get_bind().execute(text(query), {"table": table})]


def narrowed() -> dict[str, str]:
    """How a column is read that becomes narrower."""
    pseudonyms = {column: f"CAST(encode({column}, 'hex') AS uuid)" for column in PSEUDONYMS}
    return pseudonyms | {column: f"CAST({column} AS {name})" for column, name in ENUMERATIONS.items()}


def widened() -> dict[str, str]:
    """How a column is read that becomes wide again."""
    pseudonyms = {column: f"uuid_send({column})" for column in PSEUDONYMS}
    return pseudonyms | {column: f"CAST({column} AS text)" for column in ENUMERATIONS}


def wide_checks(table: str) -> list[tuple[str, ...]]:
    """The checks of 0003 that the types make needless."""
    checks = {column: f"octet_length({column}) = 16" for column in PSEUDONYMS}
    checks |= {column: f"{column} IN ({words(TYPES[name])})" for column, name in ENUMERATIONS.items()}
    checks["destination_executor_type"] = (
        f"destination_executor_type IN ({words(TYPES['executor_type'][:-2])})"
    )
    return [(f"{table}_{column}_closed", f"CHECK ({condition})") for column, condition in checks.items()]


def remake(table: str, columns: str, read: dict[str, str], checks: list[tuple[str, ...]]) -> None:
    """Make a table anew with its partitions, and put its rows back, each column as `read` says."""
    partitions = rows(PARTITIONS, table)
    detached = [name for (name,) in rows(DETACHED, table)]
    for name in (table, *detached):
        take_out(name, read)
    ledger = table == "rejections"
    body = columns.format(required="" if ledger else "NOT NULL", ledger=LEDGER if ledger else "")
    op.execute(f"CREATE TABLE {table} ({body}) PARTITION BY RANGE (occurred_at)")
    op.execute(f"CREATE INDEX {table}_session_key_idx ON {table} (session_key)")
    for name, definition in checks:
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
    for name, bound in partitions:
        op.execute(f"CREATE TABLE {name} PARTITION OF {table} {bound}")
    for name in detached:
        op.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    for name in (table, *detached):
        put_back(name)


def columns_of(table: str) -> list[str]:
    return [name for (name,) in rows(COLUMNS, table)]


def take_out(table: str, read: dict[str, str]) -> None:
    """Move the rows of a table aside, converted, and drop it."""
    converted = ", ".join(f"{read.get(name, name)} AS {name}" for name in columns_of(table))
    op.execute(f"CREATE TEMPORARY TABLE {table}_aside ON COMMIT DROP AS SELECT {converted} FROM {table}")
    op.execute(f"DROP TABLE {table}")


def put_back(table: str) -> None:
    names = ", ".join(columns_of(table))
    op.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM {table}_aside")
    op.execute(f"DROP TABLE {table}_aside")


def set_timeouts() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '30min'")  # every row is written twice


def upgrade() -> None:
    set_timeouts()
    for name, values in TYPES.items():
        op.execute(f"CREATE TYPE {name} AS ENUM ({words(values)})")
    for table in ("events", "rejections"):
        needless = {name for name, _ in wide_checks(table)}
        kept = [check for check in rows(CHECKS, table) if check[0] not in needless]
        remake(table, NARROW, narrowed(), kept)
    op.execute(
        """
        ALTER TABLE tombstones
            DROP CONSTRAINT tombstones_anonymous_id_check,
            ALTER anonymous_id TYPE uuid USING CAST(encode(anonymous_id, 'hex') AS uuid)
        """
    )


def downgrade() -> None:
    set_timeouts()
    for table in ("events", "rejections"):
        remake(table, WIDE, widened(), [*rows(CHECKS, table), *wide_checks(table)])
    op.execute(
        """
        ALTER TABLE tombstones
            ALTER anonymous_id TYPE bytea USING uuid_send(anonymous_id),
            ADD CONSTRAINT tombstones_anonymous_id_check CHECK (octet_length(anonymous_id) = 16)
        """
    )
    for name in TYPES:
        op.execute(f"DROP TYPE {name}")
