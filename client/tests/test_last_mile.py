"""The last event of a short process, and what becomes of those that do not make it."""

import _thread
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from client.tests.conftest import SOURCES, Run
from client.tests.recorder import Recorder, answer, stay_silent
from client.tests.test_processes import EPILOGUE, PROLOGUE
from pyairbyte_telemetry import EventState, _losses

ONE_EVENT = PROLOGUE + "send(number_of_records=1)" + EPILOGUE
BURNERS = 3 * (os.cpu_count() or 1)


@pytest.fixture
def url(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", recorder.url)
    return recorder.url


@pytest.fixture
def losses() -> Path:
    return _losses.get_file(Path(os.environ["HOME"]) / ".airbyte" / "analytics.yml")


@contextlib.contextmanager
def busy_machine() -> Iterator[None]:
    """Three programs a core that do nothing but compute."""
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BURNERS)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def test_one_event_and_an_immediate_exit_on_a_busy_machine(run: Run, recorder: Recorder, url: str) -> None:
    with busy_machine():
        for _ in range(20):
            ended = run(ONE_EVENT)
            assert ended.returncode == 0, ended.stderr
    recorder.wait(lambda: len(recorder.stored) == 20)


def test_an_event_does_not_wait_for_its_thread_to_run(
    connected: ModuleType, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`threading.Thread.start` waits until the new thread has run, however long the machine takes."""
    started: list[Callable[[], None]] = []
    start = _thread.start_new_thread
    monkeypatch.setattr(_thread, "start_new_thread", lambda run, _: started.append(run))
    connected.log_install_state("source-faker", EventState.SUCCEEDED)
    (held_up,) = started
    start(held_up, ())
    assert connected.flush()
    assert len(recorder.stored) == 1


def test_what_is_lost_at_exit_is_reported_by_the_next_process(
    run: Run, recorder: Recorder, url: str, losses: Path
) -> None:
    recorder.script = [stay_silent]
    once = "telemetry.configure(limits=telemetry.Limits(attempts=1))\n"
    ended = run(PROLOGUE + once + "for n in range(7): send(number_of_records=n)" + EPILOGUE)
    assert ended.returncode == 0
    assert losses.read_text() == "7\n"
    recorder.released.set()
    for _ in range(2):
        assert run(ONE_EVENT).returncode == 0
    assert recorder.reported == 7
    assert not losses.exists()
    assert [path.name for path in losses.parent.iterdir()] == ["analytics.yml"]


def test_losses_add_up_over_processes_that_cannot_send(run: Run, recorder: Recorder, url: str) -> None:
    recorder.script = [answer(503, Retry_After="60")] * 3
    for _ in range(3):
        assert run(PROLOGUE + "send(); send()" + EPILOGUE).returncode == 0
    assert recorder.stored == {}
    assert run(ONE_EVENT).returncode == 0
    assert recorder.reported == 6


@pytest.mark.parametrize("how", ["variable", "file"])
def test_who_opts_out_leaves_no_losses(
    run: Run, recorder: Recorder, url: str, losses: Path, how: str
) -> None:
    recorder.script = [stay_silent]
    opt_out = {
        "variable": "os.environ['DO_NOT_TRACK'] = '1'",
        "file": "import pyairbyte_telemetry.__main__ as cli; cli.main(['off'])",
    }[how]
    ended = run(PROLOGUE + f"send()\ntelemetry.flush(0.5)\n{opt_out}\n" + EPILOGUE)
    assert ended.returncode == 0
    assert not losses.exists()


def test_losses_are_a_bounded_file_of_numbers(tmp_path: Path) -> None:
    file = tmp_path / "analytics.yml"
    for _ in range(5000):
        _losses.add(file, 3)
    path = _losses.get_file(file)
    assert path.stat().st_size < 5000
    path.write_bytes(path.read_bytes()[:6] + b"jane@example.com\n-5\n99999999999999999999\n")
    assert _losses.take(file) == 9
    assert _losses.take(file) == 0


def test_losses_of_processes_that_exit_at_once_all_count(tmp_path: Path) -> None:
    file = tmp_path / "analytics.yml"
    threads = [threading.Thread(target=_losses.add, args=(file, 1)) for _ in range(50)]
    for thread in threads:
        thread.start()
    taken = 0
    while any(thread.is_alive() for thread in threads):
        taken += _losses.take(file)
        time.sleep(0.001)
    assert taken + _losses.take(file) == 50


def test_no_mock_or_trace_of_the_users_requests_sees_ours(run: Run, recorder: Recorder, url: str) -> None:
    """Mocks such as `responses`, and OpenTelemetry's instrumentation, take the place of
    what `requests` sends with."""
    program = (
        PROLOGUE
        + """
import requests
seen = []
requests.adapters.HTTPAdapter.send = lambda *arguments, **named: seen.append(arguments)
send()
assert telemetry.flush(20)
assert seen == [], seen
"""
        + EPILOGUE
    )
    ended = run(program)
    assert ended.returncode == 0, ended.stderr
    assert len(recorder.stored) == 1


@pytest.mark.parametrize("command", ["show", "status"])
def test_a_broken_pipe_ends_quietly(command: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-m", "pyairbyte_telemetry", command],
        stdout=writing,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(SOURCES), "DO_NOT_TRACK": "1"},
        text=True,
        timeout=60,
        check=False,
    )
    os.close(writing)
    assert ended.returncode == 141
    assert "Error" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_messages_to_a_terminal_that_is_gone_do_no_harm(run: Run, recorder: Recorder, url: str) -> None:
    program = PROLOGUE + "reading, writing = os.pipe(); os.close(reading); os.dup2(writing, 2)\n"
    ended = run(program + "send()\nassert telemetry.flush(20)" + EPILOGUE)
    assert ended.returncode == 0
    assert len(recorder.stored) == 1
