"""What every connection sets, whatever a database, a role or a server says: what we promise rests on it.

Set by a statement when the connection is made, not by libpq's `options`: PgBouncer refuses those. A pooler
that gives each transaction another server connection takes such settings away, and locks and prepared
statements with them; it is recognised at start.
"""

from typing import TYPE_CHECKING, Any, Final

import psycopg
from sqlalchemy import Dialect, Engine, create_engine, event

from app.store.causes import Cause, DatabaseError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

# 200 means durable: `off` and `local` lose what was acknowledged; remote_apply is stronger than on.
SYNCHRONOUS: Final = """
    set_config('synchronous_commit',
        CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END,
        false)
"""
# Of Postgres 17.
TRANSACTION_TIMEOUT: Final = """
    CASE WHEN current_setting('transaction_timeout', true) IS NOT NULL
        THEN set_config('transaction_timeout', '0', false) END
"""
PINNED: Final = {
    "search_path": "public",
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "client_encoding": "UTF8",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "row_security": "on",
    "array_nulls": "on",
    "extra_float_digits": "1",
    "transform_null_equals": "off",
    "quote_all_identifiers": "off",
    "exit_on_error": "off",
    "idle_session_timeout": "0",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    # A node of a cluster that hangs takes connections and says nothing; a name without use where there is no
    # Citus.
    "citus.node_connection_timeout": "5s",
}


def pin(engine: "Engine | AsyncEngine", **further: str) -> None:
    """Let every new connection of an engine set what is pinned, and `further` settings, in one round trip."""
    pins = PINNED | further
    calls = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in pins.items())
    statement = f"SELECT {SYNCHRONOUS}, {TRANSACTION_TIMEOUT}, {calls}"

    # In the place of the dialect's own connecting: what it asks of a new
    # connection first needs the pins, too.
    def connect(dialect: Dialect, _record: object, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        connection: Any = dialect.connect(*arguments, **keywords)
        own = connection.autocommit
        connection.autocommit = True  # a setting of a transaction that is rolled back would be gone with it
        cursor = connection.cursor()
        cursor.execute(statement)
        cursor.close()
        connection.autocommit = own
        return connection

    event.listen(getattr(engine, "sync_engine", engine), "do_connect", connect)


def refuse_transaction_pooling(url: str) -> None:
    """Raise DatabaseError if a pooler between us and Postgres shares server connections between transactions.

    Two connections of our own tell: with a server connection each, the first one keeps its backend while the
    second is in a transaction, and it is not the second one's.
    """
    engine = create_engine(url)
    arguments: dict[str, Any] = {**engine.dialect.create_connect_args(engine.url)[1]}
    arguments |= {"autocommit": True, "prepare_threshold": None, "connect_timeout": 5}
    with psycopg.connect(**arguments) as first, psycopg.connect(**arguments) as second:
        before = backend(first)
        with second.transaction():
            between = backend(second)
            after = backend(first)
    if before == between or before != after:
        raise DatabaseError(Cause.POOLER)


def backend(connection: "psycopg.Connection[Any]") -> int:
    """Return the process id of the server connection that answers."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return int(row[0]) if row else 0
