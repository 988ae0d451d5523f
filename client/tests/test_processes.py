"""Exits, forks, threads and floods, each in a process of its own."""

import json
import socket
import sys
from collections import Counter

import pytest

from client.tests.conftest import Run
from client.tests.recorder import (
    Behaviour,
    Recorder,
    answer,
    black_hole,
    drip,
    reset_mid_body,
    stay_silent,
    talk_garbage,
)

EXIT_BOUND = 1.0
SLACK = 1.0  # for a busy machine; times how much slower the client found it

PROLOGUE = """
import atexit, os, sys, time, warnings
def tell_delay():  # registered first, so it runs last
    slowness = telemetry._sender._worker.slowness
    os.write(1, b"%f" % ((time.monotonic() - ended) / slowness))
atexit.register(tell_delay)
import pyairbyte_telemetry as telemetry
from pyairbyte_telemetry import ConnectorRuntimeInfo, EventState, EventType
source = ConnectorRuntimeInfo(name="source-faker")
def send(state=EventState.SUCCEEDED, number_of_records=None):
    telemetry.send_telemetry(source=source, destination=None, cache=None, state=state,
                             event_type=EventType.SYNC, number_of_records=number_of_records)
"""
# For tests of what arrives however busy the machine is.
PATIENT = PROLOGUE + "telemetry.configure(limits=telemetry.Limits(exit_timeout=30))\n"
EPILOGUE = "\nended = time.monotonic()\n"


@pytest.fixture
def url(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", recorder.url)
    return recorder.url


def numbers(recorder: Recorder) -> list[int]:
    return sorted(event["properties"]["number_of_records"] for event in recorder.events)


def test_what_is_queued_at_exit_arrives(run: Run, recorder: Recorder, url: str) -> None:
    ended = run(PATIENT + "for n in range(50): send(EventState.STARTED, n)" + EPILOGUE)
    assert ended.returncode == 0
    assert numbers(recorder) == list(range(50))


def test_what_is_sent_at_exit_arrives(run: Run, recorder: Recorder, url: str) -> None:
    ended = run(
        PATIENT + "send(EventState.STARTED, 1)\natexit.register(lambda: send(number_of_records=2))" + EPILOGUE
    )
    assert ended.returncode == 0
    assert numbers(recorder) == [1, 2]


@pytest.mark.parametrize(
    "fault",
    [stay_silent, drip, reset_mid_body, talk_garbage, answer(500), answer(429, Retry_After="60")],
    ids=lambda fault: fault.__name__,
)
def test_a_faulty_host_holds_up_the_exit_for_a_second_at_most(
    run: Run, recorder: Recorder, url: str, fault: Behaviour
) -> None:
    recorder.script = [fault] * 1000
    ended = run(PROLOGUE + "for n in range(50): send(number_of_records=n)" + EPILOGUE)
    assert ended.returncode == 0
    assert float(ended.stdout) < EXIT_BOUND + SLACK
    assert recorder.requests or fault is reset_mid_body


def test_a_dead_host_holds_up_the_exit_for_a_second_at_most(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with black_hole() as url:
        monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", url)
        ended = run(PROLOGUE + "for n in range(50): send()" + EPILOGUE)
    assert ended.returncode == 0
    assert float(ended.stdout) < EXIT_BOUND + SLACK


def test_a_refusing_host_holds_up_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        ended = run(PROLOGUE + "for n in range(50): send()" + EPILOGUE)
    assert ended.returncode == 0
    assert float(ended.stdout) < EXIT_BOUND + SLACK


def test_exit_while_sending_says_nothing_and_keeps_the_status(run: Run, recorder: Recorder, url: str) -> None:
    recorder.script = [stay_silent]
    program = (
        PROLOGUE
        + """
import threading
for _ in range(4): threading.Thread(target=lambda: [send() for _ in range(100000)], daemon=True).start()
telemetry.flush(0.2)
ended = time.monotonic()
raise SystemExit(7)
"""
    )
    ended = run(program)
    assert ended.returncode == 7
    assert "Error" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_event_from_a_finalizer_at_the_very_end_does_no_harm(
    run: Run, recorder: Recorder, url: str
) -> None:
    program = (
        PATIENT
        + """
class Dataset:
    def __del__(self): send(EventState.CANCELED, 2)
kept = Dataset()
send(number_of_records=1)
"""
        + EPILOGUE
    )
    ended = run(program)
    assert ended.returncode == 0
    assert "Exception ignored" not in ended.stderr
    assert numbers(recorder)[0] == 1


def test_events_from_finalizers_do_not_deadlock(run: Run, recorder: Recorder, url: str) -> None:
    program = (
        PROLOGUE
        + """
import gc
class Dataset:
    def __init__(self): self.myself = self  # a cycle: collected by the collector, anywhere
    def __del__(self): send(EventState.CANCELED, 2)
gc.set_threshold(1)
for n in range(2000):
    Dataset()
    send(EventState.STARTED, 1)
gc.set_threshold(700)
gc.collect()
assert telemetry.flush(30)
"""
        + EPILOGUE
    )
    ended = run(program)
    assert ended.returncode == 0, ended.stderr
    assert Counter(numbers(recorder)) == {1: 2000, 2: 2000}


def test_a_first_event_that_comes_too_late_does_no_harm(run: Run, recorder: Recorder, url: str) -> None:
    """Since Python 3.12 no thread can be started once the interpreter is ending."""
    ended = run(PROLOGUE + "atexit.register(send)" + EPILOGUE)
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr
    assert float(ended.stdout) < EXIT_BOUND + SLACK


def test_os_exit_is_not_held_up(run: Run, recorder: Recorder, url: str) -> None:
    ended = run(PROLOGUE + "send(); os._exit(5)")
    assert ended.returncode == 5


def test_a_child_sends_its_own_events_and_not_its_parents(run: Run, recorder: Recorder, url: str) -> None:
    program = (
        PROLOGUE
        + """
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of any fork beside a thread
children = []
for n in range(20):
    send(EventState.STARTED, n)  # the first one starts the imports that a fork must not cut in half
    child = os.fork()
    if child == 0:
        assert telemetry.statistics()["accepted"] == 0
        send(EventState.STARTED, 1000 + n)
        ended = time.monotonic()
        assert telemetry.flush(20)
        os._exit(0)
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 20
assert telemetry.flush(20)
"""
        + EPILOGUE
    )
    ended = run(program)
    assert ended.returncode == 0, ended.stderr
    assert numbers(recorder) == [*range(20), *range(1000, 1020)]
    assert recorder.duplicates == 0
    assert len({event["properties"]["session_id"] for event in recorder.events}) == 1
    assert len({event["anonymousId"] for event in recorder.events}) == 1


def test_a_forked_child_that_exits_delivers(run: Run, recorder: Recorder, url: str) -> None:
    program = (
        PATIENT
        + """
warnings.simplefilter("ignore", DeprecationWarning)
send(number_of_records=1)
child = os.fork()
if child == 0:
    send(EventState.STARTED, 2)
    ended = time.monotonic()
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
        + EPILOGUE
    )
    ended = run(program)
    assert ended.returncode == 0, ended.stderr
    assert numbers(recorder) == [1, 2]


MOMENTS = ["stringprep", "_ssl", "email.feedparser", "email.message", "pyairbyte_telemetry._proxies"]
FORKING_HOST = (
    PATIENT
    + """
import threading
from pyairbyte_telemetry import _heavy
warnings.simplefilter("ignore", DeprecationWarning)
class Watch:
    def __init__(self, moment):
        self.moment, self.come, self.forked = moment, threading.Event(), threading.Event()
        sys.addaudithook(self.see)
    def see(self, event, arguments):
        if event == "import" and arguments[0] == self.moment and not self.come.is_set():
            self.come.set()
            _heavy.FORK_WAITS or self.forked.wait()
def be_host(moment, be_child):
    watch = Watch(moment)
    send(number_of_records=1)
    assert watch.come.wait(30)
    child = os.fork()
    if child:
        watch.forked.set()
        assert os.waitpid(child, 0)[1] == 0
        assert telemetry.flush(30)
    else:
        be_child()
def be_hosts(moments, be_child):
    for moment in moments:
        host = os.fork()
        if host == 0:
            status = 1
            try:
                be_host(moment, be_child)
                status = 0
            finally:
                if status: sys.excepthook(*sys.exc_info())
                os._exit(status)
        assert os.waitpid(host, 0)[1] == 0, moment
"""
)


def test_a_fork_at_any_moment_of_the_imports_leaves_a_child_that_imports_and_sends(
    run: Run, recorder: Recorder, url: str
) -> None:
    """Each host in turn forks while its sender is importing one more of these
    modules, and says nothing of it."""
    program = (
        FORKING_HOST
        + f"""
def be_child():
    import http.client, ssl, email.message
    assert ssl.SSLContext and email.message.Message
    send(EventState.STARTED, 2)
    assert telemetry.flush(30)
be_hosts({MOMENTS}, be_child)
"""
        + EPILOGUE
    )
    ended = run(program)
    assert ended.returncode == 0, ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert Counter(numbers(recorder)) == {1: len(MOMENTS), 2: len(MOMENTS)}


def test_a_fork_that_could_not_wait_for_an_import_leaves_a_child_that_counts_its_losses(
    run: Run, recorder: Recorder, url: str
) -> None:
    """Such a child could wait for ever for a module that nobody goes on importing."""
    program = (
        FORKING_HOST
        + f"""
_heavy.FORK_WAITS = 0
def be_child():
    send(EventState.STARTED, 2)
    assert telemetry.flush(30)
    assert telemetry.statistics()["lost"] == 1
be_hosts({MOMENTS}, be_child)
"""
        + EPILOGUE
    )
    ended = run(program)
    assert ended.returncode == 0, ended.stderr
    assert Counter(numbers(recorder)) == {1: len(MOMENTS)}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_delivers(run: Run, recorder: Recorder, url: str, method: str) -> None:
    program = (
        PATIENT
        + f"""
import multiprocessing
warnings.simplefilter("ignore", DeprecationWarning)
def work(n):
    send(EventState.STARTED, n)
if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    send(EventState.STARTED, 0)
    workers = [context.Process(target=work, args=(n,)) for n in range(1, 4)]
    for worker in workers: worker.start()
    for worker in workers: worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    with context.Pool(2) as pool:
        pool.map(work, range(4, 10))
        pool.close()
        pool.join()
ended = time.monotonic()
"""
    )
    ended = run(program)
    assert ended.returncode == 0, ended.stderr
    assert numbers(recorder) == list(range(10))
    assert recorder.duplicates == 0


def test_threads_lose_nothing(run: Run, recorder: Recorder, url: str) -> None:
    program = (
        PROLOGUE
        + """
import threading
def send_all(): [send(EventState.STARTED, n) for n in range(300)]
threads = [threading.Thread(target=send_all) for _ in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert telemetry.flush(60)
assert telemetry.statistics()["accepted"] == 4800
"""
        + EPILOGUE
    )
    ended = run(program)
    assert ended.returncode == 0, ended.stderr
    assert numbers(recorder) == sorted(list(range(300)) * 16)


@pytest.mark.parametrize(
    "faults", [[], [answer(500), stay_silent, reset_mid_body, talk_garbage]], ids=["well", "ill"]
)
def test_a_hundred_thousand_events_in_a_tight_loop(
    run: Run, recorder: Recorder, url: str, faults: list[Behaviour]
) -> None:
    """Sent = stored + reported lost, to the event; nothing is refused, nothing stored twice.

    On a busy machine an answer may come too late: its batch is sent again, and then told to be a duplicate.
    """
    recorder.script = list(faults)
    program = (
        PROLOGUE
        + """
import json
slowest = 0.0
for n in range(100_000):
    began = time.perf_counter()
    send(EventState.STARTED, n)
    slowest = max(slowest, time.perf_counter() - began)
assert telemetry.flush(120)
send()
assert telemetry.flush(60)
print(json.dumps({"slowest": slowest, **telemetry.statistics()}))
ended = time.monotonic()
"""
    )
    ended = run(program, timeout=240)
    assert ended.returncode == 0, ended.stderr
    answered = json.loads(ended.stdout.splitlines()[0])
    stored = answered["accepted"] + answered["duplicate"]
    assert len(recorder.stored) == stored
    assert recorder.reported >= answered["reported"] == answered["dropped"]
    assert stored + answered["dropped"] == 100_001
    assert answered["lost"] == answered["refused"] == 0
    if not answered["duplicate"]:
        assert (recorder.reported, recorder.duplicates) == (answered["reported"], 0)
    assert answered["slowest"] < 1.0


def test_the_callers_thread_touches_no_file_and_no_network_and_imports_nothing(
    run: Run, recorder: Recorder, url: str
) -> None:
    program = (
        PROLOGUE
        + """
import threading
seen = []
main = threading.get_ident()
watching = False
def watch(event, arguments):
    ours = not event.startswith(("_thread.", "object.", "sys._getframe"))
    if watching and threading.get_ident() == main and ours:
        seen.append((event, str(arguments)))
sys.addaudithook(watch)
assert not {"requests", "yaml", "urllib3"} & set(sys.modules)
assert threading.active_count() == 1
for n in range(100):
    watching = True
    send()
    telemetry.log_install_state("source-faker", EventState.FAILED, ValueError("x"))
    watching = False
assert telemetry.flush(20)
watching = True
send()
watching = False
assert seen == [], seen
assert not {"requests", "yaml", "urllib3"} & set(sys.modules)
"""
        + EPILOGUE
    )
    ended = run(program)
    assert ended.returncode == 0, ended.stderr
    assert len(recorder.stored) == 201


def test_importing_is_light(run: Run, tmp_path: object) -> None:
    program = """
import sys
import pyairbyte_telemetry
from pyairbyte_telemetry import *
heavy = {"requests", "urllib3", "yaml", "ulid", "http.client", "ssl", "asyncio"}
heavy |= {"importlib.metadata", "logging"}
heavy &= set(sys.modules)
assert not heavy, heavy
"""
    ended = run(program)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""


def test_a_process_without_a_home_still_imports(run: Run, recorder: Recorder, url: str) -> None:
    program = (
        """
import os, pathlib
def fail(*arguments): raise RuntimeError("Could not determine home directory.")
pathlib.Path.home = fail
"""
        + PROLOGUE
        + "send(number_of_records=1)\nassert telemetry.flush(20)"
        + EPILOGUE
    )
    ended = run(program)
    assert ended.returncode == 0, ended.stderr
    assert numbers(recorder) == [1]


def test_a_signal_handler_may_send(run: Run, recorder: Recorder, url: str) -> None:
    if sys.platform == "win32":
        pytest.skip("there are no interval timers")
    program = (
        PROLOGUE
        + """
import signal
fired = 0
def handle(*_):
    global fired
    fired += 1
    send(EventState.STARTED, 2)
signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
sent = 0
while fired < 200:
    send(EventState.STARTED, 1)
    sent += 1
    if sent % 500 == 0:
        telemetry.flush(20)
signal.setitimer(signal.ITIMER_REAL, 0)
assert telemetry.flush(30)
counts = telemetry.statistics()
assert counts["accepted"] + counts["dropped"] == sent + fired, (counts, sent, fired)
"""
        + EPILOGUE
    )
    ended = run(program)
    assert ended.returncode == 0, ended.stderr
