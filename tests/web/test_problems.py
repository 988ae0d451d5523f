"""Every problem code is provoked by real HTTP, and its answer is what the table in
`app/problems.py` says of it."""

import http.client
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest

from app.ingest.heads import HEADER_BYTES
from app.problems import CODES, PROBLEM_TYPE
from tests.conftest import ServiceFactory, copied_database
from tests.faults.proxy import Proxy
from tests.look import wait_until
from tests.samples import USER, basic, clean_event, spoil
from tests.service import ROOT, WRITE_KEY, Service

CANARY = "canary-4711"
ONLY_INGEST = "a-write-key-that-may-only-ingest"
# Long enough for no answer to come while the test holds the database.
DEADLINE_MS = "60000"
# More requests than any of the limits lets through.
MANY = 5_000


@dataclass
class World:
    """A service that lacks pyarrow and resvg, its way to Postgres, and a reader of its pages."""

    service: Service
    proxy: Proxy
    staff: httpx.Client

    def send(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """Return the answer to a body that is JSON, sent with the write key."""
        own = basic(self.service.write_key) | headers
        return httpx.post(f"{self.service.url}{path}", json=body, headers=own, timeout=60)

    def ask(self, path: str, **parameters: str) -> httpx.Response:
        """Return the answer to a question that brings the report token."""
        token = {"Authorization": f"Bearer {self.service.report_token}"}
        return httpx.get(f"{self.service.url}{path}", params=parameters or None, headers=token, timeout=60)

    def execute(self, statement: str) -> None:
        """Execute a statement in the service's database, around the proxy."""
        with psycopg.connect(self.service.database_url.replace("+psycopg", "")) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="module")
def world(
    cluster_url: str,
    administer: "psycopg.Connection[tuple[object, ...]]",
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    hidden = tmp_path_factory.mktemp("hidden")
    for name in ("pyarrow", "resvg_py"):
        (hidden / f"{name}.py").write_text("raise ImportError\n")
    with copied_database(cluster_url, administer) as url:
        proxy = Proxy(url)
        environment = {
            "PYTHONPATH": str(hidden),
            "TELEMETRY_DATABASE_URL": proxy.url,
            "TELEMETRY_DEADLINE_MS": DEADLINE_MS,
            "TELEMETRY_WRITE_KEYS": f"{WRITE_KEY},{ONLY_INGEST}:ingest",
        }
        service = Service(tmp_path_factory.mktemp("world"), url, environment)
        service.start()
        with httpx.Client(base_url=service.url, timeout=60) as staff:
            assert staff.get("/reports", params={"token": service.report_token}).status_code == 303
            yield World(service, proxy, staff)
        proxy.set("pass")
        service.clean_up()
        proxy.close()


@contextmanager
def outage(world: World) -> Iterator[None]:
    """Postgres refuses connections while the block lasts."""
    world.proxy.set("refuse")
    yield
    world.proxy.set("pass")


def without_database(world: World) -> httpx.Response:
    with outage(world):
        return world.ask("/v1/reports/connectors", window="13d")  # what was asked before is kept in memory


def with_a_statement_that_fails(world: World) -> httpx.Response:
    """A fault of ours: no request can bring one about. (A table that is missing was not made yet: 503.)"""
    world.execute("ALTER TABLE publications RENAME TO aside")
    world.execute("CREATE TABLE publications (month json, published_at timestamptz)")  # json has no order
    try:
        return world.ask("/v1/public/connectors.json")
    finally:
        world.execute("DROP TABLE publications")
        world.execute("ALTER TABLE aside RENAME TO publications")


def with_neither_database_nor_spool(world: World) -> httpx.Response:
    """A fault of disk and database at once."""
    spool = world.service.data_dir / "spool"
    aside = spool.rename(spool.with_name("aside")) if spool.exists() else None
    spool.touch()  # no folder, so no room
    try:
        with outage(world):
            return world.send("/v1/track", clean_event(number_of_records=1))
    finally:
        spool.unlink()
        if aside is not None:
            aside.rename(spool)


def with_a_full_house(world: World) -> httpx.Response:
    with ExitStack() as listening:
        for _ in range(20):
            answer = listening.enter_context(world.staff.stream("GET", "/reports/live/stream"))
            assert answer.status_code == 200
        return world.staff.get("/reports/live/stream")


def with_too_many(send: Callable[[], httpx.Response]) -> httpx.Response:
    for _ in range(MANY):
        answer = send()
        if answer.status_code == 429:
            return answer
    raise AssertionError("nobody was refused")


def send_raw(world: World, sent: bytes) -> httpx.Response:
    """Return the answer to bytes that are no whole request."""
    with socket.create_connection(("127.0.0.1", world.service.port), timeout=60) as connection:
        connection.sendall(sent)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return httpx.Response(answer.status, headers=answer.getheaders(), content=answer.read())


PROVOKE: dict[str, Callable[[World], httpx.Response]] = {
    "malformed": lambda world: world.send("/v1/track", [CANARY]),
    "invalid_parameter": lambda world: world.ask("/v1/reports/connectors", window=CANARY),
    "unknown_parameter": lambda world: world.ask("/v1/reports/connectors", **{CANARY: "1"}),
    "repeated_parameter": lambda world: world.ask("/v1/reports/connectors?ci=only&ci=only"),
    "missing_parameter": lambda world: world.ask("/v1/reports/connector"),
    "unauthorized": lambda world: world.send("/v1/track", {}, **basic(CANARY)),
    "missing_scope": lambda world: world.send("/v1/import", {"batch": []}, **basic(ONLY_INGEST)),
    "wrong_origin": lambda world: world.staff.post(
        "/reports/login", data={"token": CANARY}, headers={"sec-fetch-site": "cross-site"}
    ),
    "not_found": lambda world: world.send(f"/v1/{CANARY}", {}),
    "unknown_report": lambda world: world.ask(f"/v1/reports/{CANARY}"),
    "unknown_page": lambda world: world.staff.get("/reports/nothing"),
    "unknown_connector": lambda world: world.staff.get("/reports/connectors/source-nothing-of-the-kind"),
    "unknown_picture": lambda world: world.staff.get("/reports/connectors/nothing.svg"),
    "not_published": lambda world: world.ask("/v1/public/connectors/2024-02.json"),
    "method_not_allowed": lambda world: httpx.get(f"{world.service.url}/v1/track"),
    "too_slow": lambda world: send_raw(world, b"POST /v1/track HTTP/1.1\r\n"),
    "too_large": lambda world: world.send("/v1/track", {CANARY: "x" * 100_000}),
    "unsupported_media_type": lambda world: world.send("/v1/track", {}, **{"content-type": "text/plain"}),
    "unknown_host": lambda world: httpx.get(
        f"{world.service.url}/healthz", headers={"host": f"{CANARY}.example"}
    ),
    "event_refused": lambda world: world.send(
        "/v1/track", spoil("properties.source.name", f"{CANARY}@x.org")
    ),
    "not_forgettable": lambda world: world.send("/v1/forget", {"anonymousId": CANARY}),
    "too_many_requests": lambda world: with_too_many(
        lambda: world.staff.post("/reports/login", data={"token": CANARY})
    ),
    "head_too_large": lambda world: send_raw(
        world, b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + CANARY.encode() + b"x" * (HEADER_BYTES + 1)
    ),
    "internal": with_a_statement_that_fails,
    "parquet_unavailable": lambda world: world.ask("/v1/reports/connectors.parquet"),
    "png_unavailable": lambda world: world.staff.get("/reports/connectors/map.png"),
    "database_unavailable": without_database,
    "not_stored": with_neither_database_nor_spool,
    "too_many_listeners": with_a_full_house,
}


# Takes more connections than a process may have: where those are bounded.
ELSEWHERE = {"overloaded": "tests/siege/test_connections.py"}


def test_every_code_is_provoked() -> None:
    assert PROVOKE.keys() | ELSEWHERE.keys() == CODES.keys()
    for code, file in ELSEWHERE.items():
        assert f'"{code}"' in (ROOT / file).read_text("utf-8")


@pytest.mark.parametrize("code", PROVOKE)
def test_a_problem_is_what_the_table_says(world: World, code: str) -> None:
    answer = PROVOKE[code](world)
    meant = CODES[code]
    assert answer.status_code == meant.status
    assert CANARY not in answer.text
    assert ("retry-after" in answer.headers) == (meant.status in (429, 503))
    if meant.retry_after is not None:
        assert answer.headers["retry-after"] == str(meant.retry_after)
    if answer.headers["content-type"].startswith("text/html"):
        assert f"<code>{code}</code>" in answer.text or f'data-code="{code}"' in answer.text
        assert "www-authenticate" not in answer.headers  # a browser would open a dialog
        return
    assert answer.headers["content-type"] == PROBLEM_TYPE
    body = answer.json()
    assert (body["code"], body["status"], body["success"]) == (code, meant.status, False)
    assert body["message"] == body["detail"]
    assert ("www-authenticate" in answer.headers) == (meant.status == 401)
    assert ("allow" in answer.headers) == (meant.status == 405)


def test_what_is_unavailable_has_one_code_wherever_it_is_asked(world: World) -> None:
    forget = world.send("/v1/forget", {"anonymousId": USER})
    index = "/v1/public/connectors.json"
    with outage(world):
        # A fault that another test provoked there is kept for half a second.
        wait_until(
            lambda: world.ask(index).json().get("code") == "database_unavailable", "the outage is seen"
        )
        answers = [
            world.ask("/v1/reports/connectors.csv", window="12d"),
            world.ask(index),
            world.ask(
                forget.json()["url"] if forget.status_code == 202 else "/v1/public/connectors/2024-01.json"
            ),
        ]
    codes = [answer.json()["code"] for answer in answers]
    assert codes == ["database_unavailable"] * 3


def test_what_is_too_much_has_one_code_wherever_it_is_sent(make_service: ServiceFactory) -> None:
    service = make_service({"TELEMETRY_KEY_RATE": "1"})
    with httpx.Client(base_url=service.url, headers=basic(service.write_key), timeout=60) as client:
        refused = [
            with_too_many(lambda: client.post("/v1/validate", json=clean_event())),
            with_too_many(lambda: client.post("/v1/forget", json={"anonymousId": "0"})),
        ]
        login = with_too_many(lambda: client.post("/reports/login", data={"token": "wrong"}))
    assert {answer.json()["code"] for answer in refused} == {"too_many_requests"}
    assert 'data-code="too_many_requests"' in login.text
    assert 0 < int(login.headers["retry-after"]) <= 300


def test_openapi_names_the_codes_of_each_operation_under_their_status(world: World) -> None:
    document = httpx.get(f"{world.service.url}/openapi.json", timeout=60).json()
    assert "Problem" in document["components"]["schemas"]
    said: set[str] = set()
    for path, item in document["paths"].items():
        for operation in item.values():
            for status, response in operation["responses"].items():
                content = response.get("content", {}).get(PROBLEM_TYPE)
                if content is None:
                    continue
                assert content["schema"] == {"$ref": "#/components/schemas/Problem"}, path
                codes = [code for code in CODES if f"`{code}`" in response["description"]]
                assert codes, (path, status)
                assert {CODES[code].status for code in codes} == {int(status)}, path
                said.update(codes)
    for path in ("/v1/track", "/v1/batch", "/v1/import", "/v1/validate"):
        responses = document["paths"][path]["post"]["responses"]
        assert {"200", "204", "400", "401", "405", "413", "415", "429", "500", "503"} <= responses.keys()
    pages_only = {"wrong_origin", "unknown_page", "unknown_connector", "unknown_picture", "png_unavailable"}
    assert set(CODES) - said == pages_only | {
        "unknown_report",
        "too_many_listeners",
        "too_slow",
        "head_too_large",
        "unknown_host",
    }
