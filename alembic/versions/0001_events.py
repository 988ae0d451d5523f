"""Events, the ledger of refusals, counts, write keys, tombstones, connector names.

CHECK constraints mirror the patterns of the wire: even a bug cannot store free text. The common form of a
version is tried first, by a pattern that costs a tenth of the full one.

Revision ID: 0001
Revises:
Create Date: 2026-11-27
"""

from alembic import op

revision = "0001"
down_revision = None
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

PROJECTION = """
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    message_key bigint NOT NULL,
    corrected_at timestamptz,
    anonymous_id bigint,
    session_key bigint,
    application_hash bigint,
    setup bigint,
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
    imported boolean NOT NULL DEFAULT false,
    crowded boolean NOT NULL DEFAULT false,
    version text,
    python_version text,
    os text,
    source_name text,
    source_version text,
    destination_name text,
    destination_version text,
    exception_class text,
    connector_name text,
"""

COUNTS_TABLE = """
    CREATE TABLE {name} (
        hour timestamptz NOT NULL,
        batch_id uuid NOT NULL,
        count bigint NOT NULL,
        bucket smallint NOT NULL,
        write_key smallint NOT NULL,
        {kind} text NOT NULL,
        reason text NOT NULL DEFAULT '',
        written_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (bucket, batch_id, hour, write_key, {kind}, reason),
        CONSTRAINT {name}_{kind}_check CHECK ({kind} IN ({values}))
    )
"""

SYSTEMS = (
    *(
        "",
        "Linux",
        "Darwin",
        "Windows",
        "FreeBSD",
        "OpenBSD",
        "NetBSD",
        "SunOS",
        "AIX",
        "Java",
        "Android",
        "iOS",
    ),
    *("Emscripten", "Google Colab", "CYGWIN", "MSYS", "MINGW64"),
)
# Versions in their canonical form: builds have no digits, and no part has more than four.
NUMBER = "(0|[1-9][0-9]{0,3})"
LIBRARY = rf"{NUMBER}\.{NUMBER}\.{NUMBER}((a|b|rc)(0|[1-9][0-9]{{0,2}}))?(\.post)?(\.dev)?(\+local)?|other"
CONNECTOR_VERSION = rf"{NUMBER}(\.{NUMBER}){{1,2}}(-(a|b|rc|dev|preview|post))?|unknown|latest|other"
# No alternatives and no counts in the pattern: it costs a sixth of the exact one, and free
# text needs more than [a-z0-9-].
NAME = (
    "{0} IN ('unknown', 'custom') OR (length({0}) <= 75 AND {0} !~ '[^a-z0-9-]'"
    " AND (starts_with({0}, 'source-') OR starts_with({0}, "
    "'destination-')))"  # install: a destination in `source`
)
RULES = (
    "missing|not_an_object|unknown_key|unsupported_type|not_allowed|pattern|too_long|wrong_type|out_of_range|low_entropy|vocabulary|invalid"
    "|not_json|duplicate_key|not_a_number|character|too_deep|too_large|internal|pii_[a-z0-9_]+"
)
RULE = f"length(reason) <= 32 AND reason ~ '^({RULES})$'"
CODE = "length(reason) <= 32 AND reason ~ '^[a-z][a-z0-9_]*$'"
FIELDS = (
    "anonymousId|messageId|event|timestamp|sentAt|type|userId|traits|batch|integrations|context|library|active|direct"
    "|channel|instanceId|protocols|location|device|id|_metadata|receivedAt|originalTimestamp|projectId|requestId|options|properties|session_id|state|version|python_version|os|application_hash|flags|source|destination"
    "|cache|number_of_records|exception|ip|name|executor_type|config_hash|class|connector_name|exit_code|message"
    "|stream_name|violation|CI|LANGCHAIN|MCP|NOTEBOOK_RUNTIME"
)
PATH = f"path = '' OR (length(path) <= 80 AND path ~ '^({FIELDS}|[*])([.]({FIELDS}|[*]))*$')"


def words(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def version(column: str, pattern: str) -> str:
    # Three numbers of four digits at most, eight in all: nearly every one. A pattern, of which
    # Postgres builds the automaton anew for each row, costs thrice as much.
    numbers = " AND ".join(f"length(split_part({column}, '.', {place})) <= 4" for place in (1, 2, 3))
    common = f"translate({column}, '0123456789', '') = '..' AND {column} LIKE '_%._%._%' AND {numbers}"
    return (
        f"(length({column}) <= 10 AND {common}) OR (length({column}) <= 32 AND {column} ~ "
        f"'^({pattern})$'"
        f" AND {column} !~ '^([0-9]([.]|a|b|rc)?){{9}}')"
    )


CHECKS = {
    "bucket": "bucket BETWEEN 0 AND 4095",
    "number_of_records": "number_of_records BETWEEN 0 AND 1000000000000",
    "exit_code": "exit_code BETWEEN -128 AND 255",
    "os": f"os IN ({words(SYSTEMS)})",
    "version": version("version", LIBRARY),
    "python_version": (
        "python_version LIKE '3._%._% (%)' AND length(split_part(python_version, ' ', 1)) <= 7"
        " AND translate(split_part(python_version, ' ', 1), '0123456789', '') = '..'"
        " AND substr(python_version, length(split_part(python_version, ' ', 1)) + 1)"
        " IN (' (CPython)', ' (PyPy)', ' (GraalVM)')"
    ),
    "source_version": version("source_version", CONNECTOR_VERSION),
    "destination_version": version("destination_version", CONNECTOR_VERSION),
    "source_name": NAME.format("source_name"),
    "destination_name": NAME.format("destination_name"),
    "connector_name": NAME.format("connector_name"),
    "exception_class": "length(exception_class) <= 64 AND exception_class ~ '^[A-Z_a-z][A-Za-z0-9_]*$'",
}
LEDGER = {"configured": "configured BETWEEN 0 AND 7", "reason": RULE, "path": PATH}
COUNTED = {
    "outcomes": {"reason": f"reason = '' OR ({RULE})", "bucket": "bucket BETWEEN 0 AND 4095"},
    "tallies": {
        "reason": f"({CODE}) OR ({PATH.replace('path', 'reason')})",
        "bucket": "bucket BETWEEN 0 AND 4095",
    },
}


# What a registry says of a public connector, as `connectors refresh` takes it.
REGISTRY = {
    "documentation_url": "length(documentation_url) <= 300 AND documentation_url ~ "
    "'^https://[a-z0-9.-]+(/[A-Za-z0-9._~/-]*)?$'",
    "issue_label": "length(issue_label) <= 75 AND issue_label ~ '^(source|destination)-[a-z0-9][a-z0-9-]*$'",
}


def checks() -> dict[str, dict[str, str]]:
    return {"events": CHECKS, "rejections": {**CHECKS, **LEDGER}, **COUNTED, "connectors": REGISTRY}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '5min'")
    for name, values in TYPES.items():
        op.execute(f"CREATE TYPE {name} AS ENUM ({words(values)})")
    create_events()
    create_counts()
    create_installation()
    create_words()
    for table, columns in checks().items():
        for column, condition in columns.items():
            op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_closed CHECK ({condition})")
    for table in ("events", "rejections"):
        op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")


def create_events() -> None:
    """Accepted events and the ledger, partitioned by the client's clock so that
    a retry meets its original."""
    for table, required, ledger in (
        ("events", "NOT NULL", ""),
        ("rejections", "", "configured smallint NOT NULL, reason text NOT NULL, path text NOT NULL,"),
    ):
        op.execute(
            f"""
            CREATE TABLE {table} (
                {PROJECTION.format(required=required)}
                {ledger}
                PRIMARY KEY (occurred_at, bucket, message_key)
            ) PARTITION BY RANGE (occurred_at)
            """
        )
        op.execute(f"CREATE INDEX {table}_session_key_idx ON {table} (session_key)")


def create_counts() -> None:
    """Counts by hour and write key; their keys fence a batch against a second commit."""
    outcomes = ("received", "accepted", "duplicate", "rejected", "expired", "forgotten")
    op.execute(COUNTS_TABLE.format(name="outcomes", kind="outcome", values=words(outcomes)))
    op.execute("CREATE INDEX outcomes_written_at_idx ON outcomes USING brin (written_at)")
    kinds = ("refused", "withheld", "client_dropped", "envelope", "outside_window", "new_word")
    op.execute(COUNTS_TABLE.format(name="tallies", kind="kind", values=words(kinds)))


def create_installation() -> None:
    """What belongs to the installation: keys, tombstones, dropped weeks, names of connectors."""
    op.execute(
        """
        CREATE TABLE tombstones (
            requested_at timestamptz NOT NULL,
            met_at timestamptz,
            bucket smallint NOT NULL,
            sweeps smallint NOT NULL DEFAULT 0,
            anonymous_id bigint NOT NULL,
            PRIMARY KEY (bucket, anonymous_id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE upkeep_clock (
            marked_at timestamptz NOT NULL,
            dropped_on date,
            dropped_weeks smallint NOT NULL DEFAULT 0,
            single boolean NOT NULL DEFAULT true CONSTRAINT upkeep_clock_single_check CHECK (single),
            distrusted boolean NOT NULL,
            PRIMARY KEY (single)
        )
        """
    )
    op.execute("CREATE INDEX tombstones_pending_idx ON tombstones (requested_at) WHERE sweeps < 3")
    op.execute("CREATE INDEX tombstones_requested_at_idx ON tombstones (requested_at)")
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
            definition_id uuid,
            documentation_url text,
            issue_label text,
            PRIMARY KEY (name),
            CONSTRAINT connectors_name_check CHECK (
                length(name) <= 75 AND name ~ '^(source|destination)-[a-z0-9][a-z0-9-]*$'
            )
        )
        """
    )
    op.execute(
        """
        CREATE TABLE write_keys (
            id smallint GENERATED ALWAYS AS IDENTITY,
            created_at timestamptz NOT NULL,
            expires_at timestamptz,
            revoked_at timestamptz,
            last_used_at timestamptz,
            name text NOT NULL CONSTRAINT write_keys_name_key UNIQUE,
            key_hash bytea NOT NULL CONSTRAINT write_keys_key_hash_key UNIQUE,
            scopes text[] NOT NULL CONSTRAINT write_keys_scopes_check CHECK (
                cardinality(scopes) > 0 AND scopes <@ ARRAY['ingest', 'import', 'relay']
            ),
            PRIMARY KEY (id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE report_tokens (
            id smallint GENERATED ALWAYS AS IDENTITY,
            created_at timestamptz NOT NULL,
            expires_at timestamptz,
            revoked_at timestamptz,
            name text NOT NULL CONSTRAINT report_tokens_name_key UNIQUE,
            token_hash bytea NOT NULL CONSTRAINT report_tokens_token_hash_key UNIQUE,
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


def create_words() -> None:
    """Versions: those that a list names, and those that strangers brought within the budget."""
    closed = """
            CONSTRAINT {0}_subject_check CHECK (length(subject) <= 75 AND subject !~ '[^a-z0-9-]'),
            CONSTRAINT {0}_word_check CHECK (length(word) <= 32 AND word !~ '[^0-9a-z.+-]')
    """
    op.execute(
        f"""
        CREATE TABLE listed_words (
            subject text NOT NULL,
            word text NOT NULL,
            added_at timestamptz NOT NULL,
            PRIMARY KEY (subject, word),
            {closed.format("listed_words")}
        )
        """
    )
    op.execute(
        f"""
        CREATE TABLE words (
            subject text NOT NULL,
            word text NOT NULL,
            first_day date NOT NULL,
            last_day date NOT NULL,
            write_key smallint NOT NULL,
            slot smallint,
            PRIMARY KEY (subject, word),
            {closed.format("words")}
        )
        """
    )
    op.execute("CREATE INDEX words_first_day_idx ON words (first_day)")


def downgrade() -> None:
    for table in (
        *("words", "listed_words"),
        *(
            "upkeep_clock",
            "connectors",
            "dropped_ranges",
            "tombstones",
            "hash_key_check",
            "report_tokens",
        ),
        "write_keys",
        *("tallies", "outcomes", "rejections", "events"),
    ):
        op.execute(f"DROP TABLE {table}")
    for name in TYPES:
        op.execute(f"DROP TYPE {name}")
