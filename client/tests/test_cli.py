"""`python -m pyairbyte_telemetry`: what is on and why, what is sent, and how to stop it."""

import json
import sys
from pathlib import Path

import pytest

import pyairbyte_telemetry
from client.tests.recorder import Recorder, answer
from pyairbyte_telemetry import EventState
from pyairbyte_telemetry.__main__ import main
from pyairbyte_telemetry._ids import new_ulid, wire_id

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def file() -> Path:
    return pyairbyte_telemetry._ANALYTICS_FILE


def status(capsys: Captured) -> str:
    assert main(["status"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({}, "AIRBYTE_TELEMETRY_URL is not set"),
        ({"AIRBYTE_TELEMETRY_URL": "http://example.com"}, "plain http"),
        ({"AIRBYTE_TELEMETRY_URL": "https://example.com", "DO_NOT_TRACK": "0"}, "DO_NOT_TRACK is set"),
        ({"AIRBYTE_TELEMETRY_URL": "https://example.com", "AIRBYTE_OFFLINE_MODE": "1"}, "offline mode is on"),
    ],
)
def test_status_says_why_nothing_is_sent(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, file: Path, variables: dict[str, str], reason: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    reported = status(capsys)
    assert reported.startswith("Usage reporting is off:")
    assert reason in reported
    assert not file.parent.exists()


def test_status_says_that_events_are_sent(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", "https://example.com")
    monkeypatch.setenv("AIRBYTE_ANALYTICS_ID", "jane@example.com")
    reported = status(capsys)
    assert reported.startswith("Usage reporting is on.")
    assert wire_id("jane@example.com") in reported
    assert "jane" not in reported


def test_opting_out_lasts_until_it_is_taken_back(
    connected: object, recorder: Recorder, capsys: Captured, file: Path
) -> None:
    assert main(["off"]) == 0
    assert "you opted out" in status(capsys)
    assert not file.exists()
    pyairbyte_telemetry.log_install_state("source-faker", EventState.SUCCEEDED)
    assert pyairbyte_telemetry.flush()
    assert recorder.requests == []
    assert main(["off"]) == 0
    assert main(["on"]) == 0
    assert main(["on"]) == 0
    capsys.readouterr()
    assert status(capsys).startswith("Usage reporting is on.")
    pyairbyte_telemetry.log_install_state("source-faker", EventState.SUCCEEDED)
    assert pyairbyte_telemetry.flush()
    assert len(recorder.stored) == 1


def test_an_opt_out_that_cannot_be_kept_says_so(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "home").write_text("a file where a directory should be")
    assert main(["off"]) == 1
    assert "DO_NOT_TRACK=1" in capsys.readouterr().err
    assert main(["on"]) == 1


def test_show_prints_an_event_as_it_is_sent(
    connected: object, recorder: Recorder, capsys: Captured, file: Path
) -> None:
    """The sample has the very fields of a real event of the same kind, and nothing is made or sent for it."""
    assert main(["show"]) == 0
    shown = capsys.readouterr()
    sample = json.loads(shown.out)
    assert f"POST {recorder.url}/v1/track" in shown.err
    assert recorder.requests == []
    assert not file.exists()
    source = sample["properties"]["source"]
    pyairbyte_telemetry.send_telemetry(
        source=pyairbyte_telemetry.ConnectorRuntimeInfo(**source),
        destination=None,
        cache=pyairbyte_telemetry.WriterRuntimeInfo(type="DuckDBCache"),
        state=EventState.SUCCEEDED,
        event_type=pyairbyte_telemetry.EventType.SYNC,
        number_of_records=100,
    )
    assert pyairbyte_telemetry.flush()
    real = recorder.requests[0].document
    assert list(sample) == list(real)
    assert sample["properties"] == real["properties"]


def test_show_under_an_opt_out_says_that_nothing_is_sent(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    assert main(["show"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["event"] == "sync"
    assert "Nothing is sent: DO_NOT_TRACK is set" in shown.err


@pytest.mark.parametrize("opted_out", [False, True])
def test_forget_asks_for_the_users_own_id(
    recorder: Recorder, capsys: Captured, file: Path, monkeypatch: pytest.MonkeyPatch, opted_out: bool
) -> None:
    monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", recorder.url)
    if opted_out:
        monkeypatch.setenv("DO_NOT_TRACK", "1")
    mine = new_ulid()
    file.parent.mkdir(parents=True)
    file.write_text(f"anonymous_user_id: {mine}\n")
    recorder.script = [answer(202)]
    assert main(["forget"]) == 0
    (request,) = recorder.requests
    assert request.path == "/v1/forget"
    assert request.document == {"anonymousId": mine}
    assert request.headers["authorization"].startswith("Basic ")
    assert "told_so" in capsys.readouterr().out


def test_forget_uses_the_form_that_was_sent(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", recorder.url)
    monkeypatch.setenv("AIRBYTE_ANALYTICS_ID", "jane@example.com")
    recorder.script = [answer(202)]
    assert main(["forget"]) == 0
    assert recorder.requests[0].document == {"anonymousId": wire_id("jane@example.com")}


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:9", "http://example.com"])
def test_forget_fails_where_nobody_can_be_asked(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, url: str | None
) -> None:
    if url:
        monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", url)
    assert main(["forget"]) == 1
    assert "There is no id" in capsys.readouterr().err
    monkeypatch.setenv("AIRBYTE_ANALYTICS_ID", new_ulid())
    assert main(["forget"]) == 1
    assert capsys.readouterr().err


def test_forget_fails_where_it_is_refused(
    recorder: Recorder, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", recorder.url)
    monkeypatch.setenv("AIRBYTE_ANALYTICS_ID", new_ulid())
    recorder.script = [answer(401)]
    assert main(["forget"]) == 1
    assert "401" in capsys.readouterr().err


def test_after_forgetting_a_new_id_is_offered_and_status_says_what_was_forgotten(
    recorder: Recorder, capsys: Captured, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", recorder.url)
    old = pyairbyte_telemetry._setup_analytics()
    assert "forgotten" not in status(capsys)
    recorder.script = [answer(202)]
    assert main(["forget"]) == 0
    assert "new-id" in capsys.readouterr().out
    reported = status(capsys)
    assert "This id was forgotten on" in reported
    assert "new-id" in reported
    assert main(["new-id"]) == 0
    new = pyairbyte_telemetry._setup_analytics()
    assert new != old
    assert str(new) in capsys.readouterr().out
    reported = status(capsys)
    assert "The id before this one was forgotten on" in reported
    assert str(old) not in "".join(path.read_text() for path in file.parent.iterdir())


def test_forget_asks_the_person_at_the_terminal(
    recorder: Recorder, capsys: Captured, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", recorder.url)
    old = pyairbyte_telemetry._setup_analytics()
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    for answered, stays in (("n", True), ("", True), ("y", False)):
        monkeypatch.setattr("builtins.input", lambda _, answered=answered: answered)
        recorder.script = [answer(202)]
        assert main(["forget"]) == 0
        assert (pyairbyte_telemetry._setup_analytics() == old) is stays


def test_an_id_of_the_users_own_is_not_replaced(
    recorder: Recorder, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRBYTE_ANALYTICS_ID", "jane@example.com")
    assert main(["new-id"]) == 1
    assert "AIRBYTE_ANALYTICS_ID" in capsys.readouterr().err


def test_status_names_a_proxy_that_cannot_be_used(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", "https://example.com")
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    assert "proxy" in status(capsys)


def test_an_unknown_command_is_a_usage_error(capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["dance"])
    assert ended.value.code == 2
