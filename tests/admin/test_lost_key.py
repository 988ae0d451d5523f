"""The hash key is lost for good: the service says so, and one command goes on without
what only that key could find."""

import datetime as dt

import httpx

from tests.conftest import ServiceFactory
from tests.look import Look, wait_until
from tests.samples import basic, clean_event

ANOTHER = "another-key-of-thirty-two-or-more-characters"
USERS = [f"01M831Y67Z4Z89BH0DGHDMT1{number:02d}" for number in range(10, 22)]


def test_the_service_goes_on_under_a_new_key(make_service: ServiceFactory, bare: Look) -> None:
    service = make_service()
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    batch = [{**clean_event(), "anonymousId": user, "timestamp": yesterday.isoformat()} for user in USERS]
    sent = httpx.post(
        f"{service.url}/v1/import", json={"batch": batch}, headers=basic(service.write_key), timeout=60
    )
    assert sent.status_code == 200, sent.text
    httpx.post(f"{service.url}/v1/forget", json={"anonymousId": USERS[0]}, timeout=60)
    wait_until(
        lambda: bare.value("SELECT count(DISTINCT unit) FROM unit_days") == len(USERS) - 1,
        "nothing is rolled up",
    )
    # Only settled users are kept as figures of a day.
    early = (yesterday - dt.timedelta(days=8)).replace(minute=0, second=0, microsecond=0)
    bare.run("UPDATE units SET first_hour = :early", early=early)
    right = service.run("keys", "replace-lost-hash", "--yes")
    assert (right.returncode, right.stdout) == (1, "")
    service.stop()
    service.environment |= {"TELEMETRY_HASH_KEY": ANOTHER, "COLUMNS": "250"}
    refused = service.run("serve")
    assert refused.returncode == 1
    assert "keys replace-lost-hash" in refused.stderr
    assert "keys replace-lost-hash" in service.run("doctor").stdout
    asked = service.run("keys", "replace-lost-hash")
    assert (asked.returncode, bare.value("SELECT count(*) FROM events")) == (1, len(USERS) - 1)
    assert "--yes" in asked.stderr
    done = service.run("keys", "replace-lost-hash", "--yes")
    assert done.returncode == 0, done.stderr
    tables = (
        *("events", "rejections", "attempts", "unit_days", "units", "tombstones", "write_keys"),
        "dirty_sessions",
    )
    assert {name: bare.value(f"SELECT count(*) FROM {name}") for name in tables} == dict.fromkeys(tables, 0)
    assert bare.value("SELECT sum(count) FROM outcomes WHERE outcome = 'accepted'") == len(USERS)
    busy = bare.rows("SELECT DISTINCT connector, units FROM connector_days")
    assert ("source-faker", len(USERS) - 1) in busy
    assert not (service.data_dir / "tombstones").exists()
    service.start()
    again = httpx.post(
        f"{service.url}/v1/track", json=clean_event(), headers=basic(service.write_key), timeout=60
    )
    assert again.json()["outcome"] == "accepted"
