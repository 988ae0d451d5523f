"""The anonymous id: where it comes from, where it is kept, and what of it leaves the machine."""

import os
import sys
import uuid
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import pyairbyte_telemetry
from client.tests.conftest import Run
from client.tests.recorder import Recorder
from pyairbyte_telemetry import EventState, _optout
from pyairbyte_telemetry._identity import NOTICE
from pyairbyte_telemetry._ids import is_wire_id, new_ulid, wire_id

NAME = "AIRBYTE_ANALYTICS_ID"


@pytest.fixture
def file() -> Path:
    return pyairbyte_telemetry._ANALYTICS_FILE


def test_a_first_use_makes_the_file_and_says_so_on_stderr(
    telemetry: ModuleType, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = telemetry._setup_analytics()
    said = capsys.readouterr()
    assert said.err == NOTICE + "\n"
    assert said.out == ""
    assert is_wire_id(found)
    assert yaml.safe_load(file.read_text()) == {"anonymous_user_id": found}
    assert [path.name for path in file.parent.iterdir()] == ["analytics.yml"]
    assert telemetry._setup_analytics() == found
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "text", ["not-a-valid ::: yaml file\n", "{", "", "- a", "anonymous_user_id:", "\x00"]
)
def test_a_corrupt_file_is_replaced(
    telemetry: ModuleType, file: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(text)
    found = telemetry._setup_analytics()
    assert yaml.safe_load(file.read_text()) == {"anonymous_user_id": found}
    assert NOTICE not in capsys.readouterr().err


def test_a_file_that_is_not_text_is_replaced(telemetry: ModuleType, file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\xff\xfe\x00")
    assert yaml.safe_load(file.with_name(file.name).read_text() if telemetry._setup_analytics() else "")


def test_where_nothing_can_be_written_the_id_lasts_as_long_as_the_process(
    connected: ModuleType,
    recorder: Recorder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "home").write_text("a file where a directory should be")
    for _ in range(2):
        connected.log_install_state("source-faker", EventState.SUCCEEDED)
        assert connected.flush()
    first, second = recorder.events
    assert first["anonymousId"] == second["anonymousId"]
    said = capsys.readouterr().err
    assert said.count("Failed to write the analytics file.") == 1
    assert said.count(NOTICE) == 1


def test_processes_that_start_together_agree_on_one_id(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    program = """
import os, sys, time
import yaml
import pyairbyte_telemetry as telemetry
children = []
start = time.time() + 0.2
for _ in range(16):
    reading, writing = os.pipe()
    if os.fork() == 0:
        while time.time() < start: pass
        os.write(writing, telemetry._setup_analytics().encode())
        os._exit(0)
    children.append(reading)
    os.close(writing)
ids = {os.read(child, 100) for child in children}
assert len(ids) == 1, ids
assert os.listdir(telemetry._ANALYTICS_FILE.parent) == ["analytics.yml"]
"""
    for turn in range(3):
        monkeypatch.setenv("HOME", os.environ["HOME"] + str(turn))
        ended = run(program)
        assert ended.returncode == 0, ended.stderr


def test_an_override_wins_and_is_remembered(
    telemetry: ModuleType, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry._setup_analytics()
    monkeypatch.setenv(NAME, "test_id")
    assert telemetry._setup_analytics() == "test_id"
    assert yaml.safe_load(file.read_text()) == {"anonymous_user_id": "test_id"}
    monkeypatch.delenv(NAME)
    assert telemetry._setup_analytics() == "test_id"


def test_an_override_that_is_no_id_leaves_as_a_uuid_of_it(
    connected: ModuleType, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NAME, "jane@example.com")
    connected.log_install_state("source-faker", EventState.SUCCEEDED)
    assert connected.flush()
    (event,) = recorder.events
    assert uuid.UUID(event["anonymousId"]).version == 5
    assert event["anonymousId"] == wire_id("jane@example.com")
    assert b"jane" not in recorder.requests[0].body
    assert connected._get_analytics_id() == connected._setup_analytics() == "jane@example.com"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
@example("12")
@example("true")
@example("null")
@example("1e3")
@example("a: b")
@example("x # y")
@example("two\nlines")
@example("\U0001f600")
@example("{")
@example("'")
def test_any_override_comes_back_as_the_user_wrote_it(
    telemetry: ModuleType, file: Path, monkeypatch: pytest.MonkeyPatch, override: str
) -> None:
    try:
        os.fsencode(override)
    except UnicodeEncodeError:
        return  # cannot be in an environment
    monkeypatch.setenv(NAME, override)
    assert telemetry._setup_analytics() == override
    monkeypatch.delenv(NAME)
    assert telemetry._setup_analytics() == override
    assert is_wire_id(wire_id(override))


def test_ids_keep_their_canonical_form() -> None:
    ulid = new_ulid()
    assert wire_id(ulid) == wire_id(ulid.lower()) == ulid
    assert wire_id("6F2B8A52-6A3C-4E0C-9D0A-2F3F0C1D7B94") == "6f2b8a52-6a3c-4e0c-9d0a-2f3f0c1d7b94"
    assert wire_id("jane") == wire_id("jane") != wire_id("joe")


def test_ulids_order_by_time_and_never_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1_469_918_176_385_000_000)
    first = [new_ulid() for _ in range(1000)]
    assert {ulid[:10] for ulid in first} == {"01ARYZ6S41"}  # the ULID specification's own example
    assert len(set(first)) == 1000


@pytest.mark.parametrize(
    ("name", "value"),
    [("DO_NOT_TRACK", "1"), ("DO_NOT_TRACK", "0"), ("DO_NOT_TRACK", " "), ("AIRBYTE_OFFLINE_MODE", "1")],
)
def test_who_opted_out_sends_nothing_and_gets_no_file(
    connected: ModuleType,
    recorder: Recorder,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(name, value)
    connected.log_install_state("source-faker", EventState.SUCCEEDED)
    assert connected.flush()
    assert connected._setup_analytics() is False
    assert connected._get_analytics_id() is None
    assert recorder.requests == []
    assert not file.parent.exists()
    assert capfd.readouterr() == ("", "")


def test_an_empty_do_not_track_means_nothing(
    connected: ModuleType, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DO_NOT_TRACK", "")
    monkeypatch.setenv("AIRBYTE_OFFLINE_MODE", "false")
    connected.log_install_state("source-faker", EventState.SUCCEEDED)
    assert connected.flush()
    assert len(recorder.stored) == 1


def test_opting_out_counts_for_what_is_queued_already(
    connected: ModuleType, recorder: Recorder, file: Path
) -> None:
    _optout.opt_out(file)
    connected.log_install_state("source-faker", EventState.SUCCEEDED)
    assert connected.flush()
    assert recorder.requests == []
    assert connected.statistics()["withdrawn"] == 1
    assert connected._setup_analytics() is False
    _optout.opt_in(file)
    connected.log_install_state("source-faker", EventState.SUCCEEDED)
    assert connected.flush()
    assert len(recorder.stored) == 1
    assert recorder.reported == 0


def test_without_a_host_nothing_is_sent_and_no_file_is_made(telemetry: ModuleType, file: Path) -> None:
    telemetry.log_install_state("source-faker", EventState.SUCCEEDED)
    assert telemetry._ANALYTICS_ID is None
    assert telemetry.flush()
    assert not file.exists()
    assert sum(telemetry.statistics().values()) == 0


def test_the_modules_own_id_can_be_set(
    connected: ModuleType, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = new_ulid()
    monkeypatch.setattr(pyairbyte_telemetry, "_ANALYTICS_ID", mine)
    assert connected._get_analytics_id() == mine
    connected.log_install_state("source-faker", EventState.SUCCEEDED)
    assert connected.flush()
    assert recorder.events[0]["anonymousId"] == mine


def test_the_id_can_be_set_in_the_host_module_that_imported_our_names(
    telemetry: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = ModuleType("airbyte._util.telemetry")
    exec("from pyairbyte_telemetry import *", vars(host))  # noqa: S102
    monkeypatch.setitem(sys.modules, host.__name__, host)
    assert vars(host)["_ANALYTICS_ID"] is None
    vars(host)["_ANALYTICS_ID"] = "test_id"
    assert vars(host)["_get_analytics_id"]() == "test_id"


def test_the_modules_id_is_looked_up_when_it_is_asked_for(connected: ModuleType, file: Path) -> None:
    assert not file.exists()
    found = connected._ANALYTICS_ID
    assert yaml.safe_load(file.read_text()) == {"anonymous_user_id": found}


@pytest.mark.parametrize(
    ("url", "sends"),
    [
        ("https://telemetry.example.com", True),
        ("https://telemetry.example.com/prefix/", True),
        ("http://127.0.0.1:8000", True),
        ("http://localhost", True),
        ("http://[::1]:8000", True),
        ("http://telemetry.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://10.0.0.1", False),
        ("http://localhost@example.com", False),
        ("https://user:secret@example.com", False),
        ("https://example.com?key=1", False),
        ("ftp://example.com", False),
        ("example.com", False),
        ("https://", False),
        ("http://[", False),
        ("https://example.com:port", False),
    ],
)
def test_where_events_may_go(monkeypatch: pytest.MonkeyPatch, url: str, sends: bool) -> None:
    monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", url)
    endpoint = pyairbyte_telemetry._settings.find_endpoint("key")
    assert (endpoint is not None) is sends
    assert (pyairbyte_telemetry._settings.find_endpoint_problem() is None) is sends


def test_plain_http_elsewhere_takes_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", "http://telemetry.example.com/")
    monkeypatch.setenv("AIRBYTE_TELEMETRY_ALLOW_HTTP", "1")
    assert pyairbyte_telemetry._settings.find_endpoint("key") == ("http://telemetry.example.com", "key")
