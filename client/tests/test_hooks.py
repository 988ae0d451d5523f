"""What the host may see of events and errors, and which application it is at the moment."""

from types import ModuleType
from typing import Any

import pytest

from client.tests.conftest import Run
from client.tests.recorder import Recorder, accept, answer
from client.tests.test_events import send
from pyairbyte_telemetry import DeliveryError, Limits, _environment

Event = dict[str, Any]


def test_before_send_may_change_an_event(connected: ModuleType, recorder: Recorder) -> None:
    def hide_cache(event: Event) -> Event:
        del event["properties"]["cache"]
        return event

    connected.configure(before_send=hide_cache)
    send(connected)
    assert connected.flush()
    assert "cache" not in recorder.events[0]["properties"]


def test_before_send_may_keep_an_event_back(connected: ModuleType, recorder: Recorder) -> None:
    connected.configure(before_send=lambda event: event if event["properties"]["state"] == "failed" else None)
    for state in ("started", "failed", "succeeded"):
        send(connected, state=state)
    assert connected.flush()
    assert [event["properties"]["state"] for event in recorder.events] == ["failed"]
    assert connected.statistics()["withdrawn"] == 2
    send(connected, state="failed")
    assert connected.flush()
    assert recorder.reported == 0  # nothing was lost


@pytest.mark.parametrize("result", ["text", {"when": object()}, {"share": float("nan")}, RuntimeError("no")])
def test_a_before_send_that_fails_costs_its_event_and_is_heard_of(
    connected: ModuleType, recorder: Recorder, result: object
) -> None:
    heard: list[tuple[Exception, list[Event]]] = []

    def fail(event: Event) -> Any:
        if event["properties"]["state"] != "failed":
            return event
        if isinstance(result, Exception):
            raise result
        return result

    connected.configure(before_send=fail, on_error=lambda error, events: heard.append((error, events)))
    for state in ("started", "failed", "succeeded"):
        send(connected, state=state)
    assert connected.flush()
    assert [event["properties"]["state"] for event in recorder.events] == ["started", "succeeded"]
    assert connected.statistics()["lost"] == 1
    ((error, (event,)),) = heard
    assert isinstance(error, TypeError | ValueError | RuntimeError)
    assert event["properties"]["state"] == "failed"


@pytest.mark.parametrize(
    ("behaviours", "outcome", "status", "reason"),
    [
        ([answer(401)], "refused", 401, "told_so"),
        ([answer(302, Location="/")], "lost", 302, "redirects are not followed"),
        ([answer(500)] * 9, "lost", 500, "told_so"),
    ],
)
def test_on_error_is_told_what_was_not_stored_and_why(
    connected: ModuleType, recorder: Recorder, behaviours: list[Any], outcome: str, status: int, reason: str
) -> None:
    heard: list[tuple[DeliveryError, list[Event]]] = []
    connected.configure(on_error=lambda error, events: heard.append((error, events)))
    recorder.script = behaviours
    send(connected)
    assert connected.flush(30)
    ((error, (event,)),) = heard
    assert (error.outcome, error.status, error.reason) == (outcome, status, reason)
    assert str(status) in str(error)
    assert event["event"] == "sync"


def test_on_error_hears_of_single_events_of_an_accepted_batch(
    connected: ModuleType, recorder: Recorder
) -> None:
    heard: list[tuple[DeliveryError, list[Event]]] = []
    connected.configure(on_error=lambda error, events: heard.append((error, events)))

    def judge(exchange: Any) -> None:
        exchange.read()
        items = [{"outcome": "accepted"}, {"outcome": "rejected", "reason": "invalid_value"}]
        exchange.reply(200, {"results": items})

    recorder.script = [judge]
    send(connected, state="started")
    send(connected, state="failed")
    assert connected.flush()
    ((error, (event,)),) = heard
    assert (error.outcome, error.reason) == ("refused", "invalid_value")
    assert event["properties"]["state"] == "failed"


def test_an_on_error_that_fails_harms_nobody(connected: ModuleType, recorder: Recorder) -> None:
    def fail(error: Exception, events: list[Event]) -> None:
        raise RuntimeError

    connected.configure(on_error=fail)
    recorder.script = [answer(400), accept]
    for _ in range(2):
        send(connected)
        assert connected.flush()
    assert len(recorder.stored) == 1


def test_a_connection_refused_is_heard_of(telemetry: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[DeliveryError] = []
    telemetry.configure(on_error=lambda error, _: heard.append(error), limits=Limits(attempts=1, linger=0.01))
    monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", "http://127.0.0.1:9")
    send(telemetry)
    assert telemetry.flush(30)
    assert [(error.outcome, error.status, error.reason) for error in heard] == [
        ("lost", None, "ConnectionRefusedError")
    ]


def authorizations(recorder: Recorder) -> list[str]:
    return [request.headers["authorization"] for request in recorder.requests]


def test_an_mcp_server_sends_under_its_own_key_from_the_moment_it_is_one(
    connected: ModuleType, recorder: Recorder
) -> None:
    """PyAirbyte learns that it serves MCP only after it was imported, and may have sent by then."""
    modes = iter([False, True, False])
    current = {"mcp": False}
    connected.configure(mcp_mode=lambda: current["mcp"])
    for mode in modes:
        current["mcp"] = mode
        send(connected)
        assert connected.flush()
    assert [event["properties"]["flags"] for event in recorder.events] == [{}, {"MCP": True}, {}]
    app, mcp, again = authorizations(recorder)
    assert app == again == "Basic Y3VrZVNmZmMwRzZnRlFlaEtEaGh6U3VyRHpWU1oyT1A6"
    assert mcp == "Basic S1VJRDJWSHRjTlZiakFON1JzWmRnNlpLS2VNSENXaFo6"


def test_events_under_two_keys_go_in_two_batches(connected: ModuleType, recorder: Recorder) -> None:
    current = {"mcp": False}
    connected.configure(mcp_mode=lambda: current["mcp"])
    send(connected, state="started")
    current["mcp"] = True
    send(connected)
    assert connected.flush()
    assert len(set(authorizations(recorder))) == len(recorder.stored) == 2


def test_both_keys_have_a_setting_of_their_own(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    program = """
import sys
from types import ModuleType
from pyairbyte_telemetry import *
print(PYAIRBYTE_APP_TRACKING_KEY, PYAIRBYTE_MCP_TRACKING_KEY, get_segment_write_key())
meta = sys.modules["airbyte._util.meta"] = ModuleType("meta")
meta.is_mcp_mode = lambda: True
print(get_segment_write_key(), get_env_flags().get("MCP"))
"""
    assert run(program).stdout.split() == [
        "cukeSffc0G6gFQehKDhhzSurDzVSZ2OP",
        "KUID2VHtcNVbjAN7RsZdg6ZKKeMHCWhZ",
        "cukeSffc0G6gFQehKDhhzSurDzVSZ2OP",
        "KUID2VHtcNVbjAN7RsZdg6ZKKeMHCWhZ",
        "True",
    ]
    monkeypatch.setenv("AIRBYTE_TRACKING_KEY", "app")
    monkeypatch.setenv("AIRBYTE_MCP_TRACKING_KEY", "mcp")
    assert run(program).stdout.split() == ["app", "mcp", "app", "mcp", "True"]


class AirbyteLibError(Exception):
    pass


class AirbyteCloudError(AirbyteLibError):
    """As PyAirbyte 1.0 calls the errors of hosted Airbyte."""

    def safe_logging_dict(self) -> dict[str, Any]:
        return {"class": type(self).__name__, "message": "jane", "connector_name": "source-faker"}


@pytest.mark.parametrize(
    ("error", "described"),
    [
        (AirbyteLibError("jane"), {"class": "AirbyteLibError"}),
        (AirbyteCloudError("jane"), {"class": "AirbyteCloudError", "connector_name": "source-faker"}),
    ],
)
def test_exceptions_of_both_generations(
    connected: ModuleType, recorder: Recorder, error: Exception, described: dict[str, str]
) -> None:
    send(connected, state="failed", exception=error)
    assert connected.flush()
    assert recorder.events[0]["properties"]["exception"] == described


def test_the_version_is_the_one_that_pyairbyte_has_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("airbyte.version")
    vars(module)["airbyte_version"] = "1.0.0-rc.37"
    monkeypatch.setitem(__import__("sys").modules, module.__name__, module)
    _environment.forget()
    assert _environment.find_host_version() == "1.0.0-rc.37"
    _environment.forget()


def test_a_failing_mcp_hook_costs_its_event_only_where_one_would_be_sent(
    telemetry: ModuleType, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> bool:
        raise RuntimeError

    telemetry.configure(mcp_mode=fail)
    send(telemetry)
    assert telemetry.statistics()["dropped"] == 0
    monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", recorder.url)
    send(telemetry)
    assert telemetry.statistics()["dropped"] == 1
    telemetry.configure(mcp_mode=lambda: False)
    send(telemetry)
    assert telemetry.flush()
    assert recorder.reported == 1
