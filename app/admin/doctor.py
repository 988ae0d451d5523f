"""`doctor`: looks at everything that a service needs, and says what is wrong and how to mend it."""

import datetime as dt
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from sqlalchemy import func, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.admin import folders
from app.admin.folders import Finding
from app.admin.nodes import check_nodes
from app.privacy.pseudonyms import Pseudonyms, to_text
from app.problems import TelemetryError
from app.settings import Settings, find_unknown
from app.store import keys, migrations, partitions, report_roles, secrets, stream_look
from app.store.causes import explain
from app.store.database import hold, open_admin_engine
from app.store.journal import Journal
from app.store.replay import replay
from app.store.sessions import refuse_transaction_pooling
from app.store.tables.events import hash_key_check
from app.store.tables.rollups import dirty_sessions, quarantined_sessions

CLOCK: Final = dt.timedelta(seconds=5)
NAMED: Final = 5  # quarantined sessions that are named
LAG: Final = dt.timedelta(minutes=1)


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield every check in order; those on the database end with the first that makes the
    others pointless. Never raises."""
    yield Finding("settings", True, f"{settings.workers} workers on {settings.host}:{settings.port}")
    yield from (Finding("settings", False, said) for said in find_unknown(os.environ))
    yield from folders.examine(settings.data_dir)
    try:
        pseudonyms = secrets.resolve(settings).pseudonyms()
    except TelemetryError as error:
        yield Finding("secrets", False, str(error))
        return
    try:
        yield from check_stream(settings, pseudonyms)
        with connect(settings) as connection:
            yield from check_database(connection, Journal(settings.data_dir, pseudonyms), settings)
    except TelemetryError as error:
        yield Finding("database", False, str(error))
    except (SQLAlchemyError, psycopg.Error) as error:
        yield Finding("database", False, explain(error))
    except Exception as error:  # noqa: BLE001 -- whoever asks what is wrong is not to be answered by a traceback
        yield Finding("database", False, f"Cannot be looked at ({type(error).__name__}).")


@contextmanager
def connect(settings: Settings) -> Iterator[Connection]:
    """Yield a connection to the configured database. Raises DatabaseError behind a
    pooler that shares connections."""
    with hold(settings) as database:
        if settings.database_url is not None:
            refuse_transaction_pooling(database.url)
        with open_admin_engine(database.url).connect() as connection:
            yield connection


def check_database(connection: Connection, journal: Journal, settings: Settings) -> Iterator[Finding]:
    """Version, revision, hash key, partitions, clock and tombstones."""
    version: str = connection.execute(text("SELECT current_setting('server_version')")).scalar_one()
    yield Finding(
        "database",
        int(version.split(".", maxsplit=1)[0].split(maxsplit=1)[0]) >= 15,
        f"Postgres {version}; 15 or later is needed",
    )
    revision = migrations.current(connection)
    migrations.check_revision(revision)
    if revision != migrations.head():
        yield Finding("schema", False, f"Revision {revision}, not {migrations.head()}: run `migrate`.")
        return
    yield Finding("schema", True, f"revision {revision}")
    yield from check_nodes(connection)
    checks: tuple[Callable[[], Finding], ...] = (
        lambda: check_writable(connection),
        lambda: check_durability(connection),
        lambda: check_hash_key(connection, journal.pseudonyms),
        lambda: check_write_keys(connection, settings),
        lambda: check_partitions(connection),
        lambda: check_rollups(connection),
        lambda: check_quarantine(connection),
        lambda: check_report_roles(connection),
        lambda: check_clock(connection),
        lambda: check_tombstones(connection, journal),
    )
    for check in checks:
        yield check()


def check_stream(settings: Settings, pseudonyms: Pseudonyms) -> Iterator[Finding]:
    """The stream of log mode can be used, and how safe it is: the latter is only warned of."""
    try:
        address = stream_look.read_address(settings)
        if address is None:
            return
        seen = stream_look.look(settings, address, pseudonyms, make=False)
    except TelemetryError as error:
        yield Finding("log", False, str(error))
        return
    state = seen.state
    if state is None:
        yield Finding("log", True, "NATS answers; `serve` makes the stream")
    else:
        share = state.size_bytes / state.most_bytes
        said = f"{state.messages} batches wait, the oldest for {state.age_seconds:,.0f} s; {share:.0%} full"
        yield Finding("log", True, f"{said}; {state.current} of {state.replicas} copies are up to date")
    yield from (Finding("log durability", True, f"Warning: {warning}") for warning in seen.warnings)


def check_writable(connection: Connection) -> Finding:
    """A statement that writes is taken."""
    try:
        connection.execute(text("DELETE FROM hash_key_check WHERE false"))
    except DBAPIError as error:
        connection.rollback()
        return Finding("writing", False, explain(error))
    connection.rollback()
    return Finding("writing", True, "the database takes writes")


def check_durability(connection: Connection) -> Finding:
    """What is committed survives a crash of the machine: only warned of, as that is the operator's choice.
    `synchronous_commit` we set ourselves.
    """
    names = ("fsync", "full_page_writes")
    off = [name for name in names if connection.execute(text(f"SHOW {name}")).scalar() == "off"]
    if off:
        said = (
            f"Warning: {' and '.join(off)} off: a crash of the machine can lose or damage what was "
            f"acknowledged."
        )
        return Finding("durability", True, said)
    return Finding("durability", True, "fsync and full_page_writes are on")


def check_hash_key(connection: Connection, pseudonyms: Pseudonyms) -> Finding:
    """The hash key is the one that the database was written with."""
    stored = connection.execute(select(hash_key_check.c.key_check)).scalar()
    if stored is None:
        return Finding("hash key", True, "none used yet")
    if bytes(stored) != pseudonyms.check():
        return Finding(
            "hash key",
            False,
            "Not the one that this database was written with: nothing can be stored. If that is lost "
            "for good: "
            "`keys replace-lost-hash`.",
        )
    return Finding("hash key", True, "the one that this database was written with")


def check_tombstones(connection: Connection, journal: Journal) -> Finding:
    """Who was forgotten is known outside the database, too, and a restored backup has brought nobody back."""
    if not check_hash_key(connection, journal.pseudonyms).well:
        return Finding("tombstones", True, "not looked at under another hash key")
    try:
        replayed = replay(connection, journal)
    except OSError as error:
        return Finding(
            "tombstones", False, f"Not kept outside the database ({os.strerror(error.errno or 0)})."
        )
    except TelemetryError as error:
        return Finding("tombstones", False, str(error))
    if not replayed.lost:
        return Finding("tombstones", True, f"{replayed.kept} kept outside the database, too")
    said = (
        f"The database had lost {replayed.lost} of {replayed.kept}, as by restoring a backup. It has "
        f"them again"
    )
    return Finding("tombstones", True, f"{said}; a running service deletes what came back.")


def check_write_keys(connection: Connection, settings: Settings) -> Finding:
    """Somebody may send."""
    known = keys.load(connection)
    number = sum(grant.is_in_force for grant in known.values())
    if number:
        return Finding("write keys", True, f"{number} in force")
    given = len(settings.extra_write_keys)
    if given and not known:
        return Finding("write keys", True, f"{given} in TELEMETRY_WRITE_KEYS, which `serve` puts into force")
    return Finding("write keys", False, "None in force: `keys create NAME`.")


def check_partitions(connection: Connection) -> Finding:
    """The coming weeks have partitions, and the default one is small."""
    now = dt.datetime.now(dt.UTC)
    present = set(partitions.weeks(connection))
    missing = [week for week in partitions.due(now)[partitions.WEEKS_BACK :] if week not in present]
    strays: int = connection.execute(
        text("SELECT count(*) FROM (SELECT 1 FROM events_default LIMIT 100001) AS strays")
    ).scalar_one()
    if missing:
        return Finding("partitions", False, f"None for {missing[0]}: run `migrate`; `serve` makes them, too.")
    return Finding(
        "partitions",
        strays <= 100_000,
        f"{len(present)} weeks; {strays} events outside of them (clocks that are off)",
    )


def check_rollups(connection: Connection) -> Finding:
    """Reports show what came in: nothing waits for long to be rolled up."""
    oldest: dt.datetime | None = connection.execute(select(func.min(dirty_sessions.c.received_at))).scalar()
    lag = dt.timedelta(0) if oldest is None else max(dt.datetime.now(dt.UTC) - oldest, dt.timedelta(0))
    if lag > LAG:
        return Finding(
            "rollups", False, f"{lag.total_seconds():,.0f} s behind; any running service catches up."
        )
    return Finding("rollups", True, f"{lag.total_seconds():.1f} s behind")


def check_quarantine(connection: Connection) -> Finding:
    """Every session can be recomputed."""
    aside = connection.execute(select(quarantined_sessions).order_by("quarantined_at").limit(NAMED)).all()
    if not aside:
        return Finding("quarantine", True, "no session")
    named = ", ".join(f"{to_text(row.session_key)} (SQLSTATE {row.sqlstate})" for row in aside)
    said = f"Recomputing these sessions fails: {named}. `rebuild --session KEY` tries one again."
    return Finding("quarantine", False, said)


def check_report_roles(connection: Connection) -> Finding:
    """Other tools can read the views; no fault of the service if not, so only said."""
    statements = report_roles.mend(connection)
    said = f"Incomplete; as an administrator run: {'; '.join(statements)};" if statements else "both there"
    return Finding("report roles", True, said)


def check_clock(connection: Connection) -> Finding:
    """This machine and the database agree on the time."""
    there: dt.datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    off = abs(dt.datetime.now(dt.UTC) - there)
    said = f"{off.total_seconds():.1f} s from the database's"
    return Finding("clock", off <= CLOCK, said if off <= CLOCK else f"{said}: set it by NTP.")
