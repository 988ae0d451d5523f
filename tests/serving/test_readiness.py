"""`/readyz` says what is wrong although events are taken: `degraded`, status 200, and the name of it."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest

from tests.conftest import Service
from tests.look import Look

# The service looks every 15 seconds; a job that runs as often has to fail twice.
DEADLINE_SECONDS = 120


def wait_for(service: Service, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the first body for which a condition holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        answer = httpx.get(f"{service.url}/readyz", timeout=30)
        assert answer.status_code == 200
        body: dict[str, Any] = answer.json()
        if holds(body):
            return body
        assert time.monotonic() < deadline, body
        time.sleep(0.3)


COUNTS = (
    "INSERT INTO outcomes SELECT date_trunc('hour', now()), gen_random_uuid(), :count, 1, 1, "
    ":outcome, '', now()"
)

# Seen in the same look: what is not said beside it would have been.
QUARANTINE = "INSERT INTO quarantined_sessions VALUES (now(), now(), 1, 1, '22003')"


@pytest.mark.parametrize(("received", "expired", "said"), [(1000, 11, True), (1000, 9, False), (9, 1, False)])
def test_more_than_one_event_in_a_hundred_that_came_too_late(
    service: Service, look: Look, received: int, expired: int, said: bool
) -> None:
    look.run(COUNTS, count=received, outcome="received")
    look.run(COUNTS, count=expired, outcome="expired")
    key = "'00000000000000ff'"
    # Seen in the same look: so what is not said would have been.
    look.run(
        f"INSERT INTO quarantined_sessions VALUES (now(), now(), 1, hashtextextended({key}, 0), '22003')"
    )
    body = wait_for(service, lambda found: "quarantined_sessions" in found["symptoms"])
    assert body["status"] == "degraded"
    assert ("many_expired" in body["symptoms"]) is said
    look.run("DELETE FROM quarantined_sessions")
    look.run("DELETE FROM outcomes")
    wait_for(service, lambda found: found["status"] == "ok")


@pytest.mark.parametrize(("minutes", "said"), [(9, False), (11, True)])
def test_rollups_that_lag_over_ten_minutes(service: Service, look: Look, minutes: int, said: bool) -> None:
    with psycopg.connect(service.database_url.replace("+psycopg", "")) as worker:
        worker.execute(
            "SELECT FROM rollup_buckets FOR UPDATE"
        )  # it has claimed everything and does not get on
        look.run(
            "INSERT INTO dirty_sessions (received_at, occurred_at, bucket, session_key)"
            f" VALUES (now() - interval '{minutes} minutes', now(), 1, 1)"
        )
        look.run(QUARANTINE)
        body = wait_for(service, lambda found: "quarantined_sessions" in found["symptoms"])
        assert (body["status"], body["database"]) == ("degraded", "ok")
        assert ("rollups_lag" in body["symptoms"]) is said
        look.run("DELETE FROM quarantined_sessions")
    wait_for(service, lambda found: found["status"] == "ok")


def test_a_regular_job_that_failed_twice(service: Service, look: Look) -> None:
    look.run("ALTER TABLE tombstones RENAME TO elsewhere")
    try:
        body = wait_for(service, lambda found: "job_forget" in found["symptoms"])
        assert (body["status"], body["database"]) == ("degraded", "ok")
        reported = httpx.get(f"{service.url}/metrics", timeout=30).text
        assert 'telemetry_job_runs_total{name="forget",result="failed"}' in reported
    finally:
        look.run("ALTER TABLE elsewhere RENAME TO tombstones")
    wait_for(service, lambda found: found["status"] == "ok")
