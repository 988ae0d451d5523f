"""A restart loses no request: connections wait in the socket, and what was accepted is answered."""

import asyncio
import json
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.look import Look, wait_until
from tests.samples import basic, clean_event
from tests.service import ROOT, Service

RESTARTS = 10
PER_SECOND = 100


class HeldService(Service):
    """A service whose socket somebody else holds, as systemd does: by LISTEN_FDS and
    LISTEN_PID on descriptor 3."""

    def __init__(self, folder: Path, database_url: str, workers: int) -> None:
        # A busy machine takes longer than usual to commit or to spool: that is no fault of a restart.
        settings = {"TELEMETRY_WORKERS": str(workers), "TELEMETRY_DEADLINE_MS": "10000"}
        super().__init__(folder, database_url, settings)
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=2048)

    def command(self, *arguments: str) -> list[str]:
        """The shell sets what systemd would, then becomes the command (dash knows
        no descriptor of two digits)."""
        script = f'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@" 3<&{self.listener.fileno()}'
        return ["bash", "-c", script, "bash", *super().command(*arguments)]

    def launch(self) -> None:
        """Start it without waiting for an answer."""
        with (self.folder / "stdout").open("ab") as stdout, (self.folder / "stderr").open("ab") as stderr:
            self._process = subprocess.Popen(
                self.command("serve"),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                cwd=ROOT,
                env=self.environment,
                start_new_session=True,
                pass_fds=[self.listener.fileno()],
            )

    def clean_up(self) -> None:
        """Leave neither process nor socket behind."""
        super().clean_up()
        self.listener.close()


class Load:
    """Sends so many events a second, each over a connection of its own, as PyAirbyte
    does; counts what is answered."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.answers: Counter[str] = Counter()
        self.sent = 0

    async def send(self, number: int) -> None:
        event = clean_event(number_of_records=number) | {"messageId": f"restart-{number:09}"}
        try:
            async with asyncio.timeout(60):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.service.port)
                writer.write(write_request(self.service, event))
                answer = await reader.read()
                writer.close()
        except (OSError, TimeoutError) as error:
            self.answers[repr(error)] += 1
        else:
            self.answers[answer[9:12].decode()] += 1

    async def run(self, restarts: Callable[[], None]) -> None:
        """Send at an even rate until the restarts are done, then wait for the last answers."""
        done = asyncio.create_task(asyncio.to_thread(restarts))
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            while not done.done():
                while self.sent < (time.monotonic() - began) * PER_SECOND:
                    self.sent += 1
                    group.create_task(self.send(self.sent))
                await asyncio.sleep(0.005)
        await done


def write_request(service: Service, event: dict[str, Any], connection: str = "close") -> bytes:
    """Return the bytes of a request."""
    body = json.dumps(event).encode()
    headers = basic(service.write_key) | {
        "Host": "127.0.0.1",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": connection,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /v1/track HTTP/1.1\r\n{head}\r\n".encode() + body


def starts(service: Service) -> int:
    return service.output().count("PyAirbyte telemetry listens on")


def reload(service: Service) -> None:
    """Send SIGHUP and wait until it has started again, in the same process."""
    before = starts(service)
    service.process.send_signal(signal.SIGHUP)
    wait_until(lambda: starts(service) > before, "it started again")
    wait_until(service.is_healthy, "it answers")
    assert service.process.poll() is None


@pytest.fixture
def held(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[HeldService]:
    service = HeldService(tmp_path, database_url, request.param)
    service.launch()
    wait_until(service.is_healthy, "it answers")
    yield service
    service.clean_up()


@pytest.mark.parametrize("held", [1, 2], indirect=True)
def test_every_request_is_answered_through_ten_restarts(held: HeldService) -> None:
    def restart() -> None:
        for number in range(RESTARTS):
            if number % 2:
                reload(held)
            else:
                assert held.stop() == 0
                held.launch()
                wait_until(held.is_healthy, "it answers")

    load = Load(held)
    asyncio.run(load.run(restart))
    assert load.answers == {"200": load.sent}
    assert load.sent > RESTARTS * PER_SECOND / 2
    look = Look(held.database_url)
    wait_until(lambda: bool(look.value("SELECT count(*) FROM events") == load.sent), "all are stored, once")
    look.check_law()
    look.engine.dispose()


@pytest.mark.parametrize("workers", [1, 2])
def test_sighup_starts_again_without_a_lost_request(workers: int, tmp_path: Path) -> None:
    """With the embedded Postgres, which is stopped and started, too."""
    service = Service(tmp_path, None, {"TELEMETRY_WORKERS": str(workers)})
    service.start()
    load = Load(service)
    asyncio.run(load.run(lambda: reload(service)))
    assert load.answers == {"200": load.sent}
    assert service.stop() == 0
    service.clean_up()


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_answers_what_was_connected(workers: int, database_url: str, tmp_path: Path) -> None:
    """Connections that were made before the signal, whose requests come only after it."""
    service = Service(tmp_path, database_url, {"TELEMETRY_WORKERS": str(workers)})
    service.start()
    message = write_request(service, clean_event(), "keep-alive")
    connections = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(20)]
    service.process.send_signal(signal.SIGTERM)
    for connection in connections:
        connection.settimeout(30)
        connection.sendall(message)
    for connection in connections:
        with connection, connection.makefile("rb") as stream:
            answer = stream.read()
        assert answer.startswith(b"HTTP/1.1 200 ")
    assert service.process.wait(30) == 0
    service.clean_up()


def test_an_inherited_descriptor_that_is_no_socket_is_said(database_url: str, tmp_path: Path) -> None:
    service = Service(tmp_path, database_url, {})
    script = 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@" 3</dev/null'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *service.command("serve")],
        env=service.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: LISTEN_FDS must hand over one listening TCP socket")
