"""Requests that are no events: cheap answers, hosts, the limit of an address on every path."""

import asyncio
import gzip
import json

import httpx
import pytest

from tests.conftest import Service, ServiceFactory
from tests.samples import basic, clean_event

CACHED = ("/healthz", "/readyz", "/metrics", "/v1/schema", "/openapi.json", "/privacy", "/docs")


@pytest.mark.parametrize("path", CACHED)
def test_a_cached_answer_is_what_the_app_answers(service: Service, path: str) -> None:
    for encoding in ("identity", "gzip"):
        headers = {"Accept-Encoding": encoding}
        answer = httpx.get(f"{service.url}{path}", headers=headers)
        again = httpx.get(f"{service.url}//{path.strip('/')}/", headers=headers)
        head = httpx.head(f"{service.url}{path}", headers=headers)
        assert answer.status_code == again.status_code == head.status_code == 200
        assert answer.content
        assert not head.content
        if path not in ("/metrics", "/readyz"):
            assert answer.content == again.content
            assert head.headers["content-length"] == answer.headers["content-length"]
    refused = httpx.put(f"{service.url}{path}")
    assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed")


def test_the_privacy_page_is_sent_gzipped_and_once(service: Service) -> None:
    packed = httpx.get(f"{service.url}/privacy", headers={"Accept-Encoding": "gzip"})
    plain = httpx.get(f"{service.url}/privacy", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) == len(gzip.compress(plain.content, 6, mtime=0))
    known = httpx.get(f"{service.url}/privacy", headers={"If-None-Match": plain.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")


async def ask(url: str, paths: list[str]) -> list[int]:
    """Return the statuses of requests that are under way at once."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        answers = await asyncio.gather(*(client.get(path) for path in paths))
    return [answer.status_code for answer in answers]


def test_many_readers_at_once_are_all_answered(service: Service) -> None:
    paths = [*CACHED] * 12
    for _ in range(5):
        assert asyncio.run(ask(service.url, paths)) == [200] * len(paths)


def test_metrics_show_what_happened_a_moment_ago(service: Service) -> None:
    def count() -> int:
        reported = httpx.get(f"{service.url}/metrics").text
        line = next(line for line in reported.splitlines() if 'path="/v1/validate",status="200"' in line)
        return int(float(line.rpartition(" ")[2]))

    before = count()
    answer = httpx.post(f"{service.url}/v1/validate", json=clean_event(), headers=basic(service.write_key))
    assert answer.status_code == 200
    while count() == before:  # for a quarter of a second at most
        assert httpx.get(f"{service.url}/healthz").is_success
    assert count() == before + 1


PATHS = (
    "/healthz",
    "/metrics",
    "/v1/schema",
    "/reports",
    "/v1/reports/connectors",
    "/v1/receipts/x",
    "/none",
)


def test_the_limit_of_an_address_covers_every_path(limited: Service) -> None:
    with httpx.Client(base_url=limited.url) as client:
        while client.get("/healthz").status_code != 429:
            pass
        for path in PATHS:
            answers = [client.get(path) for _ in range(3)]  # one of them may find a new token
            refused = [answer for answer in answers if answer.status_code == 429]
            assert refused, path
            assert refused[0].json()["code"] == "too_many_requests"
            assert int(refused[0].headers["retry-after"]) >= 1


@pytest.fixture
def limited(make_service: ServiceFactory) -> Service:
    """A service whose limits hold for loopback: 10 requests at once, and one a second."""
    return make_service({"TELEMETRY_LIMIT_LOOPBACK": "true", "TELEMETRY_ADDRESS_RATE": "1"})


def test_the_limit_counts_events_and_bytes(limited: Service) -> None:
    body = json.dumps({"batch": [clean_event(number_of_records=number) for number in range(450)]})
    with httpx.Client(base_url=limited.url, headers=basic(limited.write_key), timeout=30) as client:
        statuses = [client.post("/v1/validate", content=body).status_code for _ in range(3)]
    assert statuses == [200, 429, 429]  # one of 450 events and 300 KB takes what 10 requests may


def test_erasure_is_not_denied_by_other_requests(limited: Service) -> None:
    with httpx.Client(base_url=limited.url) as client:
        while client.get("/healthz").status_code != 429:
            pass
        answer = client.post("/v1/forget", json={"anonymousId": "01M831Y67Z4Z89BH0DGHDMT1M9"})
    assert answer.status_code == 202


ODD_FORMS = (
    b"&" * 3_000,
    b"&".join(b"a%d=1" % number for number in range(20)),
    b"token=%ff%fe",
    b"\xff\xfe",
    b"token=" + b"x" * 9_000,
)
ODD_HEADERS = (
    {"Cookie": "a=b;" * 5_000},
    {"If-None-Match": '"' * 20_000},
    {"Range": "bytes=" + ",".join("1-2" for _ in range(5_000))},
    {"Accept-Encoding": "gzip;q=0.1," * 2_000},
    {"Authorization": "Bearer " + "x" * 20_000},
)


def test_odd_forms_and_headers_of_strangers_are_no_faults(service: Service) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    with httpx.Client(base_url=service.url, timeout=30) as client:
        for form in ODD_FORMS:
            for path in ("/reports/login", "/reports/logout", "/v1/forget", "/v1/track"):
                assert client.post(path, content=form, headers=kind).status_code < 500, (path, form[:20])
        for headers in ODD_HEADERS:
            for path in (*PATHS, "/openapi.json", "/reports/login", "/reports/live/stream"):
                assert client.get(path, headers=headers).status_code < 500, (path, *headers)
    assert '"level": "error"' not in service.output()


NAMES = {
    "localhost": 200,
    "LocalHost:8000": 200,
    "a.localhost": 200,
    "127.0.0.1": 200,
    "[::1]:9": 200,
    "192.0.2.7": 200,
    "rebound.example": 421,
    "localhost.rebound.example": 421,
    "127.0.0.1.rebound.example": 421,
}


@pytest.mark.parametrize("path", ["/metrics", "/reports", "/v1/reports/connectors", "/openapi.json"])
def test_a_page_from_elsewhere_reads_nothing_on_loopback(service: Service, path: str) -> None:
    for name, status in NAMES.items():
        answer = httpx.get(f"{service.url}{path}", headers={"Host": name})
        assert (answer.status_code == 421) == (status == 421), name
        if status == 421:
            assert answer.json()["code"] == "unknown_host"
            assert name not in answer.text


def test_events_are_taken_under_any_name(service: Service) -> None:
    headers = basic(service.write_key) | {"Host": "api.example"}
    assert httpx.post(f"{service.url}/v1/track", json=clean_event(), headers=headers).status_code == 200


def test_names_are_a_setting(make_service: ServiceFactory) -> None:
    service = make_service({"TELEMETRY_HOSTS": "telemetry.example, other.example"})
    for name, status in {"telemetry.example:443": 200, "OTHER.example": 200, "third.example": 421}.items():
        assert httpx.get(f"{service.url}/healthz", headers={"Host": name}).status_code == status
