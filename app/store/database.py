"""Connections to Postgres: the write engine of the service, the read engine of the reports."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from app.postgres import open_server
from app.problems import ConfigurationError
from app.settings import Settings
from app.store.sessions import pin

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

# A write takes milliseconds: one that takes seconds is stuck, and must let go of its locks.
WRITE_SESSION: Final = {"statement_timeout": "2s", "idle_in_transaction_session_timeout": "1500ms"}
READ_SESSION: Final = {"statement_timeout": "30s", "default_transaction_read_only": "on", "jit": "off"}
CONNECT_SECONDS: Final = 5
TCP_USER_TIMEOUT_MS: Final = 3000  # a peer that vanished without a reset is given up


@dataclass(frozen=True, slots=True, repr=False)
class Database:
    """A database in use: its URL, and how to bring it back when the connection is lost (embedded only; may block)."""

    url: str
    ensure_running: Callable[[], None]


@contextmanager
def hold(settings: Settings, *, create: bool = False) -> Iterator[Database]:
    """The database that the settings name, for the length of the block; the embedded one if they name none.

    `create` makes the embedded cluster where there is none. Raises TelemetryError.
    """
    if settings.database_url is not None:
        url = parse_url(settings.database_url.get_secret_value()).render_as_string(hide_password=False)
        yield Database(url, lambda: None)
    else:
        with open_server(settings.data_dir, settings.pg_bin, create=create) as server:
            yield Database(server.url, server.ensure_running)


def parse_url(url: str) -> URL:
    """A SQLAlchemy URL with psycopg as its driver. Raises ConfigurationError, never naming the URL (it has a password)."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "TELEMETRY_DATABASE_URL is not a URL such as postgresql://user:password@host/name: percent-encode `@`, `:`, `/` "
            "and other special characters of the password. Several hosts: ?host=a:5432&host=b:5432."
        ) from None
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise ConfigurationError(
            "TELEMETRY_DATABASE_URL must name a Postgres: postgresql://user:password@host/name"
        )
    return parsed.set(drivername="postgresql+psycopg")


def connect_arguments(application: str) -> dict[str, Any]:
    """libpq's parameters."""
    return {
        "application_name": application,
        "connect_timeout": CONNECT_SECONDS,
        "tcp_user_timeout": TCP_USER_TIMEOUT_MS,
    }


def open_write_engine(url: str) -> "AsyncEngine":
    """The engine of the write path: every statement is its own transaction. Errors never carry parameters."""
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 -- reports and other commands need none

    engine = create_async_engine(
        parse_url(url),
        isolation_level="AUTOCOMMIT",
        pool_size=2,
        max_overflow=2,
        hide_parameters=True,
        connect_args=connect_arguments("pyairbyte-telemetry ingest"),
    )
    pin(engine, **WRITE_SESSION)
    return engine


def open_engine(url: str) -> Engine:
    """The engine of the reports: read only, with a statement time-out."""
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
    """An engine for one command that may write: no pool, no time-outs."""
    engine = create_engine(
        parse_url(url),
        poolclass=NullPool,
        hide_parameters=True,
        connect_args=connect_arguments("pyairbyte-telemetry"),
    )
    pin(engine)
    return engine
