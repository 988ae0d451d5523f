"""Databases that are peculiar, or never work, at the start."""

import contextlib
import re
import signal
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import InternalError, OperationalError

from app.store.causes import Cause, cause_of, describe_fault
from app.store.database import parse_url
from app.store.migrations import MIGRATION_LOCK
from tests.look import wait_until
from tests.samples import basic, clean_event
from tests.service import Service
from tests.serving.starting import CANARY, fail

# What libpq and PgBouncer say, with names that mean another cause.
SAID = {
    Cause.REFUSED: [
        'connection failed: connection to server at "tls.password.example" (10.0.0.1), port 5432 '
        "failed: Connection refused",
        "consuming input failed: SSL connection has been closed unexpectedly",
        "consuming input failed: SSL SYSCALL error: EOF detected",
        "expected authentication request from server, but received H",
        "received invalid response to SSL negotiation: H",
        "FATAL: pgbouncer cannot connect to server",
    ],
    Cause.UNRESOLVABLE: [
        "failed to resolve host 'certificate.example': [Errno -2] Name or service not known",
    ],
    Cause.AUTHENTICATION: [
        'FATAL: role "starting up" does not exist',
        'FATAL: password authentication failed for user "database"',
        "fe_sendauth: no password supplied",
        'FATAL: role "low" is not permitted to log in',
        'FATAL: pg_hba.conf rejects connection for host "10.0.0.1", user "a", database "b", no encryption',
    ],
    Cause.NO_SUCH_DATABASE: ['FATAL: database "ssl" does not exist'],
    Cause.TLS: [
        'root certificate file "/refused" does not exist',
        'could not load private key file "/k": No such file or directory',
        "channel binding required, but SSL not in use",
    ],
    Cause.STARTUP_PARAMETER: [
        'invalid port number: "99999"',
        'invalid integer value "x" for connection option "keepalives"',
        'definition of service "password" not found',
        "session is not read-only",
    ],
    Cause.PERMISSION: [
        'FATAL: permission denied for database "x"\nDETAIL: User does not have CONNECT privilege.'
    ],
    Cause.READ_ONLY: ["session is read-only", "server is in hot standby mode"],
    Cause.TOO_MANY_CONNECTIONS: ["FATAL: sorry, too many clients already"],
}


@pytest.mark.parametrize("cause", SAID)
def test_names_in_a_message_do_not_decide_the_cause(cause: Cause) -> None:
    assert {cause_of(psycopg.OperationalError(text)) for text in SAID[cause]} == {cause}


def test_the_log_says_the_cause_and_no_message() -> None:
    lost = OperationalError("SELECT 1", None, psycopg.OperationalError("connection refused: S3cretPart"))
    assert describe_fault(lost) == {"error": "OperationalError", "sqlstate": None, "cause": "refused"}
    read_only = InternalError("UPDATE x", None, psycopg.errors.ReadOnlySqlTransaction("S3cretPart"))
    assert describe_fault(read_only)["cause"] == "read_only"
    deadlock = OperationalError("UPDATE x", None, psycopg.errors.DeadlockDetected("S3cretPart"))
    assert describe_fault(deadlock) == {"error": "OperationalError", "sqlstate": "40P01"}


URLS = {
    "port out of range": ("startup_parameter", "postgresql://app:S3cretPart@127.0.0.1:99999/x"),
    "port that is none": ("not a URL", "postgresql://app:S3cretPart@127.0.0.1:x/x"),
    "a parameter of the driver's": (
        "startup_parameter",
        "postgresql://a:S3cretPart@h.invalid/x?row_factory=S3cretPart",
    ),
    "a password with `@/`": ("percent-encode", "postgresql://app:S3cretPart@/%?@127.0.0.1/x"),
    "quoted": ("not a URL", "'postgresql://app:S3cretPart@127.0.0.1/x'"),
    "a mode of TLS that there is not": (
        "startup_parameter",
        "postgresql://app:S3cretPart@127.0.0.1/x?sslmode=S3cretPart",
    ),
    "no TLS there": ("(tls)", "postgresql://a:S3cretPart@127.0.0.1:{port}/x?sslmode=require"),
    "another product": ("must name a Postgres", "redis://:S3cretPart@127.0.0.1/0"),
}


@pytest.fixture
def plain_server() -> Iterator[int]:
    """Yield the port of a server that speaks no TLS and says so, as Postgres does."""

    class Refuse(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(8)
            self.request.sendall(b"N")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refuse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


@pytest.mark.parametrize("case", URLS)
def test_a_url_that_never_works_is_one_line(case: str, plain_server: int, tmp_path: Path) -> None:
    said, url = URLS[case]
    service = Service(tmp_path, url.format(port=plain_server), {})
    assert said in fail(service, "serve")
    examined = service.run("doctor")
    assert examined.returncode == 1
    assert CANARY.lower() not in (examined.stdout + examined.stderr).lower()
    assert "Traceback" not in examined.stderr


def test_forms_of_a_url_mean_the_same() -> None:
    for url in (
        "postgres://a:p%40%3A%2Fw@%2Frun%2Fpg/db",
        "postgresql:///db?host=/run/pg&user=a&password=p%40%3A%2Fw",
        " postgresql+psycopg://a:p%40%3A%2Fw@/db?host=%2Frun%2Fpg\n",
    ):
        engine = create_engine(parse_url(parse_url(url).render_as_string(hide_password=False)))
        given = engine.dialect.create_connect_args(engine.url)[1]
        del given["context"]
        assert given == {"host": "/run/pg", "user": "a", "password": "p@:/w", "dbname": "db"}


@contextlib.contextmanager
def role(administer: "psycopg.Connection[tuple[object, ...]]", url: str, *settings: str) -> Iterator[str]:
    """Yield the URL for a superuser with settings of its own."""
    administer.execute("CREATE ROLE peculiar LOGIN SUPERUSER PASSWORD 'p@:/%? w'")
    for each in settings:
        administer.execute(f"ALTER ROLE peculiar SET {each}".encode())
    try:
        yield (
            make_url(url).set(username="peculiar", password="p@:/%? w").render_as_string(hide_password=False)
        )
    finally:
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            connection.execute("DROP OWNED BY peculiar CASCADE")
        administer.execute("DROP ROLE peculiar")


def test_a_role_with_peculiar_settings_and_a_url_with_options_store_and_report(
    administer: "psycopg.Connection[tuple[object, ...]]", database_url: str, tmp_path: Path
) -> None:
    peculiar = (
        *(
            "search_path = elsewhere",
            "client_encoding = 'LATIN1'",
            "DateStyle = 'SQL, DMY'",
            "TimeZone = 'Asia/Tokyo'",
        ),
        *(
            "extra_float_digits = -15",
            "array_nulls = off",
            "statement_timeout = '5s'",
            "default_transaction_isolation = serializable",
        ),
        *(
            "idle_session_timeout = '100ms'",
            "standard_conforming_strings = off",
            "quote_all_identifiers = on",
        ),
    )
    with role(administer, database_url, *peculiar) as url:
        service = Service(tmp_path, f"{url}&options=-c%20work_mem%3D8MB%20-c%20geqo%3Doff", {})
        service.start()
        try:
            reply = httpx.post(
                f"{service.url}/v1/track", json=clean_event(), headers=basic(service.write_key), timeout=30
            )
            assert (reply.status_code, reply.json()["outcome"]) == (200, "accepted")
            home = httpx.get(
                f"{service.url}/v1/reports/home",
                headers={"Authorization": f"Bearer {service.report_token}"},
                timeout=30,
            )
            assert home.status_code == 200
            examined = service.run("doctor")
            assert examined.returncode == 0, examined.stdout
        finally:
            service.clean_up()


def test_sigterm_ends_a_start_that_waits_for_another_migration(database_url: str, tmp_path: Path) -> None:
    service = Service(tmp_path, database_url, {})
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        service.begin()
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_until(lambda: connection.execute(waiting).fetchone() == (1,), "it waits for the lock")
        assert service.stop() == 0
        wait_until(lambda: connection.execute(waiting).fetchone() == (0,), "nobody waits any more")
    assert "Traceback" not in service.output()
    assert "Error" not in service.output()


def test_sighup_of_a_start_starts_again(database_url: str, tmp_path: Path) -> None:
    service = Service(tmp_path, database_url, {})
    service.begin()
    wait_until(lambda: not ignores_hup(service.process.pid), "it takes SIGHUP")
    service.process.send_signal(signal.SIGHUP)
    service.await_health()
    assert service.stop() == 0


def ignores_hup(pid: int) -> bool:
    """Return whether SIGHUP would end a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(re.search(r"^SigCgt:\t(\w+)$", status, re.MULTILINE)[1], 16)  # type: ignore[index]
    return not caught & 1 << (signal.SIGHUP - 1)


def test_variables_of_another_server_do_not_lead_away_from_the_embedded_one(tmp_path: Path) -> None:
    elsewhere = {
        "PGHOST": "nowhere.invalid",
        "PGPORT": "tcp://10.0.0.1:5432",
        "PGSERVICE": "nope",
        "PGOPTIONS": "-c nope=1",
        "PGSSLMODE": "verify-full",
        "PGTARGETSESSIONATTRS": "standby",
    }
    service = Service(tmp_path, None, elsewhere)
    service.start()
    reply = httpx.post(
        f"{service.url}/v1/track", json=clean_event(), headers=basic(service.write_key), timeout=30
    )
    assert (reply.status_code, reply.json()["outcome"]) == (200, "accepted")
    assert service.stop() == 0
