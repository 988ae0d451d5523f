"""The spool is drained in few large batches, and each of its entries arrives once,
whatever is killed or late."""

import re
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import orjson
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from app.ingest.entries import COLUMNS
from app.ingest.spool_file import checksum
from tests.conftest import Service, ServiceFactory
from tests.faults.ledger import ids, is_drained, outcomes, readiness, wait_until
from tests.faults.proxy import Proxy
from tests.samples import basic, clean_event

ENTRIES = 120


@pytest.fixture
def service(proxy: Proxy, make_service: ServiceFactory) -> Service:
    return make_service({"TELEMETRY_DATABASE_URL": proxy.url})


def post(service: Service, number: int) -> httpx.Response:
    event = clean_event(number_of_records=number) | {"messageId": f"m{number}"}
    return httpx.post(f"{service.url}/v1/track", json=event, headers=basic(service.write_key), timeout=30)


def queue(service: Service, numbers: range) -> set[str]:
    replies = [post(service, number).json() for number in numbers]
    assert {reply["outcome"] for reply in replies} == {"queued"}
    return {reply["id"] for reply in replies}


def spool_file(service: Service) -> Path:
    [file] = (service.data_dir / "spool").glob("*.sqlite")
    return file


def count_transactions(database_url: str) -> int:
    with create_engine(database_url, poolclass=NullPool).connect() as connection:
        found = connection.execute(text("SELECT count(DISTINCT xmin::text) FROM events"))
        return int(found.scalar_one())


def test_entries_are_committed_together(proxy: Proxy, service: Service, database_url: str) -> None:
    proxy.set("refuse")
    promised = queue(service, range(ENTRIES))
    service.kill()
    proxy.set("pass")
    service.start()
    wait_until(lambda: is_drained(service), "the spool is drained")
    assert set(ids(database_url, "events")) == promised
    assert count_transactions(database_url) == 1
    assert outcomes(database_url) == {"received": ENTRIES, "accepted": ENTRIES}
    metrics = httpx.get(f"{service.url}/metrics").text
    assert re.search(r"telemetry_batch_events_bucket\{[^}]*le=\"100.0\"\} 0.0", metrics)


def test_a_kill_between_commit_and_acknowledgement(proxy: Proxy, service: Service, database_url: str) -> None:
    proxy.set("refuse")
    promised = queue(service, range(ENTRIES))
    with closing(sqlite3.connect(spool_file(service), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # what is committed cannot be removed from the spool now
        proxy.set("pass")
        wait_until(lambda: len(ids(database_url, "events")) == ENTRIES, "all is committed")
        service.kill()
    assert spool_file(service).exists()
    service.start()
    wait_until(lambda: is_drained(service), "the spool is drained")
    assert post(service, ENTRIES).json()["outcome"] == "accepted"
    assert len(ids(database_url, "events")) == len(promised) + 1
    assert outcomes(database_url) == {"received": ENTRIES + 1, "accepted": ENTRIES + 1}


def test_a_batch_that_commits_after_its_deadline(proxy: Proxy, service: Service, database_url: str) -> None:
    """It is in the spool by then, with others behind it."""
    reported: list[str] = []
    late = threading.Thread(target=lambda: reported.append(post(service, 0).json()["outcome"]))
    engine = create_engine(database_url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("LOCK TABLE events IN ACCESS EXCLUSIVE MODE"))
        late.start()
        wait_until(lambda: bool(reported), "the deadline is over")
        queue(service, range(1, 4))
    assert reported == ["queued"]
    wait_until(lambda: is_drained(service), "the spool is drained")
    wait_until(lambda: len(ids(database_url, "events")) == 4, "all four are there")
    assert outcomes(database_url) == {"received": 4, "accepted": 4}


def rewrite(file: Path, number: int, change: Callable[[dict[str, object]], bytes]) -> None:
    """Change an entry of a spool that nobody holds."""
    with closing(sqlite3.connect(file, isolation_level=None)) as spool:
        [(payload,)] = spool.execute("SELECT payload FROM entries WHERE id = ?", (number,))
        changed = change(orjson.loads(payload))
        spool.execute(
            "UPDATE entries SET payload = ?, checksum = ? WHERE id = ?", (changed, checksum(changed), number)
        )


def test_bad_entries_among_many_cost_only_themselves(
    proxy: Proxy, service: Service, database_url: str
) -> None:
    """One that is no batch is set aside; of one that Postgres will not take, the row
    that it is about is refused."""

    def forbid(document: dict[str, object]) -> bytes:
        verdicts = document["verdicts"]
        assert isinstance(verdicts, list)
        verdicts[0][1][COLUMNS.index("number_of_records")] = 10**13
        return orjson.dumps(document)

    proxy.set("refuse")
    queue(service, range(ENTRIES))
    service.kill()
    file = spool_file(service)
    rewrite(file, 50, forbid)
    rewrite(file, 80, lambda _document: b"no batch")
    proxy.set("pass")
    service.start()
    wait_until(lambda: is_drained(service), "the spool is drained")
    assert len(ids(database_url, "events")) == ENTRIES - 2
    assert outcomes(database_url) == {
        "received": ENTRIES - 1,
        "accepted": ENTRIES - 2,
        "rejected": 1,
    }
    assert readiness(service)["spool"]["corrupt"] == 1
    [aside] = (service.data_dir / "spool").glob("*.corrupt")
    assert aside.read_bytes() == b"no batch"


def test_events_of_a_key_that_the_settings_no_longer_have(
    proxy: Proxy, make_service: ServiceFactory, database_url: str
) -> None:
    """The database never knew that key; its events were promised all the same, and hold nobody up."""
    proxy.set("refuse")
    service = make_service({"TELEMETRY_DATABASE_URL": proxy.url})
    queue(service, range(3))
    service.kill()
    service.environment["TELEMETRY_WRITE_KEYS"] = "another-write-key-of-28-chars"
    (service.data_dir / "write-keys.json").unlink(missing_ok=True)
    rewrite(spool_file(service), 2, unknown_key)
    service.write_key = "another-write-key-of-28-chars"
    proxy.set("pass")
    service.start()
    wait_until(lambda: is_drained(service), "the spool is drained")
    assert len(ids(database_url, "events")) == 3
    assert post(service, 3).json()["outcome"] == "accepted"


def unknown_key(document: dict[str, object]) -> bytes:
    """As of the second of two keys, of which the settings have one now."""
    verdicts = document["verdicts"]
    assert isinstance(verdicts, list)
    verdicts[0][1][COLUMNS.index("write_key")] = -2
    return orjson.dumps(document)
