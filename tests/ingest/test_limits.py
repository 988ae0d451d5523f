"""Who sends too much is told when to come back."""

import httpx

from tests.conftest import ServiceFactory
from tests.samples import basic, clean_event


def post(url: str, key: str, numbers: range) -> list[httpx.Response]:
    """Return the answers to events that are sent over one connection."""
    with httpx.Client(base_url=url, headers=basic(key), timeout=30) as client:
        return [client.post("/v1/track", json=clean_event(number_of_records=number)) for number in numbers]


def test_an_address_is_limited(make_service: ServiceFactory) -> None:
    service = make_service({"TELEMETRY_ADDRESS_RATE": "1", "TELEMETRY_LIMIT_LOOPBACK": "true"})
    replies = post(service.url, service.write_key, range(30))
    refused = [reply for reply in replies if reply.status_code == 429]
    assert {reply.status_code for reply in replies} == {200, 429}
    assert len(refused) >= 10
    assert all(1 <= int(reply.headers["Retry-After"]) <= 300 for reply in refused)
    assert refused[0].json()["code"] == "too_many_requests"


def test_a_write_key_is_limited_and_loopback_is_not(make_service: ServiceFactory) -> None:
    service = make_service({"TELEMETRY_ADDRESS_RATE": "1", "TELEMETRY_KEY_RATE": "2"})
    codes = [reply.status_code for reply in post(service.url, service.write_key, range(40))]
    assert codes[:20] == [200] * 20
    assert 429 in codes
