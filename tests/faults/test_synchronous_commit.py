"""200 means durable, whatever the database says of `synchronous_commit`."""

import signal

import httpx
import psycopg

from app.postgres import open_server
from tests.conftest import ServiceFactory
from tests.faults.harness import kill
from tests.faults.ledger import ids, is_drained, wait_until
from tests.postgres.processes import find_postmaster
from tests.samples import basic, clean_event

EVENTS = 40


def test_kill_9_of_postgres_loses_nothing_though_the_database_sets_synchronous_commit_off(
    make_service: ServiceFactory,
) -> None:
    service = make_service(embed=True)
    with (
        open_server(service.data_dir) as server,
        psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True) as connection,
    ):
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET synchronous_commit = off".encode())
        # Else the writer of the log would bring what was not waited for to the disk within the second.
        connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
    service.stop()
    service.start()
    promised = set()
    with httpx.Client(base_url=service.url, headers=basic(service.write_key), timeout=60) as client:
        for number in range(EVENTS):
            event = clean_event(number_of_records=number) | {"messageId": f"durable-{number}"}
            reply = client.post("/v1/track", json=event).json()
            if reply["outcome"] == "accepted":
                promised.add(reply["id"])
    kill(find_postmaster(service.data_dir), signal.SIGKILL)  # its children go with it, and write nothing more
    assert len(promised) > EVENTS // 2, "most are committed, not spooled"
    wait_until(lambda: is_drained(service), "Postgres is back")
    with open_server(service.data_dir) as server:
        with psycopg.connect(server.url.replace("+psycopg", "")) as connection:
            assert connection.execute("SHOW synchronous_commit").fetchone() == ("off",)
        assert promised <= set(ids(server.url, "events"))
