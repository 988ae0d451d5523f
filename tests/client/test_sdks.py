"""Real SDKs against the real service. Installs them from their registries, so `dev.py e2e` only."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.look import Look
from tests.samples import clean_event, spoil
from tests.service import Service

pytestmark = pytest.mark.e2e

PROGRAMS = Path(__file__).parent / "programs"
PYTHON_SDKS = {
    "segment-analytics-python": "segment.analytics",
    "rudder-sdk-python": "rudderstack.analytics",
}
NODE_SDKS = {
    "@segment/analytics-node": "segment_node.mjs",
    "@rudderstack/rudder-sdk-node": "rudder_node.mjs",
}
EVENTS = [clean_event(number_of_records=n, version="1.0.0-rc.37") for n in range(25)]
REFUSED = [spoil("properties.application_hash", "main.py", event) for event in EVENTS[:5]]
Send = Callable[[Service, list[dict[str, Any]]], str]


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of installed SDKs. PYAIRBYTE_E2E_ENVIRONMENTS names one that is kept between runs."""
    kept = os.environ.get("PYAIRBYTE_E2E_ENVIRONMENTS")
    return Path(kept) if kept else tmp_path_factory.mktemp("sdks")


def run(command: list[str | Path], events: list[dict[str, Any]], folder: Path) -> str:
    """Run a program with events on its standard input; its last word."""
    ended = subprocess.run(
        command,
        input="\n".join(map(json.dumps, events)),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout.strip()


def send_by_python(environments: Path, package: str) -> Send:
    folder = environments / package
    if not (folder / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "-q", package], check=True)
    program: list[str | Path] = [folder / "bin" / "python", PROGRAMS / "python_sdk.py", PYTHON_SDKS[package]]
    return lambda service, events: run([*program, service.url, service.write_key], events, folder)


def send_by_node(environments: Path, package: str) -> Send:
    if not shutil.which("npm"):
        pytest.skip("there is no Node here")
    folder = environments / package.replace("/", "-")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "node_modules").exists():
        subprocess.run(["npm", "install", "--silent", "--no-audit", package], cwd=folder, check=True)
    program: list[str | Path] = ["node", PROGRAMS / NODE_SDKS[package]]
    return lambda service, events: run([*program, service.url, service.write_key], events, folder)


@pytest.mark.parametrize("sdk", [*PYTHON_SDKS, *NODE_SDKS])
def test_what_an_sdk_sends_arrives_and_what_is_refused_is_told(
    environments: Path, service: Service, look: Look, sdk: str
) -> None:
    send = (send_by_python if sdk in PYTHON_SDKS else send_by_node)(environments, sdk)
    assert send(service, EVENTS) == "0"
    assert look.outcomes() == {"received": 25, "accepted": 25}
    assert look.rows("SELECT DISTINCT version FROM events") == [("1.0.0rc37",)]
    [(occurred_at,)] = look.rows("SELECT DISTINCT occurred_at::text FROM events")
    assert occurred_at.startswith("2026-11-23 01:59:40.914")
    assert look.rows("SELECT DISTINCT kind FROM tallies") == [("envelope",)]
    # Every event of a batch refused: the SDK's user hears of each.
    assert send(service, REFUSED) == "5"
    assert look.value("SELECT count(*) FROM events") == 25
    assert look.value("SELECT count(*) FROM rejections") == 5


def test_javas_own_client_with_its_offer_of_http_2(service: Service, look: Look, tmp_path: Path) -> None:
    if not shutil.which("java") or "jdk.compiler" not in list_java_modules():
        pytest.skip("there is no JDK here")
    command: list[str | Path] = ["java", PROGRAMS / "Send.java", f"{service.url}/v1/track", service.write_key]
    assert run(command, EVENTS, tmp_path).split() == ["200"] * 25
    assert look.outcomes() == {"received": 25, "accepted": 25}


def list_java_modules() -> str:
    return subprocess.run(["java", "--list-modules"], capture_output=True, text=True, check=False).stdout
