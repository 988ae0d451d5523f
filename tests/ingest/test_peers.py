"""Who sends is read from trusted proxies only."""

import httpx
import pytest

from app.web.peers import Peers, parse_networks
from tests.conftest import ServiceFactory
from tests.samples import basic, clean_event

PROXY = "10.0.0.9"
CASES = [
    # connection, headers, who sends
    (PROXY, {"x-forwarded-for": "198.51.100.7"}, "198.51.100.7"),
    (PROXY, {"x-forwarded-for": "6.6.6.6, 198.51.100.7, 10.0.0.8"}, "198.51.100.7"),
    (PROXY, {"x-forwarded-for": "[2001:db8::1]:443"}, "2001:db8::1"),
    (PROXY, {"x-forwarded-for": "198.51.100.7:9999"}, "198.51.100.7"),
    (PROXY, {"x-forwarded-for": "6.6.6.6, unknown"}, PROXY),
    (PROXY, {"x-forwarded-for": ""}, PROXY),
    (PROXY, {}, PROXY),
    (PROXY, {"forwarded": 'For="[2001:db8:cafe::17]:4711";proto=https, for=10.0.0.7'}, "2001:db8:cafe::17"),
    (PROXY, {"forwarded": "proto=https;for=198.51.100.7"}, "198.51.100.7"),
    (PROXY, {"forwarded": "for=6.6.6.6, for=_hidden"}, PROXY),
    (PROXY, {"forwarded": 'for=198.51.100.7;host="x, for=6.6.6.6";proto=https'}, "198.51.100.7"),
    (PROXY, {"forwarded": 'for=198.51.100.7;host="x\\", for=6.6.6.6"'}, "198.51.100.7"),
    (PROXY, {"forwarded": 'for=6.6.6.6;host="x, for=198.51.100.7'}, PROXY),
    (PROXY, {"forwarded": 'by=_a;FOR = "198.51.100.7:80" ;proto=http,for="[2001:db8::8]", '}, "2001:db8::8"),
    (PROXY, {"forwarded": "for=6.6.6.6", "x-forwarded-for": "198.51.100.7"}, PROXY),
    (PROXY, {"forwarded": "for=198.51.100.7", "x-forwarded-for": "198.51.100.7"}, "198.51.100.7"),
    ("::ffff:10.0.0.9", {"x-forwarded-for": "198.51.100.7"}, "198.51.100.7"),
    ("203.0.113.5", {"x-forwarded-for": "198.51.100.7"}, "203.0.113.5"),
    ("203.0.113.5", {"forwarded": "for=198.51.100.7"}, "203.0.113.5"),
    ("", {"x-forwarded-for": "198.51.100.7"}, ""),
]


@pytest.mark.parametrize(("connection", "headers", "sender"), CASES)
def test_the_first_address_from_the_right_that_is_no_proxy(
    connection: str, headers: dict[str, str], sender: str
) -> None:
    peers = Peers(parse_networks(["10.0.0.0/8"]))
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert peers.find({"client": (connection, 1), "headers": raw}) == sender


def test_without_a_trusted_proxy_no_header_is_believed() -> None:
    scope = {"client": ("203.0.113.5", 1), "headers": [(b"x-forwarded-for", b"198.51.100.7")]}
    assert Peers(()).find(scope) == "203.0.113.5"


def test_each_sender_behind_a_proxy_has_a_limit_of_its_own(make_service: ServiceFactory) -> None:
    service = make_service({"TELEMETRY_TRUSTED_PROXIES": "127.0.0.1", "TELEMETRY_ADDRESS_RATE": "1"})
    statuses: dict[str, list[int]] = {}
    with httpx.Client(base_url=service.url, headers=basic(service.write_key), timeout=30) as client:
        for sender in ("198.51.100.7", "198.51.100.8"):
            replies = [
                client.post("/v1/validate", json=clean_event(), headers={"X-Forwarded-For": sender})
                for _ in range(40 if sender.endswith("7") else 5)
            ]
            statuses[sender] = [reply.status_code for reply in replies]
    assert 429 in statuses["198.51.100.7"]
    assert set(statuses["198.51.100.8"]) == {200}
    assert "198.51.100" not in service.output()


def test_each_who_asks_to_be_forgotten_has_a_limit_of_their_own(make_service: ServiceFactory) -> None:
    service = make_service({"TELEMETRY_TRUSTED_PROXIES": "127.0.0.0/8"})

    def ask(address: str) -> int:
        headers = {"X-Forwarded-For": address}
        body = {"anonymousId": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"}
        return httpx.post(f"{service.url}/v1/forget", json=body, headers=headers, timeout=60).status_code

    answers = [ask("192.0.2.1")]
    while answers[-1] == 202 and len(answers) < 2_000:
        answers.append(ask("192.0.2.1"))
    assert answers[-1] == 429
    assert ask("192.0.2.2") == 202


def test_what_is_no_network_is_refused(make_service: ServiceFactory) -> None:
    with pytest.raises(AssertionError, match="TELEMETRY_TRUSTED_PROXIES: takes addresses or networks"):
        make_service({"TELEMETRY_TRUSTED_PROXIES": "proxy.example"})
