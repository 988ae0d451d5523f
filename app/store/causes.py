"""Why a database cannot be used: a closed list of causes, each with what to do, the same at
start, in the log and in `doctor`.

A cause follows from the SQLSTATE where there is one. libpq gives none for a connection that fails, so its
text decides; nothing of that text is ever shown, since it quotes hosts and users.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Final

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.problems import Problem, TelemetryError


class Cause(StrEnum):
    """What is the matter with the database, or with the way there."""

    REFUSED = "refused"
    UNRESOLVABLE = "unresolvable"
    TIMEOUT = "timeout"
    AUTHENTICATION = "authentication"
    NO_SUCH_DATABASE = "no_such_database"
    TLS = "tls"
    STARTUP_PARAMETER = "startup_parameter"
    POOLER = "pooler"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    STARTING = "starting"
    READ_ONLY = "read_only"
    PERMISSION = "permission"
    ENCODING = "encoding"
    OUT_OF_SPACE = "out_of_space"
    FOREIGN_REVISION = "foreign_revision"
    NEWER_REVISION = "newer_revision"
    NOT_MIGRATED = "not_migrated"
    UNAVAILABLE = "unavailable"


REMEDIES: Final[dict[Cause, str]] = {
    Cause.REFUSED: "Nothing listens where TELEMETRY_DATABASE_URL points: is Postgres running, are host "
    "and port right?",
    Cause.UNRESOLVABLE: "The host name in TELEMETRY_DATABASE_URL is not known here: check its spelling "
    "and the name service.",
    Cause.TIMEOUT: "The database does not answer in time: is it overloaded, or a firewall in between?",
    Cause.AUTHENTICATION: "Postgres refuses the user or password of TELEMETRY_DATABASE_URL, or "
    "pg_hba.conf this machine.",
    Cause.NO_SUCH_DATABASE: "The server has no database of the name in TELEMETRY_DATABASE_URL: create "
    "it, or correct the name.",
    Cause.TLS: "TLS cannot be agreed on: set sslmode (and sslrootcert) in TELEMETRY_DATABASE_URL as the "
    "server wants it.",
    Cause.STARTUP_PARAMETER: "A parameter in TELEMETRY_DATABASE_URL, or a PG… variable of the "
    "environment, is refused, by Postgres or "
    "by a pooler in between: remove it.",
    Cause.POOLER: "TELEMETRY_DATABASE_URL leads through a pooler that shares connections between "
    "transactions: connect to Postgres "
    "itself, or set pool_mode = session.",
    Cause.TOO_MANY_CONNECTIONS: "Postgres has no connection left: raise max_connections (or the "
    "CONNECTION LIMIT of role or database), or stop what holds them.",
    Cause.STARTING: "Postgres is starting up, shutting down or recovering: it will take connections "
    "when it is done.",
    Cause.READ_ONLY: "The database only reads: is it a standby, or default_transaction_read_only set?",
    Cause.PERMISSION: "The user of TELEMETRY_DATABASE_URL lacks a right: it must own the database, or "
    "have CREATE on it and on "
    "schema public.",
    Cause.ENCODING: "The database is not encoded in UTF8: create it with ENCODING 'UTF8'.",
    Cause.OUT_OF_SPACE: "Postgres has no disk space or memory left.",
    Cause.FOREIGN_REVISION: "The database has an alembic_version that is not ours: it belongs to "
    "another application. Name another "
    "database in TELEMETRY_DATABASE_URL.",
    Cause.NEWER_REVISION: "The database was migrated by a newer release: run that one. Until then "
    "events are taken all the same, into "
    "the database or the spool.",
    Cause.NOT_MIGRATED: "The database has no tables of this release: run `migrate`; `serve` does it, too.",
    Cause.UNAVAILABLE: "The database cannot be used; its own log says why.",
}
# Where waiting or another release helps: the service starts, and spools until it does.
TRANSIENT: Final = frozenset(
    {
        *(Cause.REFUSED, Cause.UNRESOLVABLE, Cause.TIMEOUT, Cause.TOO_MANY_CONNECTIONS, Cause.STARTING),
        *(Cause.READ_ONLY, Cause.OUT_OF_SPACE, Cause.NEWER_REVISION, Cause.UNAVAILABLE),
    }
)
SQLSTATES: Final = {
    "25006": Cause.READ_ONLY,
    "28000": Cause.AUTHENTICATION,
    "28P01": Cause.AUTHENTICATION,
    "42P01": Cause.NOT_MIGRATED,
    "42703": Cause.NOT_MIGRATED,
    "3D000": Cause.NO_SUCH_DATABASE,
    "42501": Cause.PERMISSION,
    "53300": Cause.TOO_MANY_CONNECTIONS,
    "57014": Cause.TIMEOUT,
    "57P03": Cause.STARTING,
}
CLASSES: Final = {"28": Cause.AUTHENTICATION, "53": Cause.OUT_OF_SPACE, "57": Cause.STARTING}
# What a message quotes: names of hosts, users, databases, files. A host that is called
# `tls` says nothing of the cause.
QUOTED: Final = re.compile(r"\"[^\"]*\"|'[^']*'")
# First match first. The server's own words may be in its language; libpq's and PgBouncer's are not.
TEXTS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), cause)
    for pattern, cause in (
        (
            r"unsupported startup parameter|unrecognized configuration parameter"
            r"|invalid (connection option|URI query|port)",
            "startup_parameter",
        ),
        (
            r"extra key/value separator|invalid value for parameter|invalid \w+ value"
            r"|definition of service|bad value for"
            r"|session is not read-only|server is not in hot standby",
            "startup_parameter",
        ),
        (r"SSL connection has been closed|SSL SYSCALL error", "refused"),
        # Something else listens there.
        (r"expected authentication request from server|received invalid response to", "refused"),
        (
            r"password|pg_hba\.conf|authentication|role  does not exist|not permitted to log in|no such user"
            r"|\bGSS|\bSASL|\bSCRAM",
            "authentication",
        ),
        (r"permission denied for", "permission"),
        (r"database  does not exist|no such database", "no_such_database"),
        (r"\bSSL|\bTLS|certificate|private key|channel binding", "tls"),
        (r"resolve|translate host name|name or service not known|nodename nor servname", "unresolvable"),
        (
            r"too many (clients|connections)|connection slots|no more connections allowed|max_client_conn",
            "too_many_connections",
        ),
        (r"session is read-only|in hot standby", "read_only"),
        (r"starting up|shutting down|recovery mode|not yet accepting", "starting"),
        (
            r"refused|cannot connect to server|conn crashed|no such file or directory|unreachable|no route"
            r"|closed|reset by peer|terminating",
            "refused",
        ),
        (r"timeout|timed out", "timeout"),
    )
)


class DatabaseError(TelemetryError):
    """The database cannot be used for a cause of the list; the message says what to do."""

    def __init__(self, cause: Cause) -> None:
        """Take the message from the list."""
        super().__init__(f"{REMEDIES[cause]} ({cause})")
        self.cause = cause


def cause_of(error: BaseException) -> Cause:
    """Return the cause that an exception of the driver, or of ours, stands for."""
    if isinstance(error, DatabaseError):
        return error.cause
    if isinstance(error, TimeoutError):
        return Cause.TIMEOUT
    driver = error.orig if isinstance(error, DBAPIError) else error
    sqlstate = getattr(driver, "sqlstate", None)
    if sqlstate:
        return SQLSTATES.get(sqlstate) or CLASSES.get(sqlstate[:2], Cause.UNAVAILABLE)
    text = QUOTED.sub("", str(driver))
    return Cause(next((cause for pattern, cause in TEXTS if pattern.search(text)), Cause.UNAVAILABLE))


def describe_fault(error: Exception) -> dict[str, str | None]:
    """Return what a log says of an error: its class, its SQLSTATE and, unless that says another thing, its
    cause. Never its message, which may quote a row."""
    sqlstate = getattr(getattr(error, "orig", None), "sqlstate", None)
    cause = cause_of(error)
    said = {"error": type(error).__name__, "sqlstate": sqlstate}
    return said if sqlstate and cause is Cause.UNAVAILABLE else {**said, "cause": cause}


@contextmanager
def answering(detail: str = "The database cannot answer right now.") -> Iterator[None]:
    """Raise Problem 503 where the block finds that the database cannot answer, be it that it was not
    prepared yet."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError):
        raise Problem("database_unavailable", detail) from None
    except ProgrammingError as error:
        if cause_of(error) is not Cause.NOT_MIGRATED:
            raise
        raise Problem("database_unavailable", detail) from None


def explain(error: BaseException) -> str:
    """Return one sentence for whoever has to mend it, with the cause's code."""
    return str(DatabaseError(cause_of(error)))
