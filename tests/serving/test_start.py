"""The service starts by the command that README names."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.samples import basic, clean_event
from tests.service import ROOT, Service


class ReadmeService(Service):
    """A service that is started as README says: by `dev.py` and an interpreter that knows nothing of `.venv`."""

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
    children = subprocess.run(
        ["pgrep", "-P", str(start.process.pid), "-f", "spawn_main"],
        capture_output=True,
        text=True,
        check=False,
    )
    expected = int(start.environment["TELEMETRY_WORKERS"])
    assert len(children.stdout.split()) == (expected if expected > 1 else 0)
    assert start.stop() == 0
