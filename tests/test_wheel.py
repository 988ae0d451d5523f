"""The wheel that `dev.py build` makes serves by itself: files of the package,
migrations, the embedded Postgres."""

import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.samples import basic, clean_event
from tests.service import ROOT, find_free_port

CONSOLE = "import sys; from app.cli import main; sys.exit(main())"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is built of service and client, from copies: a build leaves nothing in the checkout."""
    folder = tmp_path_factory.mktemp("wheels")
    for source in (ROOT, ROOT / "client"):
        command = [
            sys.executable,
            "-m",
            "hatchling",
            "build",
            "--target",
            "wheel",
            "--directory",
            str(folder),
        ]
        subprocess.run(command, cwd=source, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def installed(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's own files; its dependencies are those of the checkout's environment."""
    folder = tmp_path_factory.mktemp("installed")
    (wheel,) = wheels.glob("pyairbyte_telemetry_server-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(installed: Path, *arguments: str, **settings: str) -> "subprocess.Popen[str]":
    """Run the console script's two lines away from the checkout: `-P` keeps the
    working directory off the path."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(installed), **settings}
    return subprocess.Popen(
        [sys.executable, "-P", "-c", CONSOLE, *arguments],
        cwd=installed.parent,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_holds_all_files_that_are_no_modules(installed: Path) -> None:
    def list_files(folder: Path) -> set[str]:
        found = (path.relative_to(folder) for path in (folder / "app").rglob("*") if path.is_file())
        return {str(path) for path in found if "__pycache__" not in path.parts}

    inside = list_files(installed)
    assert list_files(ROOT) <= inside
    assert {"app/public/privacy.md", "app/store/alembic/env.py"} <= inside
    assert any(name.startswith("app/store/alembic/versions/") for name in inside)


def test_it_serves_with_an_embedded_postgres(installed: Path, tmp_path: Path) -> None:
    port = find_free_port()
    settings = {
        "HOME": str(tmp_path),
        "TELEMETRY_DATA_DIR": str(tmp_path / "data"),
        "TELEMETRY_WRITE_KEYS": "k" * 24,
    }
    url = f"http://127.0.0.1:{port}"
    with run(installed, "serve", "--port", str(port), **settings) as serving:
        try:
            deadline = time.monotonic() + 120
            while serving.poll() is None and time.monotonic() < deadline:
                try:
                    httpx.get(f"{url}/healthz", timeout=5)
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            answer = httpx.post(f"{url}/v1/track", json=clean_event(), headers=basic("k" * 24), timeout=30)
            assert answer.json()["outcome"] == "accepted"
            for path in ("/docs", "/docs/swagger-ui.css", "/privacy", "/v1/schema", "/metrics"):
                assert httpx.get(f"{url}{path}", timeout=30).status_code == 200, path
            with run(installed, "report", "connectors", "--format", "csv", **settings) as report:
                reported, said = report.communicate(timeout=60)
            assert (report.returncode, said) == (0, "")
            assert reported.startswith("rank,connector")
        finally:
            serving.send_signal(signal.SIGTERM)
            serving.communicate(timeout=60)
    assert serving.returncode == 0


def test_version_is_the_packages(installed: Path) -> None:
    with run(installed, "--version") as asked:
        reported, _ = asked.communicate(timeout=60)
    (metadata,) = installed.glob("*.dist-info")
    assert reported.split()[1] == metadata.name.removesuffix(".dist-info").rpartition("-")[2]
