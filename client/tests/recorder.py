"""A small service to send to, on a real socket: it stores what it accepts, and misbehaves as it is told."""

import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

Event = dict[str, Any]


class Request(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes
    client: tuple[str, int]

    @property
    def document(self) -> Any:
        inflated = gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body
        return json.loads(inflated)

    @property
    def events(self) -> list[Event]:
        document: dict[str, Any] = self.document
        events: list[Event] = document.get("batch", [document])
        return events


class Exchange(BaseHTTPRequestHandler):
    """One connection. Each request is answered by the next behaviour of the script, or
    properly when that is over."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_POST(self) -> None:
        recorder = self.server.recorder
        recorder.next_behaviour()(self)

    def read(self) -> Request:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.path, headers, body, self.client_address)
        self.server.recorder.note(request)
        return request

    def reply(self, status: int, document: Any = None, **headers: str) -> None:
        body = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        """Say nothing."""


Behaviour = Callable[[Exchange], None]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    recorder: "Recorder"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what these tests are about."""


class Recorder:
    def __init__(self) -> None:
        self.script: list[Behaviour] = []
        self.requests: list[Request] = []
        self.stored: dict[str, Event] = {}
        self.duplicates = 0
        self.reported = 0
        self.changed = threading.Condition()
        self.released = threading.Event()
        self.server = Server(("127.0.0.1", 0), Exchange)
        self.server.recorder = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def next_behaviour(self) -> Behaviour:
        with self.changed:
            return self.script.pop(0) if self.script else accept

    def note(self, request: Request) -> None:
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()

    def store(self, request: Request) -> list[dict[str, str]]:
        """Store a request's events; return each event's result."""
        results = []
        with self.changed:
            self.reported += int(request.headers.get("telemetry-client-dropped", "0"))
            for event in request.events:
                known = event["messageId"] in self.stored
                self.duplicates += known
                self.stored[event["messageId"]] = event
                results.append({"id": "x", "outcome": "duplicate" if known else "accepted"})
            self.changed.notify_all()
        return results

    def wait(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        """Wait until a request or an event has made the condition true."""
        with self.changed:
            assert self.changed.wait_for(condition, seconds), "what was waited for did not happen"

    @property
    def events(self) -> list[Event]:
        return list(self.stored.values())


def accept(exchange: Exchange) -> None:
    request = exchange.read()
    results = exchange.server.recorder.store(request)
    if request.path == "/v1/track":
        exchange.reply(200, {"success": True, **results[0]})
    else:
        exchange.reply(200, {"success": True, "results": results})


def answer(status: int, **headers: str) -> Behaviour:
    def behave(exchange: Exchange) -> None:
        exchange.read()
        exchange.reply(status, {"code": "told_so"}, **headers)

    behave.__name__ = f"answer_{status}"
    return behave


def stay_silent(exchange: Exchange) -> None:
    """Read the request and never answer."""
    exchange.read()
    exchange.server.recorder.released.wait(30)
    exchange.close_connection = True


def reset_mid_body(exchange: Exchange) -> None:
    """Read some of the body, then reset the connection."""
    exchange.rfile.read(16)
    exchange.reset()


def store_and_reset(exchange: Exchange) -> None:
    """Store the events and reset the connection instead of answering: the client cannot know."""
    exchange.server.recorder.store(exchange.read())
    exchange.reset()


def drip(exchange: Exchange) -> None:
    """Answer one byte at a time, without end, each well within a socket's time-out."""
    exchange.read()
    exchange.wfile.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    while not exchange.server.recorder.released.wait(0.05):
        exchange.wfile.write(b"a")
    exchange.close_connection = True


def talk_garbage(exchange: Exchange) -> None:
    exchange.read()
    exchange.wfile.write(b"\x00\xff\xfe this is not HTTP at all \r\n\r\n")
    exchange.close_connection = True


def answer_without_end(exchange: Exchange) -> None:
    """Store the events, say 200, and go on talking for as long as anyone listens."""
    exchange.server.recorder.store(exchange.read())
    exchange.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    exchange.close_connection = True
    until = time.monotonic() + 20
    while time.monotonic() < until:
        exchange.wfile.write(b"x" * 65536)  # fails once the client has had enough


@contextmanager
def black_hole() -> Iterator[str]:
    """An address that takes no connection and refuses none: its backlog is full."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        yield f"http://127.0.0.1:{full.getsockname()[1]}"
        for filler in fillers:
            filler.close()
