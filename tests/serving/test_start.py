"""The service starts by the command that README names."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import ServiceFactory
from tests.look import wait_until
from tests.samples import basic, clean_event
from tests.service import ROOT, Service


class ReadmeService(Service):
    """A service that is started as README says: by `dev.py` and an interpreter
    that knows nothing of `.venv`."""

    def command(self, *arguments: str) -> list[str]:
        """The launcher with the interpreter that `.venv` was made from."""
        interpreter = Path(sys.base_prefix) / "bin" / "python3"
        return [str(interpreter), str(ROOT / "dev.py"), *arguments]


@pytest.fixture
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    workers, embed = request.param
    url = None if embed else request.getfixturevalue("database_url")
    service = ReadmeService(tmp_path, url, {"TELEMETRY_WORKERS": str(workers)})
    service.start()
    yield service
    service.clean_up()


def list_workers(service: Service) -> list[int]:
    """Return the process ids of the workers."""
    command = ["pgrep", "-P", str(service.process.pid), "-f", "spawn_main"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def test_a_worker_that_hangs_keeps_nobody_from_being_replaced(make_service: ServiceFactory) -> None:
    """While a worker says nothing, a killed one is replaced and signals are heeded."""
    service = make_service({"TELEMETRY_WORKERS": "2"})
    wait_until(lambda: len(list_workers(service)) == 2, "there are two workers")
    hanging, killed = list_workers(service)
    os.kill(hanging, signal.SIGSTOP)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: len(set(list_workers(service)) - {hanging, killed}) == 1, "another worker")
    os.kill(hanging, signal.SIGCONT)
    assert service.stop() == 0


@pytest.mark.parametrize(
    "start",
    [(workers, embed) for workers in (1, 2) for embed in (True, False)],
    ids=lambda case: f"{case[0]} workers, {'embedded' if case[1] else 'external'}",
    indirect=True,
)
def test_it_answers_counts_its_workers_and_stops(start: Service) -> None:
    reply = httpx.post(
        f"{start.url}/v1/track", json=clean_event(), headers=basic(start.write_key), timeout=30
    )
    assert (reply.status_code, reply.json()["outcome"]) == (200, "accepted")
    expected = int(start.environment["TELEMETRY_WORKERS"])
    assert len(list_workers(start)) == (expected if expected > 1 else 0)
    assert start.stop() == 0
