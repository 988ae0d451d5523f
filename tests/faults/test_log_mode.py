"""TELEMETRY_INGEST=log: what is answered waits in the log and arrives once, whatever happens meanwhile."""

import datetime as dt
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import orjson
import pytest

from app.ingest.entries import COLUMNS
from app.ingest.spool_file import checksum
from app.store.events import hour_of
from tests.conftest import Service, ServiceFactory
from tests.faults.harness import Harness
from tests.faults.ledger import count_by_hour, ids, is_drained, readiness, spooled, wait_until
from tests.faults.proxy import Proxy
from tests.look import Look
from tests.samples import USER, basic, clean_event, spoil

OTHER = "01M831Y67Z4Z89BH0DGHDMT1MA"
HOUR = dt.timedelta(hours=1)
AGES = (2 * HOUR, HOUR, HOUR, 0 * HOUR)


@pytest.fixture
def service(proxy: Proxy, make_service: ServiceFactory) -> Service:
    return make_service({"TELEMETRY_DATABASE_URL": proxy.url, "TELEMETRY_INGEST": "log"})


def event(number: int, user: str = USER) -> dict[str, object]:
    return clean_event(number_of_records=number) | {"messageId": f"m{number}", "anonymousId": user}


def post(service: Service, path: str, body: object) -> httpx.Response:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    headers = {"Content-Type": "application/json", **basic(service.write_key)}
    return httpx.post(f"{service.url}{path}", content=content, headers=headers, timeout=30)


def queue(service: Service, *events: dict[str, object]) -> set[str]:
    replies = [post(service, "/v1/track", each).json() for each in events]
    assert {reply["outcome"] for reply in replies} == {"queued"}
    return {reply["id"] for reply in replies}


@contextmanager
def nothing_is_stored(look: Look) -> Iterator[None]:
    """The database answers, and whoever writes events waits in vain."""
    with look.engine.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE events IN SHARE MODE")
        yield


def rewrite(service: Service, change: Callable[[int, dict[str, object]], float]) -> None:
    """Change the entries that a service left; the change returns since when an entry waits."""
    [file] = (service.data_dir / "spool").glob("*.sqlite")
    with closing(sqlite3.connect(file, isolation_level=None)) as spool:
        for number, payload in spool.execute("SELECT id, payload FROM entries ORDER BY id").fetchall():
            document = orjson.loads(payload)
            queued_at = change(number, document)
            changed = orjson.dumps(document)
            spool.execute(
                "UPDATE entries SET queued_at = ?, payload = ?, checksum = ? WHERE id = ?",
                (queued_at, changed, checksum(changed), number),
            )


def test_nobody_waits_for_postgres_and_what_is_refused_is_told_at_once(
    proxy: Proxy, service: Service, look: Look
) -> None:
    body = readiness(service)
    assert (body["status"], body["ingest"]) == ("ok", "log")
    proxy.set("refuse")
    first = post(service, "/v1/track", event(1))
    assert (first.status_code, first.json()["outcome"]) == (200, "queued")
    assert post(service, "/v1/track", event(1)).json()["outcome"] == "queued"  # only Postgres knows it
    refused = spoil("properties.application_hash", "main.py", event(2))
    assert post(service, "/v1/track", refused).status_code == 422
    many = post(service, "/v1/batch", {"batch": [event(3), refused, event(4)]}).json()
    assert [each["outcome"] for each in many["results"]] == ["queued", "rejected", "queued"]
    assert post(service, "/v1/track", b'{"event": "sync", "event": "sync"}').status_code == 400
    wait_until(lambda: readiness(service)["status"] == "degraded", "it says that Postgres is away")
    assert service.stop() == 0
    assert spooled(service), "what waits is for the next start"
    proxy.set("pass")
    service.start()
    wait_until(lambda: is_drained(service), "the log is drained")
    assert look.outcomes() == {"received": 6, "accepted": 3, "duplicate": 1, "rejected": 2}
    assert look.value("SELECT sum(count) FROM tallies WHERE kind = 'refused'") == 1
    wait_until(lambda: readiness(service)["status"] == "ok", "nothing is wrong any more")


def test_a_log_that_waits_is_no_fault_until_it_is_late(
    proxy: Proxy, service: Service, look: Look, database_url: str
) -> None:
    """Every event is counted in the hour in which it came, and reports say how far behind they are."""
    now = dt.datetime.now(dt.UTC)
    proxy.set("refuse")
    promised = queue(service, *(event(number) for number in range(4)))
    service.kill()

    def backdate(number: int, document: dict[str, object]) -> float:
        verdicts = document["verdicts"]
        assert isinstance(verdicts, list)
        received_at = now - AGES[number - 1]
        for verdict in verdicts:
            verdict[1][COLUMNS.index("received_at")] = received_at.isoformat()
        return received_at.timestamp()

    rewrite(service, backdate)
    proxy.set("pass")
    with nothing_is_stored(look):
        service.start()
        wait_until(lambda: readiness(service)["symptoms"] == ["log_lag"], "what waits too long is seen")
        assert readiness(service)["status"] == "degraded"
        assert 2 * 3600 <= readiness(service)["spool"]["age_seconds"] < 3 * 3600
        response = httpx.get(
            f"{service.url}/v1/reports/data-quality",
            headers={"Authorization": f"Bearer {service.report_token}"},
            timeout=60,
        )
        assert 2 * 3600 <= float(response.headers["rollup-lag-seconds"]) < 3 * 3600
        [lag] = [row["count"] for row in response.json()["rows"] if row["item"] == "lag, seconds"]
        assert 2 * 3600 <= lag < 3 * 3600
    wait_until(lambda: is_drained(service), "the log is drained")
    assert len(ids(database_url, "events")) == len(promised)
    reported = count_by_hour(database_url)
    for age, number in Counter(AGES).items():
        assert reported[hour_of(now - age), "received"] == reported[hour_of(now - age), "accepted"] == number
    wait_until(lambda: "log_lag" not in readiness(service)["symptoms"], "it is no longer late")


def test_who_is_forgotten_while_their_events_wait_does_not_come_back(service: Service, look: Look) -> None:
    with nothing_is_stored(look):
        queue(service, event(1), event(2, OTHER))
        receipt = httpx.post(f"{service.url}/v1/forget", json={"anonymousId": USER}, timeout=30)
        assert receipt.status_code < 300
        queue(service, event(3))
    wait_until(lambda: is_drained(service), "the log is drained")
    assert look.outcomes() == {"received": 3, "accepted": 1, "forgotten": 2}
    assert look.value("SELECT count(*) FROM events") == 1


def test_kills_lose_nothing(tmp_path: Path) -> None:
    harness = Harness(tmp_path, seed=20261128, ingest="log")
    harness.faults = [harness.kill_service, harness.kill_postmaster]
    try:
        figures = harness.run(lambda figures: sum(figures.faults.values()) >= 2, slack_seconds=4.0)
    finally:
        harness.service.clean_up()
    assert len(figures.account.promised) > 100
    assert set(figures.account.outcomes) == {"queued", "rejected"}
    print(figures.line())
