"""TELEMETRY_LOG_URL: what is answered waits in NATS and arrives once, whatever happens to either."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.store.stream import SUBJECT, prepare, read_state
from tests.conftest import Service, ServiceFactory
from tests.faults.ledger import ids, outcomes, readiness, spooled, wait_until
from tests.faults.proxy import Proxy
from tests.faults.stream_harness import StreamHarness
from tests.look import Look
from tests.nats import Node, at, limit, needs_nats, running, waiting
from tests.samples import USER, basic, clean_event, spoil

pytestmark = needs_nats

MANY = 200  # events of a batch that is deflated on its way
PASSWORD = "a-password-of-nats"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with running(tmp_path / "nats", f"authorization {{ user: me, password: {PASSWORD} }}") as node:
        yield node


@pytest.fixture
def url(node: Node) -> str:
    return node.url.replace("//", f"//me:{PASSWORD}@")


@pytest.fixture
def environment(proxy: Proxy, node: Node, url: str, tmp_path: Path) -> dict[str, str]:
    secret = tmp_path / "log-url"
    secret.write_text(f"{url}\n")
    return {
        "TELEMETRY_DATABASE_URL": proxy.url,
        "TELEMETRY_INGEST": "log",
        "TELEMETRY_LOG_URL_FILE": str(secret),
        "TELEMETRY_LOG_MB": "16",
        "TELEMETRY_DEADLINE_MS": "10000",  # on a busy machine, too, what can be acknowledged is in time
        "TELEMETRY_LOG_MONITOR_URL": node.monitor,
    }


@pytest.fixture
def service(make_service: ServiceFactory, environment: dict[str, str]) -> Service:
    service = make_service(environment)
    wait_until(lambda: uses_stream(service), "the stream is used")
    return service


def uses_stream(service: Service) -> bool:
    return bool(readiness(service)["log"]["writable"])


def event(number: int, user: str = USER) -> dict[str, object]:
    return clean_event(number_of_records=number) | {"messageId": f"m{number}", "anonymousId": user}


def post(service: Service, path: str, body: object) -> httpx.Response:
    return httpx.post(f"{service.url}{path}", json=body, headers=basic(service.write_key), timeout=30)


def queue(service: Service, numbers: range) -> set[str]:
    replies = [post(service, "/v1/track", event(number)).json() for number in numbers]
    assert {reply["outcome"] for reply in replies} == {"queued"}
    return {reply["id"] for reply in replies}


def is_drained(service: Service, url: str) -> bool:
    return readiness(service)["database"] == "ok" and not spooled(service) and not waiting(url)


def test_a_killed_service_leaves_what_it_promised_in_the_stream(
    proxy: Proxy, service: Service, url: str, look: Look
) -> None:
    proxy.set("refuse")
    promised = queue(service, range(5))
    refused = spoil("properties.application_hash", "main.py", event(5))
    assert post(service, "/v1/track", refused).status_code == 422
    many = post(service, "/v1/batch", {"batch": [event(10 + number) for number in range(MANY)]}).json()
    promised |= {each["id"] for each in many["results"]}
    assert waiting(url) == 7
    assert not spooled(service)
    wait_until(lambda: readiness(service)["log"]["entries"] == 7, "it says what waits")
    metrics = httpx.get(f"{service.url}/metrics").text
    assert "telemetry_log_batches 7.0" in metrics
    service.kill()
    said = service.run("doctor").stdout
    assert "7 batches wait" in " ".join(said.split())
    proxy.set("pass")
    rotation = service.run("keys", "rotate-hash")
    assert rotation.returncode == 1
    assert "wait in the stream" in " ".join(rotation.stderr.split())
    service.start()
    wait_until(lambda: is_drained(service, url), "the stream is drained")
    assert set(ids(look.engine.url.render_as_string(hide_password=False), "events")) == promised
    assert look.outcomes() == {"received": 6 + MANY, "accepted": 5 + MANY, "rejected": 1}
    wait_until(lambda: readiness(service)["status"] == "ok", "nothing is wrong any more")
    for part in (PASSWORD, url, str(url.rpartition(":")[2])):
        assert part not in service.output()
        assert part not in said


def test_what_the_stream_takes_too_late_is_in_the_file_and_stored_once(
    proxy: Proxy, service: Service, node: Node, url: str, database_url: str
) -> None:
    proxy.set("refuse")
    node.signal(signal.SIGSTOP)
    promised = queue(service, range(3))
    assert spooled(service) == 3
    node.signal(signal.SIGCONT)
    wait_until(lambda: waiting(url) > 0, "the stream has taken one, too")
    proxy.set("pass")
    wait_until(lambda: is_drained(service, url), "both are drained")
    assert set(ids(database_url, "events")) == promised
    assert outcomes(database_url) == {"received": 3, "accepted": 3}
    assert at(url, read_state).messages == 0


def test_a_full_stream_a_killed_one_and_one_that_comes_late(
    proxy: Proxy, service: Service, node: Node, url: str, database_url: str
) -> None:
    proxy.set("refuse")
    limit(url, 2_000)
    promised = queue(service, range(6))
    assert 0 < waiting(url) < 6
    assert spooled(service) == 6 - waiting(url)
    wait_until(lambda: readiness(service)["log"]["writable"] is False, "it says that the stream is full")
    node.kill()
    promised |= queue(service, range(6, 9))
    wait_until(lambda: readiness(service)["status"] == "degraded", "it says that the stream is away")
    service.kill()
    service.start()  # without NATS
    assert "log_unusable_at_start" in service.output()
    promised |= queue(service, range(9, 12))
    proxy.set("pass")
    node.start()
    wait_until(lambda: uses_stream(service), "NATS is found")
    promised |= queue(service, range(12, 15))
    wait_until(lambda: is_drained(service, url), "both are drained")
    assert set(ids(database_url, "events")) == promised
    assert outcomes(database_url) == {"received": 15, "accepted": 15}
    assert PASSWORD not in service.output()


def test_before_postgres_was_ever_reached_the_file_keeps_what_only_this_process_understands(
    proxy: Proxy, make_service: ServiceFactory, environment: dict[str, str], url: str, database_url: str
) -> None:
    proxy.set("refuse")
    service = make_service(environment)
    wait_until(lambda: uses_stream(service), "the stream is used")
    promised = queue(service, range(3))
    assert (waiting(url), spooled(service)) == (0, 3)
    proxy.set("pass")
    wait_until(lambda: is_drained(service, url), "the file is drained")
    assert set(ids(database_url, "events")) == promised


def test_what_only_an_operator_can_mend_ends_the_start_in_one_line(
    environment: dict[str, str], node: Node, url: str, tmp_path: Path
) -> None:
    async def make_anothers(client: Any) -> None:
        await prepare(client, 2**24, "another hash key")
        await client.request(SUBJECT, b"batch")

    at(url, make_anothers)
    del environment["TELEMETRY_LOG_URL_FILE"]
    service = Service(tmp_path, None, environment)
    for wrong, code in (
        (url, "log_foreign"),
        (url.replace(PASSWORD, "secret-nobody"), "log_authentication"),
        (url.replace("nats:", "tls:"), "log_tls"),
        ("http://secret-nobody", "TELEMETRY_LOG_URL: takes nats://"),
    ):
        service.environment["TELEMETRY_LOG_URL"] = wrong
        ended = service.run("serve")
        assert ended.returncode == 1
        assert code in " ".join(ended.stderr.split())
        assert ended.stderr.count("Error: ") == 1
        for part in ("secret-nobody", PASSWORD, f":{node.port}"):
            assert part not in ended.stdout + ended.stderr


def test_kills_lose_nothing(tmp_path: Path) -> None:
    harness = StreamHarness(tmp_path, seed=20261129)
    harness.faults = [harness.kill_leader, harness.kill_all_nodes]
    try:
        figures = harness.run(lambda figures: sum(figures.faults.values()) >= 2, slack_seconds=4.0)
    finally:
        harness.clean_up()
    assert len(figures.account.promised) > 100
    assert set(figures.account.outcomes) == {"queued", "rejected"}
    assert harness.through_stream > 0
    print(figures.line())
