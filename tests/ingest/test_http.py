"""The HTTP contract: who may send, how much, in which form, and what comes back."""

import base64
import gzip
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from tests.conftest import Service
from tests.samples import SESSION, USER, basic, clean_event, spoil

CANARY = "canary-jane.doe@example.com"


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, headers=basic(service.write_key), timeout=10) as client:
        yield client


def rows(service: Service, query: str) -> list[tuple[Any, ...]]:
    engine = create_engine(service.database_url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    return found


def outcomes(service: Service) -> dict[str, int]:
    return {
        str(outcome): int(number)
        for outcome, number in rows(service, "SELECT outcome, sum(count) FROM outcomes GROUP BY 1")
    }


def assert_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert (body["status"], body["code"], body["success"]) == (status, code, False)
    assert body["message"]
    assert CANARY not in response.text
    return body


def test_a_track_event_is_committed_when_the_reply_comes(service: Service, client: httpx.Client) -> None:
    reply = client.post("/v1/track", json=clean_event())
    assert reply.status_code == 200
    assert reply.json()["outcome"] == "accepted"
    assert len(reply.json()["id"]) == 26
    assert rows(service, "SELECT source_name, number_of_records FROM events") == [("source-faker", 100)]


def test_a_retry_is_a_duplicate_with_the_same_id(service: Service, client: httpx.Client) -> None:
    first, second = (client.post("/v1/track", json=clean_event()).json() for _ in range(2))
    assert (first["outcome"], second["outcome"]) == ("accepted", "duplicate")
    assert first["id"] == second["id"]
    assert outcomes(service) == {"received": 2, "accepted": 1, "duplicate": 1}


def test_withheld_fields_are_named_on_duplicates_too_and_counted_of_the_accepted_event(
    service: Service, client: httpx.Client
) -> None:
    event = spoil("properties.source.name", CANARY.replace("@", "-"))
    for outcome in ("accepted", "duplicate"):
        reply = client.post("/v1/track", json=event).json()
        assert (reply["outcome"], reply["withheld"]) == (outcome, ["properties.source.name"])
    assert rows(service, "SELECT source_name FROM events") == [("custom",)]
    tallied = rows(
        service, "SELECT kind, reason, sum(count) FROM tallies WHERE kind = 'withheld' GROUP BY 1, 2"
    )
    assert tallied == [("withheld", "properties.source.name", 1)]


def test_a_refused_event_is_counted_and_leaves_a_ledger_row(service: Service, client: httpx.Client) -> None:
    reply = client.post("/v1/track", json=spoil("properties.application_hash", CANARY))
    problem = assert_problem(reply, 422, "event_refused")
    assert (problem["rule"], problem["path"]) == ("pattern", "properties.application_hash")
    ledger = rows(service, "SELECT reason, path, source_name, state, application_hash FROM rejections")
    assert ledger == [("pattern", "properties.application_hash", "source-faker", "succeeded", None)]
    assert outcomes(service) == {"received": 1, "rejected": 1}
    assert rows(service, "SELECT * FROM events") == []


def test_an_unknown_key_is_named_by_its_parent(client: httpx.Client) -> None:
    reply = client.post("/v1/track", json=spoil("properties.flags", {CANARY: CANARY}))
    assert assert_problem(reply, 422, "event_refused")["path"] == "properties.flags.*"


def test_one_bad_event_leaves_its_neighbours_stored(service: Service, client: httpx.Client) -> None:
    batch = [
        clean_event(number_of_records=1),
        spoil("traits", {"email": CANARY}),
        "no object",
        spoil("properties.source.name", {"a": [[1]]}),
        clean_event(number_of_records=2),
        clean_event(number_of_records=2),
        spoil("properties.version", "x" * 33_000),
    ]
    reply = client.post(
        "/v1/batch", json={"batch": batch, "sentAt": "2026-11-23T02:00:00Z", "writeKey": "ignored"}
    )
    assert reply.status_code == 200
    assert CANARY not in reply.text
    results = [
        (result["outcome"], result.get("reason"), result.get("path")) for result in reply.json()["results"]
    ]
    assert results == [
        ("accepted", None, None),
        ("rejected", "not_allowed", "traits"),
        ("rejected", "not_an_object", None),
        ("rejected", "too_deep", None),
        ("accepted", None, None),
        ("duplicate", None, None),
        ("rejected", "too_large", None),
    ]
    assert outcomes(service) == {"received": 7, "accepted": 2, "duplicate": 1, "rejected": 4}
    assert rows(service, "SELECT number_of_records FROM events ORDER BY 1") == [(1,), (2,)]


MALFORMED = [
    (b"", "not_json"),
    (b"{", "not_json"),
    (b"nonsense", "not_json"),
    (b'{"a": "\xff"}', "not_json"),
    (b"[" * 100_000, None),
    (b"[]", "not_an_object"),
    (b"5", "not_an_object"),
    (b'{"event": "sync", "event": "sync"}', "duplicate_key"),
    (b'{"\\u0065vent": "sync", "event": "sync"}', "duplicate_key"),
    (b'{"properties": {"a": ":", "\\u003a": 1, "a": ":"}}', "duplicate_key"),
    (b'{"properties": {"number_of_records": NaN}}', "not_a_number"),
    (b'{"properties": {"number_of_records": -Infinity}}', "not_a_number"),
    (b'{"event": "\\u0000"}', "character"),
    (b'{"event": "\\ud800"}', "character"),
    (b'{"\\udfff": 1}', "character"),
    (b'{"a": {"b": {"c": {"d": {"e": {}}}}}}', "too_deep"),
]


@pytest.mark.parametrize(("body", "rule"), MALFORMED)
def test_malformed_bodies(service: Service, client: httpx.Client, body: bytes, rule: str | None) -> None:
    reply = client.post("/v1/track", content=body)
    if rule is None:
        assert_problem(reply, 413, "too_large")
    else:
        assert assert_problem(reply, 400, "malformed")["rule"] == rule
    assert outcomes(service) == {}


@pytest.mark.parametrize(("body", "rule"), [item for item in MALFORMED if item[1] not in ("not_json", None)])
def test_a_malformed_item_is_rejected_alone(client: httpx.Client, body: bytes, rule: str) -> None:
    neighbour = json.dumps(clean_event()).encode()
    reply = client.post("/v1/batch", content=b'{"batch": [' + body + b", " + neighbour + b"]}")
    assert [result["outcome"] for result in reply.json()["results"]] == ["rejected", "accepted"]
    assert reply.json()["results"][0]["reason"] == rule


@pytest.mark.parametrize("depth", [6, 250, 260, 900, 990, 1000, 1020, 1030, 3000])
@pytest.mark.parametrize(("opening", "closing"), [(b'{"a":', b"}"), (b"[", b"]")])
def test_nesting_cannot_break_the_service(
    client: httpx.Client, depth: int, opening: bytes, closing: bytes
) -> None:
    nested = opening * depth + b"1" + closing * depth
    assert client.post("/v1/track", content=nested).status_code == 400
    reply = client.post(
        "/v1/batch", content=b'{"batch": [' + nested + b", " + json.dumps(clean_event()).encode() + b"]}"
    )
    if reply.status_code == 200:
        assert [result["outcome"] for result in reply.json()["results"]] == ["rejected", "accepted"]
    else:
        assert_problem(reply, 400, "malformed")
        assert depth >= 900


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"batch": {}}', b'{"batch": [], "batch": []}'])
def test_a_batch_must_be_a_batch(client: httpx.Client, body: bytes) -> None:
    assert_problem(client.post("/v1/batch", content=body), 400, "malformed")


def test_an_empty_batch_is_nothing(client: httpx.Client) -> None:
    assert client.post("/v1/batch", json={"batch": []}).json() == {"success": True, "results": []}


AUTHORIZED = [
    ("Basic {with_colon}", None, 200),
    ("Basic {bare}", None, 200),
    ("basic {with_colon}", None, 200),
    (None, "{key}", 200),
    ("Basic {with_colon}", "unknown", 200),
    ("Basic {unknown}", "{key}", 401),
    ("Basic {with_colon}!", None, 401),
    ("Bearer {bare}", None, 401),
    ("", "{key}", 401),
    (None, None, 401),
    (None, "unknown", 401),
]


@pytest.mark.parametrize(("header", "body_key", "status"), AUTHORIZED)
def test_the_header_decides(service: Service, header: str | None, body_key: str | None, status: int) -> None:
    def encode(user: str) -> str:
        return base64.b64encode(user.encode()).decode()

    words = {
        "with_colon": encode(f"{service.write_key}:"),
        "bare": encode(service.write_key),
        "unknown": encode("unknown:"),
        "key": service.write_key,
    }
    event = clean_event()
    if body_key is not None:
        event["writeKey"] = body_key.format(**words)
    headers = {} if header is None else {"Authorization": header.format(**words)}
    reply = httpx.post(f"{service.url}/v1/track", json=event, headers=headers)
    assert reply.status_code == status
    if status == 401:
        assert_problem(reply, 401, "unauthorized")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Content-Type": "Application/JSON"}, 200),
        ({"Content-Encoding": "identity"}, 200),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": ""}, 415),
        ({"Content-Encoding": "br"}, 415),
        ({"Content-Encoding": "gzip, gzip"}, 415),
    ],
)
def test_content_types(client: httpx.Client, headers: dict[str, str], status: int) -> None:
    reply = client.post("/v1/track", content=json.dumps(clean_event()), headers=headers)
    assert reply.status_code == status


@pytest.mark.parametrize(
    ("content_type", "encoding", "status"),
    [
        ("application/x-www-form-urlencoded", "gzip", 200),
        ("application/x-www-form-urlencoded; charset=utf-8", "x-gzip", 200),
        ("application/x-www-form-urlencoded", "identity", 415),
        ("text/plain", "gzip", 415),
        ("multipart/form-data", "gzip", 415),
    ],
)
def test_a_form_is_taken_only_gzipped(
    client: httpx.Client, content_type: str, encoding: str, status: int
) -> None:
    """RudderStack's SDK for Node calls its gzip a form; a page in a browser cannot send that encoding."""
    body = json.dumps(clean_event()).encode()
    reply = client.post(
        "/v1/track",
        content=body if encoding == "identity" else gzip.compress(body),
        headers={"Content-Type": content_type, "Content-Encoding": encoding},
    )
    assert reply.status_code == status


@pytest.mark.parametrize(
    ("path", "content_type", "encoding", "status"),
    [
        ("/v1/b", "text/plain", "gzip", 200),  # Segment's SDK for Kotlin
        ("/v1/b", None, "gzip", 200),  # for C#
        ("/v1/b", "application/json; charset=utf-8", "identity", 200),  # for Swift and React Native
        ("/v1/b/", "application/json", "gzip", 200),
        ("/v1/b", "text/plain", "identity", 415),  # what a page in a browser can post
        ("/v1/b", "text/plain;charset=UTF-8", "", 415),
        ("/v1/b", None, "identity", 415),
        ("/v1/b", "application/x-www-form-urlencoded", "identity", 415),
        ("/v1/b", "multipart/form-data", "gzip", 415),
        ("/v1/batch", "text/plain", "gzip", 415),
        ("/v1/batch", None, "gzip", 415),
        ("/v1/import", "text/plain", "gzip", 415),
    ],
)
def test_segments_sdks_call_their_gzip_what_they_like_at_their_own_path(
    service: Service, path: str, content_type: str | None, encoding: str, status: int
) -> None:
    body = json.dumps({"batch": [clean_event()], "writeKey": service.write_key}).encode()
    headers = {"Content-Encoding": encoding} | ({"Content-Type": content_type} if content_type else {})
    sent = gzip.compress(body) if encoding == "gzip" else body
    reply = httpx.post(f"{service.url}{path}", content=iter([sent[:50], sent[50:]]), headers=headers)
    assert reply.status_code == status
    if status == 200:
        assert [result["outcome"] for result in reply.json()["results"]] == ["accepted"]
    else:
        problem = assert_problem(reply, 415, "unsupported_media_type")
        assert "Content-Type: application/json" in problem["message"]


@pytest.mark.parametrize("path", ["/v1/track", "/v1/b"])
def test_no_page_in_a_browser_is_allowed_an_encoding(client: httpx.Client, path: str) -> None:
    asks = {"Origin": "https://elsewhere.example", "Access-Control-Request-Headers": "content-encoding"}
    reply = client.options(path, headers=asks | {"Access-Control-Request-Method": "POST"})
    assert reply.status_code == 405
    assert not [name for name in reply.headers if name.startswith("access-control-")]


def padded_event(size: int) -> bytes:
    """A refused event of exactly `size` bytes."""
    empty = json.dumps(spoil("properties.version", "")).encode()
    return json.dumps(spoil("properties.version", "x" * (size - len(empty)))).encode()


@pytest.mark.parametrize("compress", [False, True])
def test_an_event_may_have_32_kib(client: httpx.Client, compress: bool) -> None:
    headers = {"Content-Encoding": "gzip"} if compress else {}
    for size, status in ((32 * 1024, 200), (32 * 1024 + 1, 413)):
        body = padded_event(size)
        reply = client.post("/v1/track", content=gzip.compress(body) if compress else body, headers=headers)
        assert reply.status_code == status


def test_a_chunked_body_is_bounded_while_it_streams(client: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            yield b" " * 1024

    reply = client.post("/v1/track", content=endless())
    assert_problem(reply, 413, "too_large")


def test_a_gzip_bomb_is_met_by_413(client: httpx.Client) -> None:
    bomb = gzip.compress(b" " * 100_000_000)
    reply = client.post("/v1/batch", content=bomb, headers={"Content-Encoding": "gzip"})
    assert_problem(reply, 413, "too_large")


# Without the time in it: the name of a test is the same in every process that runs some of them.
GZIPPED = gzip.compress(b"{}", mtime=0)


@pytest.mark.parametrize("body", [b"", b"no gzip", GZIPPED[:-4], GZIPPED + b"rest"])
def test_broken_gzip(client: httpx.Client, body: bytes) -> None:
    reply = client.post("/v1/track", content=body, headers={"Content-Encoding": "gzip"})
    assert_problem(reply, 400, "malformed")


def test_gzip_in_several_members(client: httpx.Client) -> None:
    body = json.dumps(clean_event()).encode()
    members = gzip.compress(body[:100]) + gzip.compress(body[100:])
    reply = client.post("/v1/track", content=members, headers={"Content-Encoding": "gzip"})
    assert reply.json()["outcome"] == "accepted"


def test_a_batch_may_have_2500_events(client: httpx.Client) -> None:
    assert len(client.post("/v1/batch", json={"batch": [0] * 2500}).json()["results"]) == 2500
    assert_problem(client.post("/v1/batch", json={"batch": [0] * 2501}), 413, "too_large")


def test_history_keeps_its_times(service: Service, client: httpx.Client) -> None:
    old = spoil("timestamp", "2024-02-29T12:00:00Z")
    assert client.post("/v1/import", json={"batch": [old]}).json()["results"][0]["outcome"] == "accepted"
    assert client.post("/v1/batch", json={"batch": [spoil("messageId", "live", old)]}).status_code == 200
    corrected = rows(service, "SELECT corrected_at IS NULL FROM events ORDER BY corrected_at NULLS FIRST")
    assert corrected == [(True,), (False,)]


def test_a_dry_run_stores_and_counts_nothing(service: Service, client: httpx.Client) -> None:
    single = client.post("/v1/validate", json=spoil("event", CANARY)).json()
    assert single["results"][0] | {"id": ""} == {
        "id": "",
        "outcome": "rejected",
        "reason": "not_allowed",
        "path": "event",
    }
    batch = client.post(
        "/v1/validate", json={"batch": [clean_event(), spoil("properties.os", "JaneOS")]}
    ).json()
    assert [result["outcome"] for result in batch["results"]] == ["accepted", "accepted"]
    assert batch["results"][1]["withheld"] == ["properties.os"]
    assert httpx.post(f"{service.url}/v1/validate", json=clean_event()).status_code == 401
    assert rows(service, "SELECT * FROM events") == []
    assert outcomes(service) == {}


@pytest.mark.parametrize("header", ["DNT", "Sec-GPC"])
def test_who_asks_not_to_be_tracked_is_not(service: Service, client: httpx.Client, header: str) -> None:
    reply = client.post("/v1/track", json=clean_event(), headers={header: "1"})
    assert (reply.status_code, reply.content) == (204, b"")
    assert client.post("/v1/track", json=clean_event(), headers={header: "0"}).json()["outcome"] == "accepted"
    assert rows(service, "SELECT kind, reason, count FROM tallies WHERE reason = 'dnt'") == [
        ("refused", "dnt", 1)
    ]


def test_what_the_client_dropped_is_tallied(service: Service, client: httpx.Client) -> None:
    client.post("/v1/batch", json={"batch": [clean_event()]}, headers={"Telemetry-Client-Dropped": "12"})
    client.post("/v1/track", json=clean_event(), headers={"Telemetry-Client-Dropped": CANARY})
    dropped = "SELECT kind, sum(count)::int FROM tallies WHERE kind = 'client_dropped' GROUP BY kind"
    assert rows(service, dropped) == [("client_dropped", 12)]
    event = clean_event(number_of_records=2)
    client.post("/v1/track", json=event, headers={"Telemetry-Client-Dropped": "999999999"})
    assert rows(service, dropped) == [("client_dropped", 12 + 10_000)]  # nobody can check what it says


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_other_methods(client: httpx.Client, method: str) -> None:
    reply = client.request(method, "/v1/track")
    assert_problem(reply, 405, "method_not_allowed")
    assert reply.headers["allow"] == "POST"


def test_unknown_paths_are_problems_too(client: httpx.Client) -> None:
    assert_problem(client.get(f"/v1/{CANARY}"), 404, "not_found")


def test_the_endpoints_are_documented(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    assert {"/v1/track", "/v1/batch", "/v1/import", "/v1/validate"} <= set(document["paths"])
    assert set(document["paths"]["/v1/track"]["post"]["responses"]) >= {
        "200",
        "400",
        "401",
        "413",
        "415",
        "422",
        "503",
    }
    assert document["components"]["schemas"]["Properties"]["additionalProperties"] is False
    assert client.get("/docs").status_code == 200


def test_nothing_raw_is_stored_or_logged(service: Service, client: httpx.Client) -> None:
    """The canary, the ids and the write key are nowhere in the database, and nowhere
    in what the service printed."""
    for path in (
        "anonymousId",
        "event",
        "properties.os",
        "properties.state",
        "properties.exception.message",
        "x.y",
    ):
        client.post("/v1/track", json=spoil(path, CANARY))
    client.post("/v1/track", json=clean_event())
    client.post(f"/v1/track?email={CANARY}", content=CANARY, headers={"X-Mail": CANARY})
    tables = ("events", "rejections", "outcomes", "tallies", "write_keys")
    dump = "".join(row[0] for table in tables for row in rows(service, f"SELECT t::text FROM {table} AS t"))
    assert len(dump) > 1000
    printed = service.output()
    for secret in (CANARY, USER, SESSION, service.write_key):
        assert secret not in dump
        assert secret not in printed


def test_the_steps_of_a_request_are_timed(client: httpx.Client) -> None:
    for number in range(64):  # one of them is
        client.post("/v1/track", json=clean_event(number_of_records=number))
    metrics = client.get("/metrics").text
    for step in ("read", "parse", "judge", "store", "reply"):
        [count] = re.findall(rf'telemetry_step_seconds_count{{step="{step}"}} ([0-9.]+)', metrics)
        assert float(count) >= 1
