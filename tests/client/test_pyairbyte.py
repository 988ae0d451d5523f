"""Real PyAirbyte releases against the real service. Installs them from the registry, so `dev.py e2e` only."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from tests.conftest import Service
from tests.faults.ledger import is_rolled_up, wait_until

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).parent / "programs" / "syncs.py"
NEWEST, OLDER = "0.71.3", "0.30.0"
NEEDS: dict[str, list[str]] = {
    NEWEST: [],
    OLDER: ["sqlalchemy==2.0.41"],
}  # of its time; the release asks for less
INTERPRETERS = ("python3.11", "python3.12", "python3.10")
"""These releases want a Python before 3.13."""

# What programs/syncs.py does, as these releases tell it.
EVENTS = Counter(
    [
        ("install", "succeeded", "source-faker"),
        ("check", "succeeded", "source-faker"),
        ("validate", "succeeded", "source-faker"),
        ("sync", "started", "source-faker"),
        ("sync", "succeeded", "source-faker"),
        ("validate", "succeeded", "source-postgres"),
        ("sync", "started", "source-postgres"),
        ("sync", "failed", "source-postgres"),
        ("sync", "started", "source-github"),
        ("sync", "canceled", "source-github"),
        ("check", "failed", "source-stripe"),
    ]
)


def find_interpreter() -> str:
    if sys.version_info < (3, 13):
        return sys.executable
    for name in INTERPRETERS:
        found = shutil.which(name)
        if found:
            return found
    pytest.skip("these releases of PyAirbyte want a Python before 3.13")


def install(folder: Path, version: str) -> Path:
    """Install a release into an environment of its own, unless it is there already; its folder of programs."""
    if (folder / "bin" / "pyab").exists():
        return folder / "bin"
    subprocess.run([find_interpreter(), "-m", "venv", folder], check=True)
    programs = folder / "bin"
    subprocess.run(
        [programs / "python", "-m", "pip", "install", "-q", f"airbyte=={version}", *NEEDS[version]],
        check=True,
    )
    return programs


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The releases, each installed once. PYAIRBYTE_E2E_ENVIRONMENTS names a folder that keeps them between runs."""
    kept = os.environ.get("PYAIRBYTE_E2E_ENVIRONMENTS")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("releases")
    return {version: install(folder / version, version) for version in (NEWEST, OLDER)}


def run_syncs(programs: Path, module: str, service: Service, folder: Path) -> None:
    """Run the program with a home and a working directory of its own."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRBYTE_", "TELEMETRY_", "PYTHON")) and name not in {"CI", "DO_NOT_TRACK"}
    }
    ended = subprocess.run(
        [programs / "python", PROGRAM, module],
        cwd=folder,
        env=inherited
        | {
            "PATH": f"{programs}{os.pathsep}{inherited['PATH']}",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "UV_SYSTEM_CERTS": "1",
            "PYTHONPATH": str(ROOT / "client" / "src"),
            "AIRBYTE_LOCAL_REGISTRY": str(ROOT / "tests" / "data" / "registry.json"),
            "AIRBYTE_TRACKING_KEY": service.write_key,
            # The released module knows no such setting; the program replaces its host name by the other one.
            "AIRBYTE_TELEMETRY_URL": service.url,
            "TELEMETRY_E2E_URL": service.url,
        },
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def query(service: Service, statement: str) -> list[tuple[Any, ...]]:
    engine = create_engine(service.database_url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(statement))]
    engine.dispose()
    return found


def report(service: Service, **parameters: str) -> dict[str, tuple[int, ...]]:
    """By connector: units, attempts, failed, canceled, in flight."""
    reply = httpx.get(
        f"{service.url}/v1/reports/connectors",
        params={"window": "7d", **parameters},
        headers={"Authorization": f"Bearer {service.report_token}"},
        timeout=30,
    )
    columns = ("units", "attempts", "failed", "canceled", "in_flight")
    return {row["connector"]: tuple(row[column] for column in columns) for row in reply.json()["rows"]}


@pytest.mark.parametrize(
    ("version", "module"),
    [(NEWEST, "ours"), (OLDER, "ours"), (NEWEST, "released")],
    ids=["newest release, our client", "older release, our client", "newest release, its own client"],
)
def test_real_syncs_reach_the_report(
    released: dict[str, Path], service: Service, tmp_path: Path, version: str, module: str
) -> None:
    run_syncs(released[version], module, service, tmp_path)

    found = query(service, "SELECT event, state, source_name FROM events")
    assert Counter(found) == EVENTS
    assert query(service, "SELECT DISTINCT version FROM events") == [(version,)]
    assert query(service, "SELECT count(DISTINCT anonymous_id), count(DISTINCT session_key) FROM events") == [
        (1, 1)
    ]
    assert query(service, "SELECT * FROM tallies") == []
    assert query(service, "SELECT outcome, sum(count)::int FROM outcomes GROUP BY 1 ORDER BY 1") == [
        ("accepted", sum(EVENTS.values())),
        ("received", sum(EVENTS.values())),
    ]
    failed = query(
        service,
        "SELECT source_name, exception_class, number_of_records FROM events WHERE state = 'failed' AND event = 'sync'",
    )
    assert [(name, records) for name, _, records in failed] == [("source-postgres", 5)]
    assert failed[0][1].startswith("AirbyteConnector")

    # One person; of three syncs one succeeds, one fails, one is canceled. Checks are no attempts, and reading records
    # straight from a source is a lane of its own.
    wait_until(lambda: is_rolled_up(service.database_url), "everything is rolled up")
    assert report(service) == {"source-faker": (1, 1, 0, 0, 0), "source-postgres": (1, 1, 1, 0, 0)}
    assert report(service, lane="direct") == {"source-github": (1, 1, 0, 1, 0)}
