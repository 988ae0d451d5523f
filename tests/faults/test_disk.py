"""Disks that are full, really full: Postgres' own, and the spool's. Needs to mount a small
one, so it runs as root only."""

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app import postgres
from app.store import migrations
from tests.conftest import Service, ServiceFactory
from tests.faults.ledger import check_books, is_drained, readiness, wait_until
from tests.faults.load import Account, start_senders, stop_senders
from tests.faults.proxy import Proxy
from tests.samples import basic, clean_event

DEADLINE_SECONDS = 1.0
# What a busy machine may add; a request that nobody answers takes longer.
SLACK_SECONDS = 25.0
# A cluster that fits on a small disk.
SMALL = {
    "min_wal_size": "32MB",
    "max_wal_size": "32MB",
    "shared_buffers": "16MB",
}

MakeDisk = Callable[[int], Path]


@pytest.fixture
def make_disk() -> Iterator[MakeDisk]:
    """Mounts disks of so many MiB."""
    with contextlib.ExitStack() as stack:

        def make(size_mb: int) -> Path:
            folder = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="disk-", ignore_cleanup_errors=True))
            )
            folder.chmod(0o755)
            mounted = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=0755", "tmpfs", str(folder)],
                capture_output=True,
                check=False,
            )
            if mounted.returncode:
                pytest.skip("a small disk can be mounted by root only")
            stack.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=False)
            return folder

        yield make


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Leave no byte on the disk for the length of the block."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65_536))
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(512))
    yield
    filler.unlink()


def test_postgres_out_of_disk(make_disk: MakeDisk, make_service: ServiceFactory) -> None:
    disk = make_disk(256)
    with postgres.open_server(disk / "cluster", settings=SMALL) as server:
        migrations.migrate(server.url)
        service = make_service({"TELEMETRY_DATABASE_URL": server.url})
        account = Account()
        senders = start_senders(service.url, service.write_key, account, 4, seed=5)
        wait_until(lambda: account.outcomes["accepted"] > 50, "events before")
        with full(disk):
            wait_until(lambda: account.outcomes["queued"] > 100, "events while the disk is full")
            assert readiness(service)["status"] == "degraded"
        server.ensure_running()  # if it died of it: without a disk there is no log of transactions either
        before = account.outcomes["accepted"]
        wait_until(lambda: account.outcomes["accepted"] > before + 50, "events after")
        stop_senders(senders)
        wait_until(lambda: is_drained(service), "the spool is drained")
        assert set(account.statuses) <= {200, 400, 422}
        assert account.slowest < DEADLINE_SECONDS + SLACK_SECONDS
        check_books(server.url, account)
        assert service.stop() == 0


def test_the_spool_out_of_disk(make_disk: MakeDisk, make_service: ServiceFactory, database_url: str) -> None:
    disk = make_disk(8)
    proxy = Proxy(database_url)
    service = make_service({"TELEMETRY_DATABASE_URL": proxy.url, "TELEMETRY_DATA_DIR": str(disk / "data")})
    proxy.set("refuse")
    account = Account()
    senders = start_senders(service.url, service.write_key, account, 4, seed=6)
    wait_until(lambda: account.outcomes["queued"] > 20, "events in the spool")
    with full(disk):
        wait_until(lambda: account.statuses[503] > 20, "the disk is full")
        refused = post(service)
        assert refused.status_code == 503
        assert 0 < int(refused.headers["Retry-After"]) <= 300
        assert readiness(service)["status"] == "unavailable"
    queued = account.outcomes["queued"]
    wait_until(lambda: account.outcomes["queued"] > queued + 20, "there is room again")
    proxy.set("pass")
    stop_senders(senders)
    wait_until(lambda: readiness(service)["status"] == "ok", "the spool is drained")
    check_books(database_url, account)
    assert set(account.statuses) <= {200, 400, 422, 503}
    proxy.close()


def test_both_out_of_disk(make_disk: MakeDisk, make_service: ServiceFactory) -> None:
    clusters, spools = make_disk(256), make_disk(8)
    with postgres.open_server(clusters / "cluster", settings=SMALL) as server:
        migrations.migrate(server.url)
        service = make_service(
            {"TELEMETRY_DATABASE_URL": server.url, "TELEMETRY_DATA_DIR": str(spools / "data")}
        )
        account = Account()
        senders = start_senders(service.url, service.write_key, account, 4, seed=7)
        wait_until(lambda: account.outcomes["accepted"] > 50, "events before")
        with full(clusters):
            wait_until(lambda: account.outcomes["queued"] > 20, "events while the database's disk is full")
            with full(spools):
                wait_until(lambda: account.statuses[503] > 20, "both disks are full")
                refused = post_until_refused(service, account)
                assert 0 < int(refused.headers["Retry-After"]) <= 300
                wait_until(lambda: readiness(service)["status"] == "unavailable", "neither takes events")
            queued = account.outcomes["queued"]
            wait_until(lambda: account.outcomes["queued"] > queued + 20, "the spool has room again")
        server.ensure_running()
        before = account.outcomes["accepted"]
        wait_until(lambda: account.outcomes["accepted"] > before + 50, "events after")
        stop_senders(senders)
        wait_until(lambda: readiness(service)["status"] == "ok", "the spool is drained")
        assert set(account.statuses) <= {200, 400, 422, 503}
        assert account.slowest < DEADLINE_SECONDS + SLACK_SECONDS
        check_books(server.url, account)
        assert service.stop() == 0


def post(service: Service, attempt: int = 0) -> httpx.Response:
    ids = (f"big-{attempt}-{number}" for number in range(100))
    body = {"batch": [clean_event() | {"messageId": id_} for id_ in ids]}
    return httpx.post(f"{service.url}/v1/batch", json=body, headers=basic(service.write_key), timeout=30)


def post_until_refused(service: Service, account: Account) -> httpx.Response:
    """Return the first answer of 503. Before it a batch may be taken, and is promised then: a checkpoint
    frees files of Postgres' log, though the disk was full."""
    answers: list[httpx.Response] = []

    def is_refused() -> bool:
        started = time.monotonic()
        answers.append(post(service, len(answers)))
        account.note(answers[-1], started)
        return answers[-1].status_code == 503

    wait_until(is_refused, "a batch is refused while both disks are full")
    return answers[-1]
