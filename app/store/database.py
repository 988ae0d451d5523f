"""Connections to Postgres: the write engine of the service, the read engine of the reports."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from psycopg.pq import Conninfo
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from app.postgres import open_server
from app.problems import ConfigurationError
from app.settings import Settings, unset
from app.store.causes import Cause, DatabaseError
from app.store.sessions import pin

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

# A write takes milliseconds: one that takes seconds is stuck, and must let go of its locks.
WRITE_SESSION: Final = {"statement_timeout": "2s", "idle_in_transaction_session_timeout": "1500ms"}
READ_SESSION: Final = {"statement_timeout": "30s", "default_transaction_read_only": "on", "jit": "off"}
NOT_A_URL: Final = (
    "TELEMETRY_DATABASE_URL is not a URL such as postgresql://user:password@host/name: percent-encode "
    "`@`, `:`, `/` and other special characters of the password. Several hosts: ?host=a:5432&host=b:5432."
)
OPTIONS: Final = Conninfo.get_defaults()
KEYWORDS: Final = frozenset(option.keyword.decode() for option in OPTIONS)
# What libpq reads from the environment: for a database that is named, as every other program does.
VARIABLES: Final = frozenset(
    {*(option.envvar.decode() for option in OPTIONS if option.envvar), "PGSERVICEFILE", "PGSYSCONFDIR"}
    | {"PGDATESTYLE", "PGTZ", "PGGEQO"}
)
CONNECT_SECONDS: Final = 5
TCP_USER_TIMEOUT_MS: Final = 3000  # a peer that vanished without a reset is given up


@dataclass(frozen=True, slots=True, repr=False)
class Database:
    """A database in use: its URL, and how to bring it back when the connection is lost
    (embedded only; may block)."""

    url: str
    ensure_running: Callable[[], None]


@contextmanager
def hold(settings: Settings, *, create: bool = False) -> Iterator[Database]:
    """Yield the database that the settings name, for the length of the block; the
    embedded one if they name none.

    `create` makes the embedded cluster where there is none. Raises TelemetryError.
    """
    if settings.database_url is not None:
        url = parse_url(settings.database_url.get_secret_value()).render_as_string(hide_password=False)
        yield Database(url, lambda: None)
    else:
        unset(VARIABLES)  # of another server
        with open_server(settings.data_dir, settings.pg_bin, create=create) as server:
            yield Database(server.url, server.ensure_running)


def parse_url(url: str) -> URL:
    """Return a SQLAlchemy URL with psycopg as its driver. Raises ConfigurationError, never naming
    the URL (it has a password)."""
    try:
        parsed = make_url(url.strip())
    except (ArgumentError, ValueError):
        raise ConfigurationError(NOT_A_URL) from None
    # An `@` that is left over was one of the password, or stood behind a `/` or `?` of it.
    if (
        any("@" in part for part in (parsed.host or "", parsed.database or "", *parsed.query))
        or url.count("@") > 1
    ):
        raise ConfigurationError(NOT_A_URL)
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise ConfigurationError(
            "TELEMETRY_DATABASE_URL must name a Postgres: postgresql://user:password@host/name"
        )
    if not KEYWORDS.issuperset(parsed.query):  # the driver would take some as its own arguments
        raise DatabaseError(Cause.STARTUP_PARAMETER)
    if parsed.host and parsed.host.upper().startswith("%2F"):  # a folder of sockets, as libpq writes it
        _, user, password, _, port, name, query = parsed
        sockets = {"host": unquote(parsed.host)}
        parsed = URL.create("postgresql", user, password, None, port, name, {**query, **sockets})
    return parsed.set(drivername="postgresql+psycopg")


def connect_arguments(application: str) -> dict[str, Any]:
    """Return libpq's parameters."""
    return {
        "application_name": application,
        "connect_timeout": CONNECT_SECONDS,
        "tcp_user_timeout": TCP_USER_TIMEOUT_MS,
    }


def open_write_engine(url: str) -> "AsyncEngine":
    """Return the engine of the write path: every statement is its own transaction.
    Errors never carry parameters."""
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 -- reports and other commands need none

    engine = create_async_engine(
        parse_url(url),
        isolation_level="AUTOCOMMIT",
        pool_size=3,
        max_overflow=2,
        hide_parameters=True,
        connect_args=connect_arguments("pyairbyte-telemetry ingest"),
    )
    pin(engine, **WRITE_SESSION)
    return engine


def open_engine(url: str) -> Engine:
    """Return the engine of the reports: read only, with a statement time-out."""
    engine = create_engine(
        parse_url(url),
        pool_size=4,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args=connect_arguments("pyairbyte-telemetry reports"),
    )
    pin(engine, **READ_SESSION)
    return engine


def open_admin_engine(url: str) -> Engine:
    """Return an engine for one command that may write: no pool, no time-outs."""
    engine = create_engine(
        parse_url(url),
        poolclass=NullPool,
        hide_parameters=True,
        connect_args=connect_arguments("pyairbyte-telemetry"),
    )
    pin(engine)
    return engine
