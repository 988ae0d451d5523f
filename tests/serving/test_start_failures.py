"""Every start failure is one line that says what to do; where events can be made durable,
the service starts and spools."""

import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import make_url

from tests.look import wait_until
from tests.samples import basic, clean_event
from tests.service import Service

CANARY = "S3cretPart"
PLAIN = Path("/proc/telemetry")  # nobody can write there


def with_url(url: str, **changes: object) -> str:
    return make_url(url).set(**changes).render_as_string(hide_password=False)  # type: ignore[arg-type]


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


PERMANENT: dict[str, tuple[str, Callable[[str], str]]] = {
    "raw password": ("not a URL", lambda _: f"postgresql://app:pw@x:{CANARY}/rest@db.example/telemetry"),
    "two hosts": ("Several hosts", lambda _: f"postgresql://app:{CANARY}@a.invalid:1,b.invalid:2/telemetry"),
    "another scheme": ("must name a Postgres", lambda _: f"mysql://app:{CANARY}@a.invalid/telemetry"),
    "no such database": ("no_such_database", lambda url: with_url(url, database=CANARY)),
    "no such role": ("authentication", lambda url: with_url(url, username=CANARY, password=CANARY)),
    "unknown parameter": ("startup_parameter", lambda url: f"{url}&options=-c%20{CANARY.lower()}%3D1"),
}


@pytest.mark.parametrize("case", PERMANENT)
def test_what_only_an_operator_can_mend_is_one_line(case: str, database_url: str, tmp_path: Path) -> None:
    said, spoil = PERMANENT[case]
    service = Service(tmp_path, spoil(database_url), {})
    for verb in ("serve", "migrate", "keys list", "report home"):
        done = service.run(*verb.split())
        assert done.returncode == 1, verb
        lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("Error: ")
        assert said in lines[0]
    examined = service.run("doctor")
    assert examined.returncode == 1
    assert said.split()[-1] in examined.stdout.replace("\n", " ")
    for done in (examined, *(service.run(verb) for verb in ("serve", "migrate"))):
        assert CANARY.lower() not in (done.stdout + done.stderr).lower()
        assert "Traceback" not in done.stderr


def test_a_database_of_another_application_is_left_alone(database_url: str, tmp_path: Path) -> None:
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '5b0e9adcef9c'")
        service = Service(tmp_path, database_url, {})
        for verb in ("serve", "migrate"):
            done = service.run(verb)
            assert done.returncode == 1
            assert "foreign_revision" in done.stderr
        assert "foreign_revision" in service.run("doctor").stdout.replace("\n", "")
        left = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    assert left == [("5b0e9adcef9c",)]


def test_encodings_other_than_utf8_are_refused(
    administer: "psycopg.Connection[tuple[object, ...]]", cluster_url: str, tmp_path: Path
) -> None:
    administer.execute("CREATE DATABASE ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    done = Service(tmp_path, with_url(cluster_url, database="ascii"), {}).run("serve")
    administer.execute("DROP DATABASE ascii WITH (FORCE)")
    assert (done.returncode, "(encoding)" in done.stderr) == (1, True)


def test_a_role_without_rights_is_told_so(
    administer: "psycopg.Connection[tuple[object, ...]]", cluster_url: str, tmp_path: Path
) -> None:
    administer.execute("CREATE DATABASE narrow")
    administer.execute("CREATE ROLE nobody_much LOGIN")
    done = Service(tmp_path, with_url(cluster_url, database="narrow", username="nobody_much"), {}).run(
        "serve"
    )
    administer.execute("DROP DATABASE narrow WITH (FORCE)")
    administer.execute("DROP ROLE nobody_much")
    assert (done.returncode, "(permission)" in done.stderr) == (1, True), done.stderr


def post(service: Service) -> tuple[int, str]:
    reply = httpx.post(
        f"{service.url}/v1/track", json=clean_event(), headers=basic(service.write_key), timeout=30
    )
    return reply.status_code, reply.json()["outcome"]


def stored(url: str) -> int:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        [(number,)] = connection.execute("SELECT count(*) FROM events").fetchall()
        return int(str(number))


# what makes the database unusable, what mends it, the state that /readyz names. Migrations only add: on a
# newer schema the write statement works, and what it stores is stored.
SPELLS = {
    "read only": (
        "ALTER DATABASE {name} SET default_transaction_read_only = on",
        "ALTER DATABASE {name} RESET default_transaction_read_only",
        "ok",
    ),
    "newer": (
        "UPDATE alembic_version SET version_num = '9999'",
        "UPDATE alembic_version SET version_num = (SELECT '0004')",
        "schema_newer",
    ),
}


@pytest.mark.parametrize("spell", SPELLS)
def test_a_start_while_the_database_takes_nothing_spools(
    spell: str, database_url: str, tmp_path: Path
) -> None:
    begin, end, state = SPELLS[spell]
    name = make_url(database_url).database
    service = Service(tmp_path, database_url, {})
    # The write key is known from an earlier start.
    service.start()
    assert service.stop() == 0
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(begin.format(name=name).encode())
        service.start()
        status, outcome = post(service)
        assert status == 200
        # A slow commit is `queued`, too.
        assert outcome in ({"accepted", "queued"} if spell == "newer" else {"queued"})
        body = httpx.get(f"{service.url}/readyz", timeout=10).json()
        assert (body["status"], body["database"]) == ("degraded", state)
        assert service.run("doctor").returncode == 1
        connection.execute(end.format(name=name).encode())
        if spell == "read only":
            assert service.stop() == 0
            service.start()
        wait_until(lambda: stored(database_url) == 1, "the event is drained")
    service.clean_up()


def test_a_database_that_was_never_prepared_is_no_fault_of_the_service(
    administer: "psycopg.Connection[tuple[object, ...]]", cluster_url: str, tmp_path: Path
) -> None:
    administer.execute("CREATE DATABASE bare_yet")
    administer.execute("ALTER DATABASE bare_yet SET default_transaction_read_only = on")
    service = Service(tmp_path, with_url(cluster_url, database="bare_yet"), {})
    service.start()
    try:
        assert post(service) == (200, "queued")
        bearer = {"Authorization": f"Bearer {service.report_token}"}
        with httpx.Client(base_url=service.url, headers=bearer, timeout=30, follow_redirects=True) as client:
            assert client.get("/reports", params={"token": service.report_token}).status_code == 503
            for path in ("/v1/reports/home", "/v1/public/connectors.json", "/public", "/reports/live"):
                assert client.get(path).status_code == 503, path
        assert readyz(service)["database"] == "not_migrated"
    finally:
        service.clean_up()
        administer.execute("DROP DATABASE bare_yet WITH (FORCE)")


def test_a_data_dir_that_cannot_be_written(database_url: str, tmp_path: Path) -> None:
    service = Service(tmp_path, database_url, {"TELEMETRY_DATA_DIR": str(PLAIN)})
    service.start()
    wait_until(lambda: not readyz(service)["spool"]["writable"], "the spool was tried")
    assert readyz(service)["status"] == "degraded"
    examined = service.run("doctor")
    assert examined.returncode == 1
    assert "unwritable_data_dir" in examined.stdout.replace("\n", "")
    service.clean_up()
    del service.environment["TELEMETRY_REPORT_TOKEN"]  # which would have to be generated there
    done = service.run("serve")
    assert (done.returncode, "unwritable_data_dir" in done.stderr) == (1, True)


def readyz(service: Service) -> dict[str, Any]:
    body: dict[str, Any] = httpx.get(f"{service.url}/readyz", timeout=10).json()
    return body


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("TELEMETRY_HOST", "/run/telemetry.sock", "sockets in the file system"),
        ("TELEMETRY_HOST", "telemetry.invalid", "no such host name"),
        ("TELEMETRY_PORT", "http", "TELEMETRY_PORT: "),
        ("TELEMETRY_REPORT_TOKEN", "short", "at least 20 characters"),
        ("TELEMETRY_WRITE_KEYS", "short", "at least 20 characters"),
        ("TELEMETRY_WRITE_KEYS", "test-report-token-of-27-chars", "must all differ"),
        ("TELEMETRY_HASH_KEY_FILE", "/nonexistent", "are both set"),
    ],
)
def test_wrong_settings_are_named(
    variable: str, value: str, said: str, database_url: str, tmp_path: Path
) -> None:
    done = Service(tmp_path, database_url, {variable: value}).run("serve")
    assert done.returncode == 1
    assert re.fullmatch(rf"Error: .*{re.escape(said)}.*\n", done.stderr), done.stderr


def test_unknown_settings_and_service_links_are_said_and_ignored(database_url: str, tmp_path: Path) -> None:
    links = {"TELEMETRY_SERVICE_HOST": "10.0.0.1", "TELEMETRY_PORT_8000_TCP_ADDR": "10.0.0.1"}
    service = Service(tmp_path, database_url, {"TELEMETRY_PROT": "1", **links})
    service.start()
    assert "TELEMETRY_PROT is no setting. Is TELEMETRY_PORT meant?" in service.output()
    assert "SERVICE_HOST" not in service.output()
    service.clean_up()
    examined = Service(tmp_path, database_url, {"TELEMETRY_PORT": "tcp://10.96.12.7:8000"}).run("doctor")
    assert "127.0.0.1:8000" in examined.stdout
    assert "Kubernetes" in examined.stdout


def test_secrets_come_from_files(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("report-token-from-a-file\n")
    service = Service(tmp_path, database_url, {"TELEMETRY_REPORT_TOKEN_FILE": str(file)})
    del service.environment["TELEMETRY_REPORT_TOKEN"]
    service.start()
    for token, status in (("report-token-from-a-file", 200), (service.report_token, 401)):
        reply = httpx.get(
            f"{service.url}/v1/reports/caches", headers={"Authorization": f"Bearer {token}"}, timeout=30
        )
        assert reply.status_code == status
    service.clean_up()
