"""What the tests here send: requests as bytes, over sockets that a library would not let us misuse."""

import base64
import contextlib
import os
import socket
from pathlib import Path

from tests.conftest import Service

WAIT_SECONDS = 40


def connect(service: Service, source: str = "127.0.0.1") -> socket.socket:
    """Return a connection from an address of loopback."""
    return socket.create_connection(("127.0.0.1", service.port), WAIT_SECONDS, (source, 0))


def request(path: str, *lines: str, method: str = "GET", body: bytes = b"") -> bytes:
    """Return a request with further header lines."""
    head = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *lines]
    if method == "POST":
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "", ""]).encode() + body


def authorization(key: str, rest: str = "") -> str:
    """Return the header line of a write key, with whatever stands behind its colon."""
    return f"Authorization: Basic {base64.b64encode(f'{key}:{rest}'.encode()).decode()}"


def read_all(connection: socket.socket) -> bytes:
    """Return everything until the other end closes."""
    heard = bytearray()
    with contextlib.suppress(ConnectionError):
        while received := connection.recv(65_536):
            heard += received
    return bytes(heard)


def read_answer(connection: socket.socket) -> tuple[int, bytes]:
    """Return status and body of one answer; 0 if there is none."""
    heard = b""
    with contextlib.suppress(ConnectionError):
        while b"\r\n\r\n" not in heard and (received := connection.recv(65_536)):
            heard += received
        head, _, body = heard.partition(b"\r\n\r\n")
        if not head:
            return 0, b""
        [length] = [
            int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
        ]
        while len(body) < length and (received := connection.recv(65_536)):
            body += received
    return int(head.split()[1]), body


def resident_mb(service: Service) -> float:
    """Return how much memory the service has, in MiB."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def cpu_seconds(service: Service) -> float:
    """Return the seconds of a core that the service's process has taken."""
    fields = Path(f"/proc/{service.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
