"""What is sent, and what never is."""

import json
import re
from enum import Enum
from types import ModuleType
from typing import Any

import pytest

from client.tests.recorder import Recorder
from pyairbyte_telemetry import ConnectorRuntimeInfo, EventState, EventType, WriterRuntimeInfo, one_way_hash

ULID = re.compile("[0-7][0-9A-HJKMNP-TV-Z]{25}")
CONFIG_HASH = one_way_hash({"count": 100})


def send(telemetry: ModuleType, **changes: Any) -> None:
    arguments: dict[str, Any] = {
        "source": ConnectorRuntimeInfo(
            name="source-faker", executor_type="VenvExecutor", version="7.2.1", config_hash=CONFIG_HASH
        ),
        "destination": None,
        "cache": WriterRuntimeInfo(type="DuckDBCache"),
        "state": EventState.SUCCEEDED,
        "event_type": EventType.SYNC,
    }
    telemetry.send_telemetry(**(arguments | changes))


@pytest.fixture
def sent(connected: ModuleType, recorder: Recorder) -> Any:
    """Send one event and return it as it arrived."""

    def sent(**changes: Any) -> Any:
        send(connected, **changes)
        assert connected.flush()
        (request,) = recorder.requests
        return request.document

    return sent


def test_one_event_has_the_released_clients_shape(
    connected: ModuleType, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected.configure(version=lambda: "0.71.3")
    send(connected, number_of_records=100)
    assert connected.flush()
    (request,) = recorder.requests
    assert request.path == "/v1/track"
    assert request.headers["content-type"] == "application/json"
    assert "content-encoding" not in request.headers
    assert request.headers["authorization"] == "Basic Y3VrZVNmZmMwRzZnRlFlaEtEaGh6U3VyRHpWU1oyT1A6"
    document = request.document
    # Captured from 0.71.3: the same keys in the same order. What we add stands at the end.
    assert list(document) == ["anonymousId", "event", "properties", "timestamp", "messageId", "sentAt"]
    assert list(document["properties"]) == [
        "session_id",
        "state",
        "version",
        "python_version",
        "os",
        "application_hash",
        "flags",
        "source",
        "cache",
        "number_of_records",
    ]
    assert document["event"] == "sync"
    assert document["properties"]["source"] == {
        "name": "source-faker",
        "executor_type": "VenvExecutor",
        "version": "7.2.1",
        "config_hash": CONFIG_HASH,
    }
    assert document["properties"]["cache"] == {"type": "DuckDBCache"}
    assert document["properties"]["version"] == "0.71.3"
    assert document["properties"]["number_of_records"] == 100
    assert ULID.fullmatch(document["anonymousId"])
    assert ULID.fullmatch(document["properties"]["session_id"])
    assert document["timestamp"].endswith("+00:00")


def test_several_events_go_as_one_zipped_batch(connected: ModuleType, recorder: Recorder) -> None:
    for state in (EventState.STARTED, EventState.STARTED, EventState.STARTED):
        send(connected, state=state)
    assert connected.flush()
    (request,) = recorder.requests
    assert request.path == "/v1/batch"
    assert request.headers["content-encoding"] == "gzip"
    assert set(request.document) == {"batch", "sentAt"}
    assert [event["type"] for event in request.events] == ["track"] * 3
    assert len({event["messageId"] for event in request.events}) == 3


def test_names_decide_between_source_and_destination(connected: ModuleType, recorder: Recorder) -> None:
    connected.log_connector_check_result("destination-duckdb", EventState.FAILED)
    connected.log_connector_check_result("source-faker", EventState.SUCCEEDED)
    connected.log_config_validation_result("destination-duckdb", EventState.SUCCEEDED)
    connected.log_install_state("destination-duckdb", EventState.SUCCEEDED)
    assert connected.flush()
    answered = [
        (
            event["event"],
            *(
                (role, event["properties"][role]["name"])
                for role in ("source", "destination")
                if role in event["properties"]
            ),
        )
        for event in recorder.events
    ]
    assert answered == [
        ("check", ("destination", "destination-duckdb")),
        ("check", ("source", "source-faker")),
        ("validate", ("destination", "destination-duckdb")),
        ("install", ("source", "destination-duckdb")),
    ]


class AirbyteError(Exception):
    """As PyAirbyte's errors of hosted Airbyte: they say themselves what is safe to log."""

    def safe_logging_dict(self) -> dict[str, Any]:
        return {
            "class": type(self).__name__,
            "message": "jane@example.com was here",
            "connector_name": "source-jane",
            "stream_name": "janes_salary",
            "violation": "secret",
            "exit_code": 3,
        }


class AirbyteConnectionSyncError(AirbyteError):
    pass


def test_an_exceptions_message_never_leaves(sent: Any, recorder: Recorder) -> None:
    document = sent(state=EventState.FAILED, exception=ValueError("jane@example.com /home/jane"))
    assert document["properties"]["exception"] == {"class": "ValueError"}
    assert b"jane" not in recorder.requests[0].body


def test_of_what_the_host_says_only_declared_fields_leave(connected: ModuleType, recorder: Recorder) -> None:
    connected.configure(is_registered=lambda name: name == "source-faker")
    send(connected, state=EventState.FAILED, exception=AirbyteConnectionSyncError())
    assert connected.flush()
    (event,) = recorder.events
    assert event["properties"]["exception"] == {
        "class": "AirbyteConnectionSyncError",
        "connector_name": "custom",
        "exit_code": 3,
    }
    assert b"jane" not in recorder.requests[0].body


class Opinionated:
    """Everything a participant could carry by mistake."""

    name = "jane@example.com"
    executor_type = "/home/jane/venv"
    owner = "jane"

    def __init__(self) -> None:
        self.version = {"author": "jane"}
        self.config_hash = {"password": "jane"}

    def to_dict(self) -> dict[str, Any]:
        return {"owner": "jane"}


def test_undeclared_and_free_text_is_left_out(sent: Any, recorder: Recorder) -> None:
    document = sent(source=Opinionated(), cache=Opinionated())
    assert document["properties"]["source"] == {
        "name": "custom",
        "config_hash": one_way_hash({"password": "jane"}),
    }
    assert document["properties"]["cache"] == {
        "type": "custom",
        "config_hash": one_way_hash({"password": "jane"}),
    }
    assert b"jane" not in recorder.requests[0].body


def test_an_unregistered_connector_goes_as_custom(connected: ModuleType, recorder: Recorder) -> None:
    connected.configure(is_registered=lambda name: name == "source-faker")
    connected.log_install_state("source-acme-internal", EventState.SUCCEEDED)
    connected.log_install_state("source-faker", EventState.SUCCEEDED)
    assert connected.flush()
    assert [event["properties"]["source"]["name"] for event in recorder.events] == ["custom", "source-faker"]


def test_without_a_registry_a_well_formed_name_goes_as_it_is(sent: Any) -> None:
    assert sent(source=ConnectorRuntimeInfo(name="source-acme-internal"))["properties"]["source"] == {
        "name": "source-acme-internal"
    }


@pytest.mark.parametrize(
    ("count", "answered"),
    [(0, 0), (7, 7), (2**53 - 1, 2**53 - 1), (2**53, None), (-1, None)],
)
def test_records_are_counted_within_bounds(sent: Any, count: int, answered: int | None) -> None:
    assert sent(number_of_records=count)["properties"].get("number_of_records") == answered


class HostState(str, Enum):
    FAILED = "failed"


def test_another_enumerations_state_will_do(sent: Any) -> None:
    assert sent(state=HostState.FAILED, event_type="sync")["properties"]["state"] == "failed"


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "exploded"},
        {"event_type": "party"},
        {"number_of_records": "many"},
        {"state": None},
        {"number_of_records": 1.5},
    ],
)
def test_a_wrong_argument_costs_the_event_and_nothing_else(
    connected: ModuleType, recorder: Recorder, wrong: dict[str, Any]
) -> None:
    send(connected, **wrong)
    send(connected)
    assert connected.flush()
    assert len(recorder.stored) == 1
    assert recorder.reported == connected.statistics()["dropped"] == 1


def test_a_failing_hook_costs_the_event_and_nothing_else(connected: ModuleType, recorder: Recorder) -> None:
    def fail() -> str:
        raise RuntimeError("jane@example.com")

    connected.configure(version=fail)
    send(connected)
    connected.configure(version=lambda: "1.2.3")
    send(connected)
    assert connected.flush()
    assert [event["properties"]["version"] for event in recorder.events] == ["1.2.3"]
    assert recorder.reported == 1


def test_a_misspelt_hook_is_refused(telemetry: ModuleType) -> None:
    with pytest.raises(TypeError):
        telemetry.configure(versoin=lambda: "1")


def test_flags_that_are_off_are_absent(sent: Any) -> None:
    assert sent()["properties"]["flags"] == {}


def test_flags_that_are_on(
    connected: ModuleType, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "")
    connected.configure(mcp_mode=lambda: True)
    send(connected)
    assert connected.flush()
    assert recorder.events[0]["properties"]["flags"] == {"CI": True, "MCP": True}
    assert connected.get_env_flags() == {"CI": True, "MCP": True}


def test_only_the_hash_of_the_applications_name_leaves(connected: ModuleType, recorder: Recorder) -> None:
    connected.configure(application_name=lambda: "janes_secret_plan.ipynb")
    send(connected)
    assert connected.flush()
    assert recorder.events[0]["properties"]["application_hash"] == one_way_hash("janes_secret_plan.ipynb")
    assert b"jane" not in recorder.requests[0].body


def test_hashes_are_pyairbytes() -> None:
    # Computed with one_way_hash of the released 0.71.3.
    assert one_way_hash("x") == "2cf9d6e51b397942127bf5de195d1bfaea8b1ae49e3849b617d7ad45dcb9f713"
    nested = "0136d2c95ebe56bdceb3168e8cb63f141ae6376df804925942aaf97fcf8fb89c"
    assert one_way_hash({"b": 1, "a": [1, {"c": 2}]}) == nested
    assert one_way_hash({"a": [1, {"c": 2}], "b": 1}) == nested


def test_debug_shows_what_is_sent(
    connected: ModuleType,
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AIRBYTE_TELEMETRY_DEBUG", "1")
    send(connected)
    assert connected.flush()
    shown = re.search(r"POST /v1/track (\{.*\})", capfd.readouterr().err)
    assert shown is not None
    assert json.loads(shown[1]) == recorder.requests[0].document


def test_nothing_is_printed_otherwise(connected: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    connected._setup_analytics()
    capfd.readouterr()
    send(connected)
    assert connected.flush()
    assert capfd.readouterr() == ("", "")
