"""The sender against a real HTTP server that plays a service in trouble, and its packing rules."""

import datetime as dt
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

import orjson
import pytest

from app.contract.limits import BATCH_BYTES
from app.contract.vocabulary import shipped_connectors
from app.demo.fleet import FleetEvent, generate_events
from app.demo.send import BATCH_EVENTS, Target, pack, send_events
from app.problems import TelemetryError

UNTIL = dt.datetime(2026, 11, 23, 15, tzinfo=dt.UTC).timestamp()
Reply = tuple[int, dict[str, str], bytes]


def some_events(users: int = 60) -> list[FleetEvent]:
    return list(generate_events(shipped_connectors(), users=users, days=10, seed=3, until=UNTIL))


def answer_well(body: dict[str, Any]) -> Reply:
    results = [{"id": "01", "outcome": "accepted"} for _ in body["batch"]]
    return 200, {}, orjson.dumps({"success": True, "results": results})


class Played:
    """A service that gives the scripted replies first and good ones after, and keeps what it was sent."""

    def __init__(self, script: list[Reply]) -> None:
        self.script = script
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.lock = Lock()
        self.url = ""

    def reply(self, path: str, headers: dict[str, str], raw: bytes) -> Reply:
        body = orjson.loads(gzip.decompress(raw))
        with self.lock:
            self.requests.append((path, headers, body))
            return self.script.pop(0) if self.script else answer_well(body)


@contextmanager
def playing(*script: Reply) -> Iterator[Played]:
    played = Played(list(script))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, extra, content = played.reply(self.path, headers, raw)
            self.send_response(status)
            for name, value in {**extra, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    played.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield played
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_packs_within_the_limits_and_in_order() -> None:
    events = some_events(300)
    batches = list(pack(events))
    assert len(batches) > 3
    for batch in batches:
        assert len(batch.body) <= BATCH_BYTES
        assert 1 <= len(batch.events) <= BATCH_EVENTS
        assert orjson.loads(batch.body)["batch"] == [event.body for event in batch.events]
        assert {event.route for event in batch.events} == {batch.route}
    for route in ("import", "batch"):
        sent = [event for batch in batches if batch.route == route for event in batch.events]
        assert sent == [event for event in events if event.route == route]


def test_packs_long_events_by_size() -> None:
    event = some_events()[0]
    long = FleetEvent(event.at, {**event.body, "padding": "x" * 30_000}, "rejected", (), "import")
    batches = list(pack([long] * 40))
    assert max(len(batch.body) for batch in batches) <= BATCH_BYTES
    assert sum(len(batch.events) for batch in batches) == 40


async def test_sends_every_event_once_as_the_owner_of_the_key() -> None:
    events = some_events()
    with playing() as played:
        summary = await send_events(events, Target(played.url, "some-key"))
    assert summary.events == len(events)
    assert summary.requests == len(played.requests) == len(list(pack(events)))
    assert sum(len(body["batch"]) for _, _, body in played.requests) == len(events)
    for path, headers, _ in played.requests:
        assert path in ("/v1/import", "/v1/batch")
        assert headers["authorization"] == "Basic c29tZS1rZXk6"
        assert headers["content-encoding"] == "gzip"
    # This service takes everything, withholds nothing: not what the fleet was made for.
    odd = [event for event in events if event.outcome == "rejected" or event.withheld]
    assert summary.unexpected == len(odd)


@pytest.mark.parametrize("status", [429, 503])
async def test_waits_as_told_and_sends_the_same_batch_again(status: int) -> None:
    events = some_events()[:10]
    with playing((status, {"Retry-After": "0"}, b"{}")) as played:
        summary = await send_events(events, Target(played.url, "key"))
    assert summary.events == 10
    assert summary.waits == 1
    assert played.requests[0][2] in [body for _, _, body in played.requests[1:]]


async def test_gives_up_on_a_service_that_stays_busy() -> None:
    busy: Reply = (503, {"Retry-After": "0"}, b"{}")
    with playing(*[busy] * 100) as played, pytest.raises(TelemetryError, match="stayed busy"):
        await send_events(some_events()[:3], Target(played.url, "key"))


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ((401, {}, b'{"code": "unauthorized"}'), "--write-key"),
        ((413, {}, b'{"code": "too_large"}'), "413 too_large"),
        ((500, {}, b"oh dear"), "refused a batch: 500"),
    ],
)
async def test_says_what_is_wrong_when_trying_again_cannot_help(reply: Reply, message: str) -> None:
    with playing(*[reply] * 100) as played, pytest.raises(TelemetryError, match=message):
        await send_events(some_events()[:3], Target(played.url, "key"))


async def test_says_how_to_start_a_service_when_none_answers() -> None:
    with playing() as played:
        pass  # its port is free now
    with pytest.raises(TelemetryError, match=r"dev\.py serve"):
        await send_events(some_events()[:3], Target(played.url, "key"))
