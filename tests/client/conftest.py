"""The client in this process, sending to a real service."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pyairbyte_telemetry
import pytest
from pyairbyte_telemetry import _hooks
from pyairbyte_telemetry._limits import Limits
from pyairbyte_telemetry._sender import Sender

from tests.conftest import Service

VARIABLES = (
    "AIRBYTE_ANALYTICS_ID",
    "AIRBYTE_OFFLINE_MODE",
    "AIRBYTE_TELEMETRY_ALLOW_HTTP",
    "AIRBYTE_TELEMETRY_DEBUG",
    "CI",
    "COLAB_RELEASE_TAG",
    "DO_NOT_TRACK",
)


@pytest.fixture
def telemetry(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[ModuleType]:
    """The client's package with a sender of its own."""
    service: Service = request.getfixturevalue("service")
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", service.url)
    for key in ("PYAIRBYTE_APP_TRACKING_KEY", "PYAIRBYTE_MCP_TRACKING_KEY"):
        monkeypatch.setattr(pyairbyte_telemetry, key, service.write_key)
    monkeypatch.setattr(pyairbyte_telemetry, "_ANALYTICS_FILE", tmp_path / "analytics.yml")
    monkeypatch.setattr(
        pyairbyte_telemetry,
        "_sender",
        Sender(pyairbyte_telemetry._identify, lambda: pyairbyte_telemetry._ANALYTICS_FILE),
    )
    before = _hooks.current
    pyairbyte_telemetry.configure(limits=Limits(linger=0.05, backoff_base=0.1))
    yield pyairbyte_telemetry
    assert pyairbyte_telemetry.close(5)
    _hooks.current = before
    pyairbyte_telemetry._get_static_env_flags.cache_clear()
