"""PgBouncer in between: in session mode everything works, in transaction mode the start says what to do."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.look import wait_until
from tests.pooler import PGBOUNCER, Pooler
from tests.samples import basic, clean_event
from tests.service import Service

pytestmark = [
    pytest.mark.one_server,  # the pooler stands before the embedded server's socket
    pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed here"),
]

StartPooler = Callable[[str, str], str]


@pytest.fixture
def start_pooler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartPooler]:
    """Start PgBouncer before a database, in a pool mode; the URL through it."""
    running: list[Pooler] = []

    def start(database_url: str, mode: str) -> str:
        running.append(Pooler(tmp_path_factory.mktemp("pooler"), database_url, mode))
        return running[-1].url

    yield start
    for pooler in running:
        pooler.close()


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
