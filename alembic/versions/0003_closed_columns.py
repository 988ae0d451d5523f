"""CHECK constraints that mirror the patterns of the wire: even a bug cannot store free text.

The common form of a version is tried first, by a pattern that costs a tenth of the full one.

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-23
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

PSEUDONYMS = (
    "anonymous_id",
    "session_key",
    "application_hash",
    "source_config_hash",
    "destination_config_hash",
    "cache_config_hash",
)
EXECUTORS = (
    "VenvExecutor",
    "PathExecutor",
    "DockerExecutor",
    "DeclarativeExecutor",
    "NoOpExecutor",
    "Executor",
    "unknown",
)
WORDS = {
    "event": ("install", "sync", "validate", "check"),
    "state": ("started", "failed", "succeeded", "canceled"),
    "notebook_runtime": ("GOOGLE_COLAB", "JUPYTER", "VS_CODE"),
    "source_executor_type": (*EXECUTORS, "venv", "local_install"),
    "destination_executor_type": EXECUTORS,
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
SYSTEMS = (
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
    "Emscripten",
    "Google Colab",
    "CYGWIN",
    "MSYS",
    "MINGW64",
)
SYSTEM_PATTERN = (
    r"(CYGWIN|MSYS|MINGW64)_NT-[0-9.]{3,12}(-[0-9]{1,6})?"
    r"|Google Colab \(release-colab[a-z-]{0,16}[_-][0-9]{8}-[0-9]{6}[_-]RC[0-9]{2}\)"
)
LIBRARY = (
    r"[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}((a|b|rc)[0-9]{1,6})?"
    r"(\.post[0-9]{1,6})?(\.dev[0-9]{1,18})?(\+g?[0-9a-f]{7,40})?"
)
PYTHON = r"3\.[0-9]{1,3}\.[0-9]{1,3}((a|b|rc)[0-9]{1,3})?\+? \((CPython|PyPy|GraalVM)\)"
CONNECTOR_VERSION = (
    r"[0-9]{1,5}(\.[0-9]{1,5}){1,2}([-.]?(a|b|rc|dev|preview|post)[.-]?[0-9a-f]{0,18})?|unknown|latest"
)
# No alternatives and no counts in the pattern: it costs a sixth of the exact one, and free text needs more than [a-z0-9-].
NAME = (
    "{0} IN ('unknown', 'custom') OR (length({0}) <= 75 AND {0} !~ '[^a-z0-9-]'"
    " AND (starts_with({0}, 'source-') OR starts_with({0}, 'destination-')))"  # install: a destination in `source`
)
RULES = (
    "missing|not_an_object|unknown_key|not_allowed|pattern|too_long|wrong_type|out_of_range|low_entropy|vocabulary|invalid"
    "|not_json|duplicate_key|not_a_number|character|too_deep|too_large|internal|pii_[a-z0-9_]+"
)
RULE = f"length(reason) <= 32 AND reason ~ '^({RULES})$'"
CODE = "length(reason) <= 32 AND reason ~ '^[a-z][a-z0-9_]*$'"
FIELDS = (
    "anonymousId|messageId|event|timestamp|sentAt|type|writeKey|userId|integrations|context|library|receivedAt"
    "|originalTimestamp|properties|session_id|state|version|python_version|os|application_hash|flags|source|destination"
    "|cache|number_of_records|exception|ip|name|executor_type|config_hash|class|connector_name|exit_code|message"
    "|stream_name|violation|CI|LANGCHAIN|MCP|NOTEBOOK_RUNTIME"
)
PATH = f"path = '' OR (length(path) <= 80 AND path ~ '^({FIELDS}|[*])([.]({FIELDS}|[*]))*$')"


def words(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def version(column: str, pattern: str, length: int) -> str:
    return f"length({column}) <= {length} AND ({column} ~ '^[0-9]+[.][0-9]+[.][0-9]+$' OR {column} ~ '^({pattern})$')"


CHECKS = {
    **{column: f"octet_length({column}) = 16" for column in ("message_key", *PSEUDONYMS)},
    **{column: f"{column} IN ({words(values)})" for column, values in WORDS.items()},
    "bucket": "bucket BETWEEN 0 AND 255",
    "number_of_records": "number_of_records BETWEEN 0 AND 9007199254740991",
    "os": f"os IN ({words(SYSTEMS)}) OR (length(os) <= 64 AND os ~ '^({SYSTEM_PATTERN})$')",
    "version": version("version", LIBRARY, 100),
    "python_version": (
        "(length(python_version) <= 19 AND python_version LIKE '3.%.% (CPython)'"
        " AND left(python_version, -10) !~ '[^0-9.]')"
        f" OR (length(python_version) <= 40 AND python_version ~ '^({PYTHON})$')"
    ),
    "source_version": version("source_version", CONNECTOR_VERSION, 48),
    "destination_version": version("destination_version", CONNECTOR_VERSION, 48),
    "source_name": NAME.format("source_name"),
    "destination_name": NAME.format("destination_name"),
    "connector_name": NAME.format("connector_name"),
    "exception_class": "length(exception_class) <= 64 AND exception_class ~ '^[A-Z_a-z][A-Za-z0-9_]*$'",
}
LEDGER = {"reason": RULE, "path": PATH}
COUNTED = {
    "outcomes": {"reason": f"reason = '' OR ({RULE})", "bucket": "bucket BETWEEN 0 AND 255"},
    "tallies": {
        "reason": f"({CODE}) OR ({PATH.replace('path', 'reason')})",
        "bucket": "bucket BETWEEN 0 AND 255",
    },
}


def checks() -> dict[str, dict[str, str]]:
    return {"events": CHECKS, "rejections": {**CHECKS, **LEDGER}, **COUNTED}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '30min'")  # rows that are there are looked at once
    for table, columns in checks().items():
        added = ", ".join(
            f"ADD CONSTRAINT {table}_{column}_closed CHECK ({condition})"
            for column, condition in columns.items()
        )
        op.execute(f"ALTER TABLE {table} {added}")


def downgrade() -> None:
    for table, columns in checks().items():
        dropped = ", ".join(f"DROP CONSTRAINT {table}_{column}_closed" for column in columns)
        op.execute(f"ALTER TABLE {table} {dropped}")
