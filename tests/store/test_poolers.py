"""PgBouncer in between: in session mode everything works, in transaction mode the start says what to do."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from sqlalchemy import make_url

from tests.look import wait_until
from tests.samples import basic, clean_event
from tests.service import Service, find_free_port

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed here")

StartPooler = Callable[[str, str], str]


@pytest.fixture
def start_pooler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartPooler]:
    """Start PgBouncer with its defaults before a database, in a pool mode; the URL through it."""
    running: list[subprocess.Popen[bytes]] = []

    def start(database_url: str, mode: str) -> str:
        assert PGBOUNCER is not None
        url = make_url(database_url)
        server = url.query["host"]
        port = find_free_port()
        folder = tmp_path_factory.mktemp("pooler")
        (folder / "users").write_text(f'"{url.username}" ""\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={server} port={url.query.get('port', 5432)}\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\n"
            f"auth_file = {folder / 'users'}\npool_mode = {mode}\n"
        )
        command = [PGBOUNCER, "--quiet", str(folder / "pgbouncer.ini")]
        if os.geteuid() == 0:  # PgBouncer, too, refuses to run as root
            owner = Path(str(server)).stat().st_uid
            for path in (folder, *folder.iterdir()):
                os.chown(path, owner, -1)
            for parent in list(folder.parents)[:-2]:
                parent.chmod(parent.stat().st_mode | 0o011)
            running.append(subprocess.Popen(command, user=owner, group=owner, extra_groups=[]))
        else:
            running.append(subprocess.Popen(command))
        through = f"postgresql://{url.username}@127.0.0.1:{port}/{url.database}"
        wait_until(lambda: answers(through), "the pooler answers")
        return through

    yield start
    for process in running:
        process.terminate()
        process.wait(30)


def answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        time.sleep(0.05)
        return False
    return True


def count(url: str) -> tuple[object, ...] | None:
    """Events, and sessions that wait for the rollups."""
    query = "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM dirty_sessions)"
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return connection.execute(query).fetchone()


def test_a_pooler_that_shares_connections_is_named(
    database_url: str, start_pooler: StartPooler, tmp_path: Path
) -> None:
    service = Service(tmp_path, start_pooler(database_url, "transaction"), {})
    done = service.run("serve")
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("Error: ")
    assert lines[0].endswith("or set pool_mode = session. (pooler)")
    examined = service.run("doctor")
    assert examined.returncode == 1
    assert "(pooler)" in examined.stdout.replace("\n", "")


def test_no_event_takes_the_spool_behind_a_pooler_of_sessions(
    database_url: str, start_pooler: StartPooler, tmp_path: Path
) -> None:
    """PgBouncer refuses startup parameters (`options`) by default: what is pinned is set by statements."""
    service = Service(tmp_path, start_pooler(database_url, "session"), {})
    service.start()
    outcomes = []
    with httpx.Client(base_url=service.url, headers=basic(service.write_key), timeout=30) as client:
        for number in range(40):
            event = clean_event(number_of_records=number) | {"messageId": f"pooler-{number:04}"}
            outcomes.append(client.post("/v1/track", json=event).json()["outcome"])
    assert outcomes == ["accepted"] * 40
    wait_until(lambda: count(database_url) == (40, 0), "all is stored and rolled up")
    assert service.stop() == 0
    assert "42P05" not in service.output()
    service.clean_up()
