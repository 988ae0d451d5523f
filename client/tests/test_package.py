"""The package itself: its names, its size, what it needs."""

import importlib.util
import inspect
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import pyairbyte_telemetry

ROOT = Path(pyairbyte_telemetry.__file__).parents[2]

# Name and signature of what PyAirbyte 0.71.3 or 1.0.0rc37 defines.
FUNCTIONS = {
    "_setup_analytics": [],
    "_get_analytics_id": [],
    "get_env_flags": [],
    "get_segment_write_key": [],
    "send_telemetry": [
        "*source",
        "*destination",
        "*cache",
        "*state",
        "*event_type",
        "*number_of_records=None",
        "*exception=None",
    ],
    "log_config_validation_result": ["name", "state", "exception=None"],
    "log_connector_check_result": ["name", "state", "exception=None"],
    "log_install_state": ["name", "state", "exception=None"],
    "one_way_hash": ["obj"],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_have_pyairbytes_signatures(name: str) -> None:
    parameters = inspect.signature(getattr(pyairbyte_telemetry, name)).parameters.values()
    reported = [
        ("*" if each.kind is inspect.Parameter.KEYWORD_ONLY else "")
        + each.name
        + ("" if each.default is inspect.Parameter.empty else f"={each.default}")
        for each in parameters
    ]
    assert reported == FUNCTIONS[name]


def test_constants_and_classes_are_there() -> None:
    telemetry = pyairbyte_telemetry
    assert telemetry.DEBUG is True
    assert telemetry.DO_NOT_TRACK == "DO_NOT_TRACK"
    assert telemetry.UNKNOWN == "unknown"
    assert telemetry._ENV_ANALYTICS_ID == "AIRBYTE_ANALYTICS_ID"
    assert telemetry.PYAIRBYTE_APP_TRACKING_KEY
    assert telemetry.PYAIRBYTE_MCP_TRACKING_KEY
    assert [each.value for each in telemetry.EventState] == ["started", "failed", "succeeded", "canceled"]
    assert [each.value for each in telemetry.EventType] == ["install", "sync", "validate", "check"]
    assert isinstance(telemetry.EventState.STARTED, str)
    assert telemetry.WriterRuntimeInfo("DuckDBCache").to_dict() == {"type": "DuckDBCache"}
    assert telemetry.ConnectorRuntimeInfo(name="source-faker").to_dict() == {"name": "source-faker"}
    assert telemetry.ConnectorRuntimeInfo(name="a") == telemetry.ConnectorRuntimeInfo(name="a")
    assert telemetry.ConnectorRuntimeInfo(name="a") != telemetry.ConnectorRuntimeInfo(name="b")
    assert repr(telemetry.WriterRuntimeInfo("a")) == "WriterRuntimeInfo(type='a', config_hash=None)"
    assert telemetry.get_env_flags.cache_clear() is None  # type: ignore[attr-defined]


def test_a_star_import_brings_every_name() -> None:
    namespace: dict[str, object] = {}
    exec("from pyairbyte_telemetry import *", namespace)  # noqa: S102
    assert set(pyairbyte_telemetry.__all__) <= set(namespace)


def test_the_wheel_is_small_typed_and_needs_little(tmp_path: Path) -> None:
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed here")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.stat().st_size < 48_000
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if name.endswith("/METADATA"))
        needs = re.findall(r"^Requires-Dist: ([A-Za-z0-9-]+)", archive.read(metadata).decode(), re.MULTILINE)
    assert "pyairbyte_telemetry/py.typed" in names
    assert not [name for name in names if "test" in name]
    assert {name.lower() for name in needs} == {"pyyaml"}
