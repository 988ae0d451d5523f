"""Offers to change the protocol are ignored: one request, one answer, and the next request
on the connection is right."""

import base64
import contextlib
import json
import re
import socket

import pytest

from app.ingest.heads import Heads
from tests.conftest import Service
from tests.samples import clean_event

OFFERS = {
    "h2c": [
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA",
    ],
    "h2c, kept alive": ["connection: keep-alive, upgrade", "upgrade: h2c"],
    "tls": ["Upgrade: TLS/1.0", "Connection: Upgrade"],
    "websocket": [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ],
    "lines that are repeated": [
        "Connection: Upgrade",
        "Connection: keep-alive",
        "Upgrade: h2c",
        "Upgrade: websocket",
    ],
    "none": [],
}


def request(service: Service, number: int, lines: list[str], *, chunked: bool) -> bytes:
    body = json.dumps(clean_event(number_of_records=number) | {"messageId": f"m{number}"}).encode()
    token = base64.b64encode(f"{service.write_key}:".encode()).decode()
    head = [
        "POST /v1/track HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Basic {token}",
        "Content-Type: application/json",
        *lines,
    ]
    if chunked:
        head.append("Transfer-Encoding: chunked")
        pieces = (body[:1], b"\r\n\r\n", body[1:])  # blanks of the JSON that look like the end of the body
        parts = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        body = parts + b"0\r\n\r\n"
    else:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


def talk(service: Service, packets: list[bytes], answers: int) -> list[tuple[str, str]]:
    """Send packets one by one; status and outcome of every answer."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for packet in packets:
            connection.sendall(packet)
        heard = b""
        while heard.count(b'"outcome"') < answers and (received := connection.recv(65_536)):
            heard += received
        connection.settimeout(0.2)
        with contextlib.suppress(TimeoutError):
            heard += connection.recv(65_536)
    statuses = re.findall(rb"HTTP/1\.1 (\d+)", heard)
    outcomes = re.findall(rb'"outcome":"(\w+)"', heard)
    return [(status.decode(), outcome.decode()) for status, outcome in zip(statuses, outcomes, strict=True)]


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("offer", OFFERS)
def test_one_request_one_answer(service: Service, offer: str, chunked: bool) -> None:
    first = request(service, 1, OFFERS[offer], chunked=chunked)
    second = request(service, 2, OFFERS[offer], chunked=not chunked)
    third = request(service, 3, [], chunked=False)
    whole = first + second + third
    head = first.index(b"\r\n\r\n") + 4
    cuts = {
        "one packet": [whole],
        "head and body apart": [first[:head], first[head:], second, third],
        "within the offer": [first[: head - 30], first[head - 30 :] + second[:60], second[60:] + third],
        "byte by byte": [whole[at : at + 1] for at in range(len(whole))],
    }
    for packets in cuts.values():
        answered = talk(service, packets, 3)
        assert [status for status, _ in answered] == ["200"] * 3
        assert {outcome for _, outcome in answered} <= {"accepted", "duplicate"}


def test_a_get_with_an_offer_is_a_get(service: Service) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        lines = ["GET /healthz HTTP/1.1", "Host: 127.0.0.1", *OFFERS["websocket"], "", ""]
        connection.sendall("\r\n".join(lines).encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_nothing_else_of_a_head_changes() -> None:
    head = (
        b"POST / HTTP/1.1\r\nHost: a\r\nA: Upgrade: h2c\r\nUpgrade: h2c\r\n"
        b"Connection: close, Upgrade\r\nContent-Length: 3\r\n\r\n"
    )
    heads = Heads()
    kept, rest = heads.cut(head + b"abc")
    body, nothing = heads.cut(rest)
    expected = (
        b"POST / HTTP/1.1\r\nHost: a\r\nA: Upgrade: h2c\r\nConnection: close\r\nContent-Length: 3\r\n\r\n"
    )
    assert kept == expected
    assert (body, nothing) == (b"abc", b"")
