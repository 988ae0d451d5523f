"""Connections: so many an address; the longest idle one gives way; a refusal is read."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import Service, ServiceFactory
from tests.samples import clean_event
from tests.siege.senders import authorization, connect, read_answer, request

EACH = 8
LISTENING = "0A"
STRANGER, OTHER = "127.0.0.2", "127.0.0.3"


@pytest.fixture
def limited(make_service: ServiceFactory) -> Service:
    """A service that takes loopback for the world."""
    return make_service({"TELEMETRY_LIMIT_LOOPBACK": "true", "TELEMETRY_ADDRESS_CONNECTIONS": str(EACH)})


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as open_things:
        yield open_things


def service_connections(service: Service) -> int:
    """How many connections the service holds."""
    folder = Path(f"/proc/{service.process.pid}/fd")
    inodes = {str(each.readlink()).removeprefix("socket:[").rstrip("]") for each in folder.iterdir()}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    port = f":{service.port:04X}"
    return sum(row[1].endswith(port) and row[3] != LISTENING and row[9] in inodes for row in rows)


def begin_request(service: Service, connection: socket.socket) -> None:
    """Send a request but for the last byte of its body, and wait until the service has asked for it."""
    body = json.dumps(clean_event()).encode()
    whole = request(
        "/v1/track", authorization(service.write_key), "Expect: 100-continue", method="POST", body=body
    )
    connection.sendall(whole[: -len(body)])
    assert connection.recv(1000).startswith(b"HTTP/1.1 100")
    connection.sendall(body[:-1])


def test_idle_connections_of_an_address_give_way_to_its_own(limited: Service, stack: ExitStack) -> None:
    for _ in range(EACH * 3):
        one_more = stack.enter_context(connect(limited, STRANGER))
        one_more.sendall(request("/healthz"))
        assert read_answer(one_more)[0] == 200


def test_who_waits_for_an_answer_is_never_closed_for_another(limited: Service, stack: ExitStack) -> None:
    busy = [stack.enter_context(connect(limited, STRANGER)) for _ in range(EACH)]
    for each in busy:
        begin_request(limited, each)
    refused = stack.enter_context(connect(limited, STRANGER))
    refused.sendall(request("/v1/track", method="POST", body=b"x" * 30_000))  # never read, and yet:
    status, body = read_answer(refused)
    assert (status, json.loads(body)["code"]) == (503, "overloaded")
    assert refused.recv(1) == b""
    other = stack.enter_context(connect(limited, OTHER))
    other.sendall(request("/healthz"))
    assert read_answer(other)[0] == 200
    for each in busy:
        each.sendall(b"}")
        assert read_answer(each)[0] == 200


def test_thousands_of_idle_connections_from_one_address(limited: Service, stack: ExitStack) -> None:
    for _ in range(400):
        stack.enter_context(connect(limited, STRANGER))
    with connect(limited, OTHER) as other:
        for number in range(20):
            body = json.dumps(clean_event(number_of_records=number)).encode()
            key = authorization(limited.write_key)
            other.sendall(request("/v1/track", key, method="POST", body=body))
            assert read_answer(other)[0] == 200
    assert service_connections(limited) <= EACH + 1


def test_trusted_proxies_hold_any_number(make_service: ServiceFactory, stack: ExitStack) -> None:
    settings = {"TELEMETRY_LIMIT_LOOPBACK": "true", "TELEMETRY_ADDRESS_CONNECTIONS": str(EACH)}
    service = make_service({**settings, "TELEMETRY_TRUSTED_PROXIES": STRANGER})
    held = [stack.enter_context(connect(service, STRANGER)) for _ in range(EACH * 4)]
    for each in held:
        each.sendall(request("/healthz"))
        assert read_answer(each)[0] == 200
