"""Answers go out in one piece, in order, and all of them."""

import asyncio
import json
import socket
from collections.abc import Iterator

import pytest

from app.ingest.transport import PIECE_BYTES, PIECES, WholeAnswers
from tests.conftest import Service
from tests.samples import basic, clean_event


class Recorder(asyncio.Transport):
    """A transport that remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def close(self) -> None:
        self.sent.append(b"closed")

    def is_closing(self) -> bool:
        return self.sent[-1:] == [b"closed"]


async def tell(pieces: list[bytes], *, close: bool = False) -> list[bytes]:
    """What arrives of pieces written in one turn, and then of one more."""
    recorder = Recorder()
    whole = WholeAnswers(recorder, asyncio.get_running_loop())
    for piece in pieces:
        whole.write(piece)
    if close:
        whole.close()
        assert whole.is_closing()
        return recorder.sent
    await asyncio.sleep(0)
    whole.write(b"next")
    await asyncio.sleep(0)
    return recorder.sent


@pytest.mark.parametrize(
    ("pieces", "sent"),
    [
        pytest.param([b"head", b"body"], [b"headbody", b"next"], id="one turn, one piece"),
        pytest.param([], [b"next"], id="nothing"),
        pytest.param(
            [b"head", b"x" * (PIECE_BYTES + 1), b"end"],
            [b"head", b"x" * (PIECE_BYTES + 1), b"end", b"next"],
            id="much, at once",
        ),
        pytest.param([b"x"] * (PIECES + 1), [b"x" * PIECES, b"x", b"next"], id="many, at once"),
    ],
)
def test_what_is_written_in_one_turn_is_one_piece(pieces: list[bytes], sent: list[bytes]) -> None:
    assert asyncio.run(tell(pieces)) == sent


def test_nothing_is_lost_by_closing() -> None:
    assert asyncio.run(tell([b"head", b"body"], close=True)) == [b"headbody", b"closed"]


def test_what_is_written_to_nobody_is_dropped() -> None:
    async def tell_one_that_leaves() -> list[bytes]:
        recorder = Recorder()
        WholeAnswers(recorder, asyncio.get_running_loop()).write(b"head")
        recorder.close()  # by a reset, not by us
        await asyncio.sleep(0)
        return recorder.sent

    assert asyncio.run(tell_one_that_leaves()) == [b"closed"]


@pytest.fixture
def connection(service: Service) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connected:
        yield connected


def build(service: Service, *lines: str, body: bytes = b"") -> bytes:
    """A request to /v1/track."""
    head = ["POST /v1/track HTTP/1.1", "Host: x", "Content-Type: application/json", *lines]
    head += [f"{name}: {value}" for name, value in basic(service.write_key).items()]
    return "\r\n".join([*head, "\r\n"]).encode() + body


def read_all(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_requests_sent_at_once_are_answered_in_order(service: Service, connection: socket.socket) -> None:
    bodies = [json.dumps(clean_event()).encode(), b"[]", b"{", json.dumps(clean_event()).encode()]
    closings = [*[""] * 3, "Connection: close"]
    for body, closing in zip(bodies, closings, strict=True):
        lines = [f"Content-Length: {len(body)}", *([closing] if closing else [])]
        connection.sendall(build(service, *lines, body=body))
    answers = read_all(connection)
    statuses = [int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, 400, 400, 200]
    assert answers.endswith(b"}")


def test_a_sender_that_asks_first_is_told_to_go_on(service: Service, connection: socket.socket) -> None:
    body = json.dumps(clean_event()).encode()
    lines = [f"Content-Length: {len(body)}", "Expect: 100-continue", "Connection: close"]
    connection.sendall(build(service, *lines))
    assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
    connection.sendall(body)
    assert read_all(connection).startswith(b"HTTP/1.1 200 ")


def test_who_sends_no_more_is_answered(service: Service, connection: socket.socket) -> None:
    body = json.dumps(clean_event()).encode()
    whole = build(service, f"Content-Length: {len(body)}", body=body)
    connection.sendall(whole + whole)
    connection.shutdown(socket.SHUT_WR)
    assert read_all(connection).count(b"HTTP/1.1 200 OK") == 2


def test_a_long_answer_arrives_whole(connection: socket.socket) -> None:
    connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    head, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head
    assert json.loads(body)["paths"]
