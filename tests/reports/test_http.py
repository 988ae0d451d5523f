"""Reports over HTTP, by a real server."""

import csv
import io
import threading
from collections.abc import Iterator

import httpx
import pyarrow.parquet
import pytest
import uvicorn
from fastapi import FastAPI

from app.reports.cache import open_tables
from app.reports.readers import Readers
from app.reports.routes import create_router
from app.store.database import open_engine
from tests.look import wait_until
from tests.reports.rows import Store, sync

TOKEN = "a-token-of-the-test"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def listen(app: FastAPI) -> Iterator[str]:
    """Serve `app` on a free port of the loopback for as long as it is needed."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    socket = server.config.bind_socket()
    thread = threading.Thread(target=server.run, args=([socket],))
    thread.start()
    wait_until(lambda: server.started, "the server never started")
    yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    socket.close()


@pytest.fixture
def client(store: Store) -> Iterator[httpx.Client]:
    app = FastAPI()
    app.include_router(create_router(open_tables(store.reader), Readers(TOKEN)))
    for url in listen(app):
        with httpx.Client(base_url=url, headers=BEARER, timeout=60) as client:
            yield client


@pytest.fixture
def without_database() -> Iterator[httpx.Client]:
    """A server whose database is unavailable: what is refused before it must not depend on it."""
    app, engine = FastAPI(), open_engine("postgresql://nobody@127.0.0.1:9/nothing")
    app.include_router(create_router(open_tables(engine), Readers(TOKEN)))
    for url in listen(app):
        with httpx.Client(base_url=url, headers=BEARER, timeout=60) as client:
            yield client


def test_json_and_csv_hold_the_same_rows(client: httpx.Client, store: Store) -> None:
    store.write([sync("failed"), sync("succeeded", unit="bob", source="source-file")])
    asked = {"until": "2026-11-23", "window": "7d", "ci": "include"}
    response = client.get("/v1/reports/connectors", params=asked)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    found = response.json()
    assert [(row["rank"], row["connector"]) for row in found["rows"]] == [
        (1, "source-faker"),
        (2, "source-file"),
    ]
    assert found["parameters"].items() >= asked.items()
    twin = client.get("/v1/reports/connectors.csv", params=asked)
    assert twin.headers["content-type"] == "text/csv; charset=utf-8"
    assert twin.headers["content-disposition"] == 'attachment; filename="connectors-2026-11-23.csv"'
    rows = list(csv.DictReader(io.StringIO(twin.text)))
    assert [row["connector"] for row in rows] == ["source-faker", "source-file"]


def test_parquet(client: httpx.Client, store: Store) -> None:
    store.write([sync("failed")])
    response = client.get("/v1/reports/connectors.parquet", params={"until": "2026-11-23"})
    assert response.headers["content-type"] == "application/vnd.apache.parquet"
    found = pyarrow.parquet.read_table(io.BytesIO(response.content)).to_pylist()
    assert found == client.get("/v1/reports/connectors", params={"until": "2026-11-23"}).json()["rows"]


def test_who_knows_the_figures_gets_304_until_they_change(client: httpx.Client, store: Store) -> None:
    store.write([sync("failed")])
    asked = {"until": "2026-11-23"}
    for form in ("", ".csv", ".parquet"):
        path = f"/v1/reports/connectors{form}"
        first = client.get(path, params=asked)
        tag = first.headers["etag"]
        assert first.headers["as-of"].endswith("Z")
        known = client.get(path, params=asked, headers={"If-None-Match": f'"x", {tag}'})
        assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
        assert client.get(path, params=asked | {"sort": "units"}).headers["etag"] != tag
    store.write([sync("failed", unit="bob")])
    new = {"If-None-Match": tag, "Cache-Control": "no-cache"}
    changed = client.get(path, params=asked, headers=new)
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


@pytest.mark.parametrize("path", ["/v1/reports/connectors", "/v1/reports/connectors.csv"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": b"Bearer caf\xe9"},
    ],
)
def test_without_the_token(without_database: httpx.Client, path: str, headers: dict[str, str]) -> None:
    response = without_database.get(path, headers=headers)
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.json()["code"] == "unauthorized"


def test_the_link_with_the_token_needs_no_header(client: httpx.Client) -> None:
    del client.headers["Authorization"]
    for path in ("connectors", "connectors.csv"):
        response = client.get(f"/v1/reports/{path}", params={"token": TOKEN, "window": "7d"})
        assert response.status_code == 200
        assert response.headers["cache-control"] == "no-store"
        assert TOKEN not in response.text
    assert client.get("/v1/reports/connectors", params={"token": "wrong"}).status_code == 401
    assert (
        client.get(
            "/v1/reports/connectors", params={"token": TOKEN}, headers={"Authorization": "Bearer wrong"}
        ).status_code
        == 401
    )


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("connectors?window=canary", 400, "invalid_parameter"),
        ("connectors.csv?until=canary", 400, "invalid_parameter"),
        ("connectors?canary=1", 400, "unknown_parameter"),
        ("connectors?ci=only&ci=canary", 400, "repeated_parameter"),
        ("connectors?sort=regressions", 400, "invalid_parameter"),
        ("canary", 404, "unknown_report"),
        ("canary.csv", 404, "unknown_report"),
        ("connectors.canary", 404, "unknown_report"),
    ],
)
def test_refusals_are_problems_that_echo_nothing(
    client: httpx.Client, path: str, status: int, code: str
) -> None:
    response = client.get(f"/v1/reports/{path}")
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert "canary" not in response.text
    assert response.json()["message"]


def test_a_database_that_is_away_is_503_with_retry_after(without_database: httpx.Client) -> None:
    response = without_database.get("/v1/reports/connectors")
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    assert 0 < int(response.headers["retry-after"]) <= 300


def test_headers_say_as_of_and_lag_in_every_form(client: httpx.Client, store: Store) -> None:
    store.write([sync("failed")])
    for form in ("", ".csv", ".parquet"):
        headers = client.get(f"/v1/reports/connectors{form}", params={"until": "2026-11-23"}).headers
        assert headers["as-of"].endswith("Z")
        assert float(headers["rollup-lag-seconds"]) >= 0
    content = client.get("/v1/reports/connectors.parquet").content
    metadata = pyarrow.parquet.read_table(io.BytesIO(content)).schema.metadata or {}
    assert {b"as_of", b"rollup_lag_seconds"} <= metadata.keys()


def test_other_methods_are_told_what_is_allowed(client: httpx.Client) -> None:
    for path in ("connectors", "connectors.csv", "errors.parquet"):
        response = client.delete(f"/v1/reports/{path}")
        assert response.status_code == 405
        assert "GET" in response.headers["allow"]
