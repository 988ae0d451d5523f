"""Rollups: the queue of sessions to recompute, what each contributed, and sums by user and day.

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-27
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NAME = "length({0}) <= 75 AND {0} !~ '[^a-z0-9-]'"
RELEASE = "length({0}) <= 100 AND {0} !~ '[^0-9a-z.+-]'"
WORD = "length({0}) <= 64 AND {0} !~ '[^A-Za-z0-9_]'"
RUNTIME = "length({0}) <= 64 AND {0} !~ '[^A-Za-z0-9_ ().+-]'"
EVENTS = "event IN ('sync', 'install', 'validate', 'check')"
LANES = "lane IN ('direct', 'cache', 'write')"
FAILURE_CLASSES = "failure_class IN ('config', 'destination', 'pyairbyte', 'connector', 'other')"

CHECKS = {
    "routes": {
        "event": EVENTS,
        "lane": LANES,
        "source_name": NAME,
        "source_version": RELEASE,
        "destination_name": NAME,
        "destination_version": RELEASE,
        "cache_type": WORD,
    },
    "environments": {
        "version": RELEASE,
        "python_version": RUNTIME,
        "os": RUNTIME,
        "notebook_runtime": WORD,
        "source_executor_type": WORD,
        "destination_executor_type": WORD,
    },
    "failures": {"exception_class": WORD, "failure_class": FAILURE_CLASSES},
    "connector_days": {"role": "role IN ('source', 'destination')", "connector": NAME, "lane": LANES},
    "rollup_buckets": {"bucket": "bucket BETWEEN 0 AND 4095"},
}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '5min'")
    # Rows come and go by the thousand: they are cleared away early, and no row says more than where to look.
    op.execute(
        """
        CREATE TABLE dirty_sessions (
            received_at timestamptz NOT NULL,
            occurred_at timestamptz NOT NULL,
            bucket smallint NOT NULL,
            session_key bigint,
            message_key bigint,
            CONSTRAINT dirty_sessions_key_check CHECK (num_nonnulls(session_key, message_key) = 1)
        ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)
        """
    )
    # Sessions whose recomputation fails are put aside, so that everybody else's goes on.
    op.execute(
        """
        CREATE TABLE quarantined_sessions (
            quarantined_at timestamptz NOT NULL,
            met_at timestamptz NOT NULL,
            bucket smallint NOT NULL,
            session_key bigint NOT NULL,
            sqlstate text NOT NULL,
            CONSTRAINT quarantined_sessions_sqlstate_closed CHECK (sqlstate ~ '^[0-9A-Z]{5}$'),
            PRIMARY KEY (bucket, session_key)
        )
        """
    )
    op.execute("CREATE TABLE rollup_buckets (bucket smallint PRIMARY KEY)")
    op.execute("INSERT INTO rollup_buckets SELECT generate_series(0, 4095)")
    op.execute(
        """
        CREATE TABLE routes (
            id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            event text NOT NULL,
            lane text NOT NULL,
            source_name text NOT NULL,
            source_version text NOT NULL,
            destination_name text NOT NULL,
            destination_version text NOT NULL,
            cache_type text NOT NULL,
            last_day date NOT NULL,
            CONSTRAINT routes_words_key UNIQUE (
                source_name, destination_name, lane, event, source_version, destination_version, cache_type
            )
        )
        """
    )
    op.execute(
        """
        CREATE TABLE environments (
            id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            ci boolean NOT NULL,
            prerelease boolean,
            version text NOT NULL,
            python_version text NOT NULL,
            os text NOT NULL,
            notebook_runtime text NOT NULL,
            source_executor_type text NOT NULL,
            destination_executor_type text NOT NULL,
            last_day date NOT NULL,
            CONSTRAINT environments_words_key UNIQUE (
                version, python_version, os, ci, notebook_runtime, source_executor_type,
                destination_executor_type
            )
        )
        """
    )
    op.execute(
        """
        CREATE TABLE failures (
            id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            exception_class text NOT NULL CONSTRAINT failures_exception_class_key UNIQUE,
            failure_class text NOT NULL
        )
        """
    )
    op.execute(
        """
        CREATE TABLE attempts (
            session_key bigint NOT NULL,
            day_key bigint NOT NULL,
            settles_at timestamptz NOT NULL,
            records bigint,
            day date NOT NULL,
            times integer,
            bucket smallint NOT NULL,
            kind smallint NOT NULL,
            CONSTRAINT attempts_kind_check CHECK (kind BETWEEN 0 AND 8191)
        )
        """
    )
    op.execute("CREATE INDEX attempts_session_key_idx ON attempts (session_key)")
    op.execute("CREATE INDEX attempts_settles_at_idx ON attempts (settles_at) WHERE (kind & 3) = 0")
    op.execute("CREATE INDEX attempts_day_idx ON attempts USING brin (day)")
    op.execute(
        """
        CREATE TABLE unit_days (
            unit bigint NOT NULL,
            application_hash bigint NOT NULL,
            day_key bigint NOT NULL,
            records bigint,
            day date NOT NULL,
            route integer NOT NULL,
            environment integer NOT NULL,
            succeeded integer,
            failed integer,
            bucket smallint NOT NULL,
            failure smallint NOT NULL,
            canceled integer,
            open integer,
            orphans integer,
            from_ledger integer,
            first_runs integer,
            corrected integer,
            timed integer,
            durations integer,
            PRIMARY KEY (day, bucket, day_key)
        ) WITH (fillfactor = 90)
        """
    )
    op.execute("CREATE INDEX unit_days_route_idx ON unit_days (route, day)")  # for the page of one connector
    op.execute(
        """
        CREATE TABLE units (
            first_hour timestamptz NOT NULL,
            last_day date NOT NULL,
            bucket smallint NOT NULL,
            unit bigint NOT NULL,
            setup bigint,
            write_keys bigint NOT NULL,
            lasting boolean NOT NULL,
            crowded boolean NOT NULL,
            settled boolean NOT NULL
                GENERATED ALWAYS AS (last_day - CAST(first_hour AT TIME ZONE 'UTC' AS date) >= 7) STORED,
            CONSTRAINT units_write_keys_check CHECK (write_keys > 0),
            CONSTRAINT units_first_hour_check CHECK (first_hour = date_trunc('hour', first_hour, 'UTC')),
            PRIMARY KEY (bucket, unit)
        ) WITH (fillfactor = 90)
        """
    )
    op.execute(
        """
        CREATE TABLE connector_days (
            day date NOT NULL,
            bucket smallint NOT NULL,
            role text NOT NULL,
            connector text NOT NULL,
            lane text NOT NULL,
            units integer NOT NULL,
            affected_units integer NOT NULL,
            CONSTRAINT connector_days_units_check CHECK (units >= 10),
            PRIMARY KEY (day, bucket, role, connector, lane)
        )
        """
    )
    for table, columns in CHECKS.items():
        for column, condition in columns.items():
            op.execute(
                f"ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_closed CHECK "
                f"({condition.format(column)})"
            )


def downgrade() -> None:
    for table in (
        "connector_days",
        "units",
        "unit_days",
        "attempts",
        "failures",
        "environments",
        "routes",
        "rollup_buckets",
        "quarantined_sessions",
        "dirty_sessions",
    ):
        op.execute(f"DROP TABLE {table}")
