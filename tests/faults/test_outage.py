"""Postgres is unavailable: everything is answered within the deadline, and arrives afterwards, once."""

import re
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from app.ingest.circuit import COOLDOWN_SECONDS
from app.ingest.spool_file import SpoolFile
from tests.conftest import Service, ServiceFactory
from tests.faults.ledger import check_books, ids, is_drained, outcomes, readiness, wait_until
from tests.faults.load import Account, start_senders, stop_senders
from tests.faults.proxy import Proxy
from tests.samples import basic, clean_event, spoil

DEADLINE_SECONDS = 1.0
SLACK_SECONDS = 4.0  # for a busy machine: far from for ever. `dev.py faults` holds answers to half a second.


@pytest.fixture
def start(proxy: Proxy, make_service: ServiceFactory) -> Callable[..., Service]:
    def start(**environment: str) -> Service:
        return make_service({"TELEMETRY_DATABASE_URL": proxy.url, **environment})

    return start


def post(service: Service, number: int) -> httpx.Response:
    event = clean_event(number_of_records=number) | {"messageId": f"m{number}"}
    return httpx.post(f"{service.url}/v1/track", json=event, headers=basic(service.write_key), timeout=30)


@pytest.mark.parametrize("mode", ["refuse", "swallow"])
def test_an_outage_in_the_middle_of_load(
    proxy: Proxy, start: Callable[..., Service], database_url: str, mode: str
) -> None:
    service = start()
    account = Account()
    senders = start_senders(service.url, service.write_key, account, 4, seed=1)
    wait_until(lambda: account.outcomes["accepted"] > 50, "events before the outage")
    proxy.set("refuse" if mode == "refuse" else "swallow")
    wait_until(lambda: account.outcomes["queued"] > 50, "events during the outage")
    body = readiness(service)
    assert body["status"] == "degraded"
    assert body["database"] in ("refused", "timeout")
    assert body["spool"]["entries"] > 0
    proxy.set("pass")
    if mode == "swallow":
        proxy.cut()
    before = account.outcomes["accepted"]
    wait_until(lambda: account.outcomes["accepted"] > before + 50, "events after the outage")
    stop_senders(senders)
    wait_until(lambda: is_drained(service), "the spool is drained")
    assert set(account.statuses) <= {200, 400, 422}
    assert account.slowest < DEADLINE_SECONDS + SLACK_SECONDS
    check_books(database_url, account)


def test_a_locked_table_and_a_read_only_server(start: Callable[..., Service], database_url: str) -> None:
    service = start()
    engine = create_engine(database_url)
    account = Account()
    senders = start_senders(service.url, service.write_key, account, 3, seed=2)
    wait_until(lambda: account.outcomes["accepted"] > 20, "events before")
    with engine.begin() as connection:
        connection.execute(text("LOCK TABLE events IN ACCESS EXCLUSIVE MODE"))
        wait_until(lambda: account.outcomes["queued"] > 20, "events under the lock")
    queued = account.outcomes["queued"]
    name = engine.url.database
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :n AND pid <> "
                "pg_backend_pid()"
            ),
            {"n": name},
        )
        wait_until(lambda: account.outcomes["queued"] > queued + 20, "events while read-only")
        connection.execute(text("SET default_transaction_read_only = off"))
        connection.execute(text(f"ALTER DATABASE {name} RESET default_transaction_read_only"))
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :n AND pid <> "
                "pg_backend_pid()"
            ),
            {"n": name},
        )
    engine.dispose()
    stop_senders(senders)
    wait_until(lambda: is_drained(service), "the spool is drained")
    assert account.slowest < DEADLINE_SECONDS + SLACK_SECONDS
    assert set(account.statuses) <= {200, 400, 422}
    check_books(database_url, account)


def test_a_start_without_postgres(proxy: Proxy, start: Callable[..., Service], database_url: str) -> None:
    proxy.set("refuse")
    service = start()
    replies = [post(service, number) for number in range(3)]
    assert [reply.json()["outcome"] for reply in replies] == ["queued"] * 3
    assert (
        httpx.post(f"{service.url}/v1/track", json=clean_event(), headers=basic("unknown")).status_code == 401
    )
    proxy.set("pass")
    wait_until(lambda: is_drained(service), "the spool is drained")
    assert sorted(ids(database_url, "events")) == sorted(reply.json()["id"] for reply in replies)
    assert outcomes(database_url) == {"received": 3, "accepted": 3}
    assert post(service, 1).json()["outcome"] == "duplicate"


def test_a_dead_process_leaves_its_spool_to_the_next(
    proxy: Proxy, start: Callable[..., Service], database_url: str
) -> None:
    service = start()
    assert post(service, 0).json()["outcome"] == "accepted"
    proxy.set("refuse")
    reported = [post(service, number) for number in range(1, 20)]
    assert {reply.json()["outcome"] for reply in reported} == {"queued"}
    service.kill()
    service.start()  # still without Postgres: it knows its write keys all the same
    assert post(service, 20).json()["outcome"] == "queued"
    proxy.set("pass")
    wait_until(lambda: is_drained(service), "the spools are drained")
    assert len(ids(database_url, "events")) == 21
    spool = service.data_dir / "spool"
    wait_until(lambda: len(list(spool.glob("*.sqlite"))) <= 1, "the adopted spool is deleted")


def test_what_waited_arrives_oldest_first(
    proxy: Proxy, start: Callable[..., Service], database_url: str
) -> None:
    service = start()
    proxy.set("refuse")
    for number in range(20):
        assert post(service, number).json()["outcome"] == "queued"
    service.kill()
    service.start()
    for number in range(20, 30):
        assert post(service, number).json()["outcome"] == "queued"
    proxy.set("pass")
    wait_until(lambda: is_drained(service), "the spools are drained")
    with create_engine(database_url, poolclass=NullPool).connect() as connection:
        stored = connection.execute(
            text("SELECT number_of_records FROM events ORDER BY xmin::text::bigint, number_of_records")
        )
        assert list(stored.scalars()) == list(range(30))


def test_sigterm_drains(proxy: Proxy, start: Callable[..., Service], database_url: str) -> None:
    service = start()
    proxy.set("refuse")
    for number in range(5):
        assert post(service, number).json()["outcome"] == "queued"
    proxy.set("pass")
    assert service.stop() == 0
    assert len(ids(database_url, "events")) == 5
    assert list((service.data_dir / "spool").glob("*.sqlite")) == []


def spoil_file(file: Path, offset: int, damage: bytes) -> None:
    """Overwrite a few bytes."""
    with file.open("r+b") as stream:
        stream.seek(offset)
        stream.write(damage)


@pytest.mark.parametrize("where", ["entry", "header", "cut"])
def test_a_damaged_spool_never_blocks_the_start(
    proxy: Proxy, start: Callable[..., Service], database_url: str, where: str
) -> None:
    service = start()
    proxy.set("refuse")
    for number in range(40):
        assert post(service, number).json()["outcome"] == "queued"
    service.kill()
    [file] = (service.data_dir / "spool").glob("*.sqlite")
    fold_log(file)
    if where == "entry":
        spoil_file(file, file.read_bytes().find(b"source-faker"), b"SOURCE-FAKED")
    elif where == "header":
        spoil_file(file, 0, b"\0" * 64)
    else:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    proxy.set("pass")
    service.start()
    wait_until(lambda: readiness(service)["spool"]["corrupt"] >= 1, "the damage is seen")
    wait_until(lambda: is_drained(service), "the rest is drained")
    body = readiness(service)
    assert body["status"] == "degraded"
    stored = len(ids(database_url, "events"))
    assert stored == 39 if where == "entry" else stored < 40
    [aside] = body["spool"]["quarantined"]
    assert re.fullmatch(rf"{file.stem}(\.[0-9]+)?\.corrupt", aside)
    assert (aside == f"{file.stem}.corrupt") == (where != "entry")
    assert post(service, 100).json()["outcome"] in ("accepted", "queued")  # by a slow disk
    wait_until(lambda: len(ids(database_url, "events")) == stored + 1, "the next event is stored")


def fold_log(file: Path) -> None:
    """Fold the write-ahead log into the file, so that damage to the file counts."""
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()


def test_a_spool_that_cannot_be_written_for_a_while_is_drained_all_the_same(
    proxy: Proxy, start: Callable[..., Service], database_url: str
) -> None:
    service = start()
    proxy.set("refuse")
    for number in range(5):
        assert post(service, number).json()["outcome"] == "queued"
    [file] = (service.data_dir / "spool").glob("*.sqlite")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # what is committed cannot be removed from the spool now
        proxy.set("pass")
        wait_until(lambda: "spool_not_read" in service.output(), "the spool is found locked")
    wait_until(lambda: is_drained(service), "the spool is drained")
    assert len(ids(database_url, "events")) == 5
    assert outcomes(database_url) == {"received": 5, "accepted": 5}


@pytest.mark.parametrize("ingest", ["direct", "log"])
def test_a_full_spool_is_503_and_everything_promised_arrives(
    proxy: Proxy, start: Callable[..., Service], database_url: str, ingest: str
) -> None:
    service = start(TELEMETRY_SPOOL_MB="1", TELEMETRY_INGEST=ingest)
    proxy.set("refuse")
    account = Account()
    senders = start_senders(service.url, service.write_key, account, 4, seed=3)
    wait_until(lambda: account.statuses[503] > 20, "the spool is full")
    refused = httpx.post(
        f"{service.url}/v1/batch",
        json={"batch": [spoil("messageId", f"big-{n}") for n in range(300)]},
        headers=basic(service.write_key),
    )
    assert refused.status_code == 503
    assert 0 < int(refused.headers["Retry-After"]) <= 300
    body = readiness(service)
    assert (body["status"], body["spool"]["writable"]) == ("unavailable", False)
    size = sum(file.stat().st_size for file in (service.data_dir / "spool").iterdir())
    assert size < 6 * 2**20
    proxy.set("pass")
    stop_senders(senders)
    wait_until(lambda: is_drained(service), "the spool is drained")
    check_books(database_url, account)
    wait_until(lambda: readiness(service)["status"] == "ok", "the spool has room again")


def test_readiness_does_not_waver_while_nothing_can_be_kept(
    start: Callable[..., Service], database_url: str
) -> None:
    """A spool that is full and empty has nothing to drain, so every batch tries
    Postgres first, and in vain."""
    service = start()
    spool = service.data_dir / "spool"
    spool.parent.mkdir(exist_ok=True)
    shutil.rmtree(spool, ignore_errors=True)
    spool.touch()  # no folder, so no room
    engine = create_engine(database_url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("LOCK TABLE events IN ACCESS EXCLUSIVE MODE"))
        seen: list[dict[str, Any]] = []
        for number in range(20):
            if len(seen) > 20:
                break
            assert post(service, number).status_code == 503
            answered = time.monotonic()
            for _ in range(10):
                body = readiness(service)
                # Once nothing was tried for longer than that, nobody knows any more.
                seen += [body] if time.monotonic() < answered + COOLDOWN_SECONDS / 2 else []
        assert {body["status"] for body in seen} == {"unavailable"}
        # A busy machine may not answer the question in time.
        assert "ok" in {body["database"] for body in seen} <= {"ok", "timeout"}
    spool.unlink()
    assert post(service, 20).status_code == 200
    wait_until(lambda: readiness(service)["status"] == "ok", "events can be kept again")


def test_readiness_shows_what_waits_with_other_processes(
    start: Callable[..., Service], database_url: str
) -> None:
    service = start()
    folder = service.data_dir / "spool"
    other = SpoolFile.create(folder, 2**20)  # of this process, which lives
    assert readiness(service)["status"] == "ok"
    other.append(b"a batch")
    wait_until(lambda: readiness(service)["spool"]["others"]["entries"] == 1, "the other spool is seen")
    assert readiness(service)["status"] == "degraded"
    entry = other.oldest()
    assert entry is not None
    other.remove(entry)
    other.close()
    wait_until(lambda: readiness(service)["status"] == "ok", "it is empty again")
