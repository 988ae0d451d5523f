"""Every Python that PyAirbyte supports, as far as this machine has it: forks amid
imports, the exit, several threads."""

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from client.tests.conftest import SOURCES
from client.tests.recorder import Recorder
from client.tests.test_processes import EPILOGUE, PATIENT, numbers

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
# Without PyYAML: the file of the id is as we write it.
PROGRAM = (
    PATIENT
    + """
warnings.simplefilter("ignore", DeprecationWarning)
children = []
for n in range(10):
    send(EventState.STARTED, n)
    child = os.fork()
    if child == 0:
        send(EventState.STARTED, 100 + n)
        ended = time.monotonic()
        sys.exit(0)
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 10
send(number_of_records=10)
"""
    + EPILOGUE
)

# A proxy that refuses to connect to anywhere, in the same process so that both ends can be looked at.
REFUSED = """
import gc, socket, threading
from pyairbyte_telemetry._limits import Limits
from pyairbyte_telemetry._settings import Endpoint
from pyairbyte_telemetry._transport import NoAnswerError, Transport

def serve(listener):
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\\r\\n\\r\\n")

def open_sockets():
    return [each for each in gc.get_objects() if isinstance(each, socket.socket) and each.fileno() >= 0]

gc.disable()
with socket.create_server(("127.0.0.1", 0)) as listener:
    os.environ["https_proxy"] = "http://127.0.0.1:%d" % listener.getsockname()[1]
    proxy = threading.Thread(target=serve, args=(listener,))
    proxy.start()
    transport = Transport(Limits())
    try:
        transport.post(Endpoint("https://telemetry.example.com", "key"), "/v1/batch", b"", {}, 60)
        raise SystemExit("an answer of nobody")
    except NoAnswerError as error:  # while it holds on to everything that it passed
        proxy.join()
        left = open_sockets()
        assert left == [listener], left
"""


def find_interpreter(version: str) -> str | None:
    """Return a Python of this version that runs: on the path, or one of pyenv's."""
    known = [shutil.which(f"python{version}")]
    known += map(str, sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python")))
    for candidate in filter(None, known):
        if subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return candidate
    return None


FOUND = {version: find_interpreter(version) for version in VERSIONS}


@pytest.mark.parametrize("version", VERSIONS)
def test_events_arrive_from_every_supported_interpreter(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str
) -> None:
    interpreter = FOUND[version]
    if interpreter is None:
        pytest.skip(f"there is no Python {version} here")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    ended = subprocess.run(
        [interpreter, "-W", "error", program],
        env=os.environ | {"PYTHONPATH": str(SOURCES), "AIRBYTE_TELEMETRY_URL": recorder.url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert Counter(numbers(recorder)) == Counter([*range(11), *range(100, 110)])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_proxy_that_refuses_leaves_no_socket_open(tmp_path: Path, version: str) -> None:
    interpreter = FOUND[version]
    if interpreter is None:
        pytest.skip(f"there is no Python {version} here")
    program = tmp_path / "program.py"
    program.write_text("import os\n" + REFUSED)
    ended = subprocess.run(
        [interpreter, "-W", "error", program],
        env={"PYTHONPATH": str(SOURCES)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert not ended.stderr
