"""Real PyAirbyte releases against the real service. Installs them from the registry, so `dev.py e2e` only."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
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
NEXT, NEWEST, OLDER = "1.0.0rc37", "0.71.3", "0.30.0"
NEEDS: dict[str, list[str]] = {
    # It wants a package that does not say yet that it runs on 3.13.
    NEXT: ["--ignore-requires-python"],
    NEWEST: [],
    OLDER: ["sqlalchemy==2.0.41"],  # of its time; the release asks for less
}
INTERPRETERS = {
    NEXT: ("python3.13",),
    # These want a Python before 3.13.
    NEWEST: ("python3.11", "python3.12", "python3.10"),
    OLDER: ("python3.11", "python3.12", "python3.10"),
}

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


def find_interpreter(version: str) -> str:
    """An interpreter for a release: ours, one on the path, one of pyenv's. A shim
    that leads nowhere is none."""
    names = INTERPRETERS[version]
    if f"python{sys.version_info.major}.{sys.version_info.minor}" in names:
        return sys.executable
    for name in names:
        found = shutil.which(name)
        if found and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0:
            return found
        if shutil.which("pyenv"):
            owners = subprocess.run(["pyenv", "whence", name], capture_output=True, text=True, check=False)
            for owner in owners.stdout.split():
                prefix = subprocess.run(
                    ["pyenv", "prefix", owner], capture_output=True, text=True, check=True
                )
                return str(Path(prefix.stdout.strip()) / "bin" / name)
    pytest.skip(f"PyAirbyte {version} wants one of {', '.join(names)}")


def install(folder: Path, version: str) -> Path:
    """Install a release into an environment of its own, unless it is there
    already; its folder of programs."""
    if (folder / "bin" / "pyab").exists():
        return folder / "bin"
    subprocess.run([find_interpreter(version), "-m", "venv", folder], check=True)
    programs = folder / "bin"
    subprocess.run(
        [programs / "python", "-m", "pip", "install", "-q", f"airbyte=={version}", *NEEDS[version]],
        check=True,
    )
    return programs


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Install a release once; its folder of programs. PYAIRBYTE_E2E_ENVIRONMENTS names
    a folder kept between runs."""
    kept = os.environ.get("PYAIRBYTE_E2E_ENVIRONMENTS")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("releases")
    return lambda version: install(folder / version, version)


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
            "UV_PYTHON_DOWNLOADS": "never",
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
        headers={"Authorization": f"Bearer {service.report_token}", "Cache-Control": "no-cache"},
        timeout=30,
    )
    columns = ("units", "attempts", "failed", "canceled", "in_flight")
    return {row["connector"]: tuple(row[column] for column in columns) for row in reply.json()["rows"]}


@pytest.mark.parametrize(
    ("version", "module"),
    [(NEXT, "ours"), (NEXT, "released"), (NEWEST, "ours"), (NEWEST, "released"), (OLDER, "ours")],
    ids=["1.0, our client", "1.0, its own", "0.71.3, our client", "0.71.3, its own", "0.30.0, our client"],
)
def test_real_syncs_reach_the_report(
    released: Callable[[str], Path], service: Service, tmp_path: Path, version: str, module: str
) -> None:
    run_syncs(released(version), module, service, tmp_path)

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
        "SELECT source_name, exception_class, number_of_records FROM events WHERE state = 'failed' AND "
        "event = 'sync'",
    )
    assert [(name, records) for name, _, records in failed] == [("source-postgres", 5)]
    assert failed[0][1].startswith("AirbyteConnector")

    # One person; of three syncs one succeeds, one fails, one is canceled. Checks are no attempts, and reading
    # records straight from a source is a lane of its own.
    wait_until(lambda: is_rolled_up(service.database_url), "everything is rolled up")
    shown, hidden = ("only", "exclude") if version == NEXT else ("exclude", "only")
    figures = {"source-faker": (1, 1, 0, 0, 0), "source-postgres": (1, 1, 1, 0, 0)}
    assert report(service, prerelease=shown) == report(service, version=version) == figures
    assert report(service, lane="direct", prerelease=shown) == {"source-github": (1, 1, 0, 1, 0)}
    assert report(service, prerelease=hidden) == {}
