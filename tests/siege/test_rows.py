"""Every way in which somebody once held the service up; each is a row of the table
of bounds in docs/bounds.md."""

import gzip
import json
import select
import socket
import time

import httpx
import pytest

from app.ingest.body import MEMBERS
from app.ingest.transport import DRAIN_SECONDS
from tests.conftest import Service, ServiceFactory
from tests.samples import clean_event
from tests.siege.senders import (
    WAIT_SECONDS,
    authorization,
    connect,
    read_all,
    read_answer,
    request,
    resident_mb,
)

NOBODY = "postgresql://nobody@127.0.0.1:9/nothing"  # a database that is away


def count_requests(service: Service, path: str) -> int:
    """How many requests to a path were answered, as `/metrics` has it."""
    reported = httpx.get(f"{service.url}/metrics").text.splitlines()
    prefix = f'telemetry_requests_total{{path="{path}"'
    return sum(int(float(line.rpartition(" ")[2])) for line in reported if line.startswith(prefix))


@pytest.mark.parametrize("more", [0, 1, 20_000])
def test_gzip_bodies_of_tiny_members(client: httpx.Client, more: int) -> None:
    body = json.dumps(clean_event()).encode()
    pieces = [body[at : at + 60] for at in range(0, len(body), 60)]
    pieces += [b""] * (MEMBERS + more - len(pieces))
    answer = client.post(
        "/v1/validate",
        content=b"".join(map(gzip.compress, pieces)),
        headers={"Content-Encoding": "gzip"},
    )
    if not more:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.json().get("rule")) in [
            (400, "too_many_members"),
            (413, None),  # members without any content are longer than what a body may be
        ]


def test_sockets_that_never_read_their_answers(service: Service) -> None:
    before = resident_mb(service)
    sockets = [connect(service) for _ in range(30)]
    for each in sockets:
        each.sendall(request("/openapi.json") * 50)
    deadline = time.monotonic() + WAIT_SECONDS
    waiting = {each.fileno() for each in sockets}
    poller = select.poll()
    for each in sockets:
        poller.register(each, 0)  # the end of the connection only
    while waiting:
        assert time.monotonic() < deadline, f"{len(waiting)} connections are kept"
        for ended, _ in poller.poll(1000):
            waiting.discard(ended)
            poller.unregister(ended)
    for each in sockets:
        each.close()
    assert resident_mb(service) < before + 20
    assert httpx.get(f"{service.url}/healthz").is_success


def test_who_reads_late_gets_every_answer(service: Service) -> None:
    number = 3_000
    ask = request("/v1/validate", method="POST", body=b"{}")
    answered = count_requests(service, "/v1/validate")
    with connect(service) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        unsent = memoryview(ask * number)
        connection.settimeout(0.5)
        try:
            while unsent:
                unsent = unsent[connection.send(unsent) :]
        except TimeoutError:
            pass  # nothing is read ahead of what we do not take
        read_ahead = count_requests(service, "/v1/validate") - answered
        assert read_ahead < number
        sent = number - (len(unsent) + len(ask) - 1) // len(ask)
        connection.settimeout(DRAIN_SECONDS)
        heard = 0
        while heard < sent:
            heard += connection.recv(65_536).count(b"HTTP/1.1 401")
    assert heard == sent


def test_concurrent_readyz_never_fail(service: Service) -> None:
    for _ in range(30):
        connections = [connect(service) for _ in range(24)]
        for each in connections:
            each.sendall(request("/readyz", "Connection: close"))
        assert [read_answer(each)[0] for each in connections] == [200] * 24
        for each in connections:
            each.close()


def test_unknown_keys_in_an_outage_never_fail(make_service: ServiceFactory) -> None:
    service = make_service({"TELEMETRY_DATABASE_URL": NOBODY})
    for round_ in range(10):
        connections = [connect(service) for _ in range(24)]
        for number, each in enumerate(connections):
            key = authorization(f"unknown-{round_}-{number}")
            each.sendall(request("/v1/track", key, "Connection: close", method="POST", body=b"{}"))
        assert {read_answer(each)[0] for each in connections} == {401}
        for each in connections:
            each.close()
    assert "request_failed" not in service.output()


def test_long_authorization_headers_in_an_outage(make_service: ServiceFactory) -> None:
    service = make_service({"TELEMETRY_DATABASE_URL": NOBODY})
    body = json.dumps(clean_event()).encode()

    def post(first: int, number: int) -> None:
        with connect(service) as connection:
            for each in range(first, first + number):
                key = authorization(service.write_key, f"{each:021000}")
                connection.sendall(request("/v1/validate", key, method="POST", body=body))
                assert read_answer(connection)[0] == 200

    post(0, 300)  # what a first load needs anyway
    before = resident_mb(service)
    post(300, 2_000)
    assert resident_mb(service) < before + 15


@pytest.mark.parametrize("length", ["9" * 5_000, "0" * 5_000 + "2", "0" * 16, "٣", "-1", "+2", "2, 2"])
def test_a_content_length_of_thousands_of_digits(service: Service, length: str) -> None:
    lines = [authorization(service.write_key), "Content-Type: application/json", f"Content-Length: {length}"]
    with connect(service) as connection:
        connection.sendall("\r\n".join(["POST /v1/track HTTP/1.1", "Host: x", *lines, "", "{}"]).encode())
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    assert (json.loads(body)["code"], json.loads(body)["rule"]) == ("malformed", "not_http")
    assert "Traceback" not in service.output()


def test_heads_of_too_many_lines_or_bytes(service: Service) -> None:
    for lines in (["a: b"] * 200, ["a: " + "b" * 40_000]):
        with connect(service) as connection:
            connection.sendall(request("/healthz", *lines))
            status, body = read_answer(connection)
            assert (status, json.loads(body)["code"]) == (431, "head_too_large")


NO_HEADS = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x9c" * 500,
    "another protocol": b"\x00\x0d\n",
    "lines that end with LF": b"GET /healthz HTTP/1.1\nHost: 127.0.0.1\n\n",
    "no host": b"GET /healthz HTTP/1.1\r\nAccept: */*\r\n\r\n",
    "two hosts": b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nhOST: rebound.example\r\n\r\n",
}


@pytest.mark.parametrize("name", NO_HEADS)
def test_what_becomes_no_head_is_told_so_at_once(service: Service, name: str) -> None:
    with connect(service) as connection:
        connection.sendall(NO_HEADS[name])
        status, body = read_answer(connection)
        assert (status, json.loads(body)["rule"]) == (400, "not_http")  # and not 408 ten seconds later


def test_http_1_0_needs_no_host(service: Service) -> None:
    with connect(service) as connection:
        connection.sendall(b"\r\nGET /healthz HTTP/1.0\r\n\r\n")
        assert read_answer(connection)[0] == 200


def test_trailers_are_no_headers(service: Service) -> None:
    body = json.dumps(clean_event()).encode()
    trailer = authorization(service.write_key)
    lines = ["POST /v1/validate HTTP/1.1", "Host: x", "Content-Type: application/json"]
    head = "\r\n".join([*lines, "Transfer-Encoding: chunked", "", ""]).encode()
    with connect(service) as connection:
        connection.sendall(head + b"%x\r\n%b\r\n0\r\n%b\r\n\r\n" % (len(body), body, trailer.encode()))
        assert read_answer(connection)[0] == 401
        connection.sendall(request("/v1/validate", trailer, method="POST", body=body))
        assert read_answer(connection)[0] == 200


def test_the_schema_is_made_once(service: Service) -> None:
    answers = [httpx.get(f"{service.url}/v1/schema") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert "source-faker" in answers[0].json()["$defs"]["ConnectorName"]["enum"]


def test_a_batch_of_thousands_of_nothings(client: httpx.Client, service: Service) -> None:
    packed = gzip.compress(json.dumps({"batch": [{}] * 2_500}).encode())
    assert len(packed) < 200
    answer = client.post("/v1/batch", content=packed, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 422
    results = answer.json()["results"]
    assert len(results) == 2_500
    assert {result["reason"] for result in results} == {"missing"}
    assert len({result["id"] for result in results}) == 1  # they are one event, judged once
    mixed = {"batch": [{}, clean_event(), {}, {"a": 1}, clean_event(number_of_records=7)]}
    reported = client.post("/v1/batch", json=mixed).json()["results"]
    outcomes = [result["outcome"] for result in reported]
    kept = [outcome in ("accepted", "queued") for outcome in outcomes]  # queued on a machine that is busy
    assert kept == [False, True, False, False, True]


def test_bodies_of_unknown_senders(service: Service) -> None:
    """Eight of the largest are kept at most, and one that names no key is not parsed."""
    unfinished = b'{"batch": [' + b" " * 490_000
    holding = [connect(service) for _ in range(9)]
    for each in holding:
        head = request("/v1/batch", method="POST", body=unfinished + b" " * 10_000)
        each.sendall(head[: len(head) - 10_000])
    answers = [read_answer(each) for each in holding]
    assert {(status, json.loads(body)["code"]) for status, body in answers} == {
        (503, "overloaded"),
        (408, "too_slow"),
    }
    for each in holding:
        each.close()


@pytest.mark.parametrize("place", ["first", "last"])
def test_a_body_may_name_its_key_anywhere(service: Service, place: str) -> None:
    batch = {"batch": [clean_event(number_of_records=number) for number in range(200)]}
    key = {"writeKey": service.write_key}
    whole = {**key, **batch} if place == "first" else {**batch, **key}
    answer = httpx.post(f"{service.url}/v1/batch", json=whole, timeout=30)
    assert answer.status_code == 200
    wrong = json.dumps(whole).replace(service.write_key, "somebody-elses-key-of-30-chars")
    headers = {"Content-Type": "application/json"}
    assert httpx.post(f"{service.url}/v1/batch", content=wrong, headers=headers).status_code == 401
    hidden = {"batch": [{**clean_event(), **key}]}  # of an event, not of the body
    assert httpx.post(f"{service.url}/v1/batch", json=hidden).status_code == 401
