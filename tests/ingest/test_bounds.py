"""Senders that are slow, long-winded or too many."""

import contextlib
import resource
import socket
import time

import httpx
import pytest

from app.ingest.gate import CONNECTIONS
from app.ingest.heads import HEADER_BYTES
from app.ingest.protocol import REQUEST_SECONDS
from tests.conftest import Service
from tests.samples import basic, clean_event


def connect(service: Service) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=REQUEST_SECONDS * 4)


def read_status(connection: socket.socket) -> int:
    """The status of the answer; 0 if the connection was closed without one."""
    with contextlib.suppress(ConnectionError):
        answer = connection.recv(1000)
        if answer:
            return int(answer.split()[1])
    return 0


def test_slow_senders_are_cut_off_and_disturb_nobody(service: Service) -> None:
    token = basic(service.write_key)["Authorization"].encode()
    head = b"POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: " + token
    body = b"\r\nContent-Type: application/json\r\nContent-Length: 30000\r\n\r\n"
    with contextlib.ExitStack() as stack:
        silent, in_headers, in_body, dripping = (stack.enter_context(connect(service)) for _ in range(4))
        in_headers.sendall(head)
        in_body.sendall(head + body + b"{")
        dripping.sendall(head + body)
        dripping.setblocking(False)
        drip_until_closed(dripping)
        assert [read_status(connection) for connection in (silent, in_headers, in_body)] == [408, 408, 408]
        assert httpx.post(
            f"{service.url}/v1/track", json=clean_event(), headers=basic(service.write_key)
        ).is_success


def drip_until_closed(connection: socket.socket) -> None:
    """Send a byte now and then, for ever if that is allowed."""
    deadline = time.monotonic() + REQUEST_SECONDS * 4
    status = None
    while status is None:
        assert time.monotonic() < deadline
        with contextlib.suppress(BlockingIOError):
            status = read_status(connection)
        with contextlib.suppress(OSError):
            connection.sendall(b" ")
        time.sleep(0.05)
    assert status in (0, 408)


def test_headers_without_end_are_refused(service: Service) -> None:
    with connect(service) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * (HEADER_BYTES + 1))
        assert read_status(connection) == 431


def test_the_longest_idle_of_all_connections_gives_way(service: Service) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * CONNECTIONS + 500:
        pytest.skip("this machine does not allow that many sockets")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS + 5):
            stack.enter_context(connect(service))
        assert service.is_healthy()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
