"""Relatives of what is in the siege: inputs of odd shape are answered like others, and nothing fails."""

import json
from collections.abc import Iterator

import pytest

from tests.conftest import Service
from tests.samples import clean_event
from tests.siege.senders import authorization, connect, read_answer, request

EVENT = json.dumps(clean_event()).encode()
# Just under what a batch may have.
MANY = 470_000
REPORT = "/v1/reports/connectors"


def in_chunks(*chunks: bytes, extension: bytes = b"") -> bytes:
    """Return a body in chunks."""
    return b"".join(b"%x%s\r\n%s\r\n" % (len(chunk), extension, chunk) for chunk in (*chunks, b""))


def one_by_one(body: bytes) -> list[bytes]:
    """Return a body byte by byte."""
    return [bytes([byte]) for byte in body]


BATCHES = {
    "brackets": (b"[" * (MANY // 2) + b"]" * (MANY // 2), 422),
    "one key again and again": (b"{" + b",".join([b'"a":1'] * (MANY // 6)) + b"}", 422),
    "ever new keys": (b"{" + b",".join(b'"%d":1' % n for n in range(MANY // 10)) + b"}", 422),
    "digits": (b"1" * MANY, 422),
    "an exponent of digits": (b"1e" + b"9" * MANY, 422),
    "escapes": (b'"' + b"\\u0000" * (MANY // 6) + b'"', 422),
    "a string that is cut off": (b'"' * 99_999, 400),
    "nothing but spaces around an event": (b" " * (MANY - len(EVENT)) + EVENT, 200),
}
CHUNKED = {
    "a byte a chunk": (in_chunks(*one_by_one(EVENT)), 200),
    "extensions of 7 KB": (
        in_chunks(*one_by_one(EVENT[:50]), EVENT[50:], extension=b";" + b"a" * 7_000),
        200,
    ),
}
QUERIES = {
    "a value of 30 KB": "connector=" + "a" * 30_000,
    "thousands of parameters": "&".join(f"a{number}=1" for number in range(3_000)),
    "dots": "version=" + "1." * 14_000,
    "digits": "window=" + "9" * 30_000 + "d",
    "a date of digits": "until=" + "1" * 30_000,
}


@pytest.fixture(autouse=True)
def no_failure(service: Service) -> Iterator[None]:
    """Nothing of this is a failure of ours."""
    yield
    assert "Traceback" not in service.output()


@pytest.mark.parametrize("name", BATCHES)
def test_batches(service: Service, name: str) -> None:
    event, status = BATCHES[name]
    lines = (authorization(service.write_key), "Connection: close")
    body = b'{"batch":[' + event + b"]}"
    with connect(service) as connection:
        connection.sendall(request("/v1/batch", *lines, method="POST", body=body))
        assert read_answer(connection)[0] == status


@pytest.mark.parametrize("name", CHUNKED)
def test_chunks(service: Service, name: str) -> None:
    body, status = CHUNKED[name]
    lines = (authorization(service.write_key), "Content-Type: application/json", "Transfer-Encoding: chunked")
    head = request("/v1/track", *lines, "Connection: close").replace(b"GET", b"POST", 1)
    with connect(service) as connection:
        connection.sendall(head + body)
        assert read_answer(connection)[0] == status


@pytest.mark.parametrize("name", QUERIES)
def test_queries(service: Service, name: str) -> None:
    token = f"Authorization: Bearer {service.report_token}"
    with connect(service) as connection:
        connection.sendall(request(f"{REPORT}?{QUERIES[name]}", token, "Connection: close"))
        status, answer = read_answer(connection)
    assert status == 400
    assert len(answer) < 2_000
