import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

import pyairbyte_telemetry
from client.tests.recorder import Recorder
from pyairbyte_telemetry import _hooks
from pyairbyte_telemetry._limits import Limits
from pyairbyte_telemetry._sender import Sender

SOURCES = Path(pyairbyte_telemetry.__file__).parents[1]
QUICK = Limits(
    linger=0.05,
    backoff_base=0.02,
    backoff_cap=0.1,
    connect_timeout=0.5,
    read_timeout=0.5,
    attempt_timeout=1.0,
)

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.close()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (
        "AIRBYTE_TELEMETRY_URL",
        "AIRBYTE_TELEMETRY_ALLOW_HTTP",
        "AIRBYTE_TELEMETRY_DEBUG",
        "AIRBYTE_ANALYTICS_ID",
        "AIRBYTE_OFFLINE_MODE",
        "AIRBYTE_MCP_TRACKING_KEY",
        "AIRBYTE_TRACKING_KEY",
        "CURL_CA_BUNDLE",
        "REQUESTS_CA_BUNDLE",
        "DO_NOT_TRACK",
        "CI",
        "COLAB_RELEASE_TAG",
        "PYTHONUNBUFFERED",
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "NO_PROXY",
        "no_proxy",
        "ALL_PROXY",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(pyairbyte_telemetry, "_ANALYTICS_FILE", tmp_path / "home/.airbyte/analytics.yml")
    pyairbyte_telemetry._get_static_env_flags.cache_clear()


@pytest.fixture
def telemetry(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The package with a sender of its own, short waits, and no endpoint yet."""
    before = _hooks.current
    pyairbyte_telemetry.configure(limits=QUICK)
    sender = Sender(pyairbyte_telemetry._identify, lambda: pyairbyte_telemetry._ANALYTICS_FILE)
    monkeypatch.setattr(pyairbyte_telemetry, "_sender", sender)
    yield pyairbyte_telemetry
    assert sender.close(10)
    _hooks.current = before


@pytest.fixture
def connected(telemetry: ModuleType, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The same, sending to the recorder."""
    monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", recorder.url)
    return telemetry


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a Python program in a process of its own, with the client on its path."""
    monkeypatch.setenv("PYTHONPATH", str(SOURCES))

    def run(program: str, *arguments: str, timeout: float = 60) -> "subprocess.CompletedProcess[str]":
        script = tmp_path / "program.py"
        script.write_text(program)
        return subprocess.run(
            [sys.executable, "-W", "error", str(script), *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run
