"""Strangers' versions: a few new ones a day, whoever sends how many; those that a list names always."""

import json
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from app.contract.vocabulary import shipped_versions
from app.privacy.budget import A_SENDER, A_SUBJECT
from tests.conftest import Service, ServiceFactory
from tests.look import Look, wait_until
from tests.samples import basic, clean_event, spoil

KNOWN = "0.71.3"  # the release ships it
VERSIONS = "SELECT count(*) FROM words WHERE subject NOT IN ('route', 'environment', 'pair')"


@pytest.fixture
def service(make_service: ServiceFactory, database_url: str) -> Service:
    """One that has met no word yet, and takes its time."""
    return make_service({"TELEMETRY_DEADLINE_MS": "10000"})


def event_of(
    number: int, version: str, name: str = "source-faker", user: int | None = None
) -> dict[str, Any]:
    """A sync of a user's own, with a version of the source."""
    session = f"01M8322HVQJ1FKNYHW4{number:07d}"
    event = clean_event(session_id=session, version=KNOWN, source={"name": name, "version": version})
    user_id = f"01M831Y67Z4Z89BH0DG{number if user is None else user:07d}"
    return event | {"messageId": f"m-{number}", "anonymousId": user_id}


def post(client: httpx.Client, events: list[dict[str, Any]], key: str | None = None) -> None:
    headers = {} if key is None else basic(key)
    for start in range(0, len(events), 500):
        reply = client.post("/v1/batch", json={"batch": events[start : start + 500]}, headers=headers)
        assert {result["outcome"] for result in reply.json()["results"]} == {"accepted"}


def versions(look: Look, name: str = "source-faker") -> dict[str, int]:
    rows = look.rows(
        "SELECT source_version, count(*) FROM events WHERE source_name = :name GROUP BY 1", name=name
    )
    return {version: int(count) for version, count in rows}


def test_few_new_versions_of_a_connector_come_in(client: httpx.Client, look: Look) -> None:
    post(client, [event_of(n, f"1.{n}.0") for n in range(40)])
    found = versions(look)
    assert found.pop("other") == 40 - A_SUBJECT
    assert found == {f"1.{n}.0": 1 for n in range(A_SUBJECT)}
    post(client, [event_of(100 + n, f"1.{n}.0") for n in range(40)])
    assert versions(look) == {**{f"1.{n}.0": 2 for n in range(A_SUBJECT)}, "other": 2 * (40 - A_SUBJECT)}
    post(client, [event_of(200, "1.39.0", "source-github")])  # another connector's are its own
    assert versions(look, "source-github") == {"1.39.0": 1}


def test_a_sender_brings_two(client: httpx.Client, look: Look) -> None:
    names = ("source-faker", "source-github", "source-file", "source-s3")
    post(client, [event_of(n, "1.0.0", name, user=1) for n, name in enumerate(names)])
    rows = look.rows("SELECT source_version = 'other', count(*) FROM events GROUP BY 1 ORDER BY 1")
    assert rows == [(False, A_SENDER), (True, len(names) - A_SENDER)]


def test_what_did_not_come_in_is_counted_in_data_quality(
    client: httpx.Client, look: Look, service: Service
) -> None:
    post(client, [event_of(n, f"1.{n}.0") for n in range(A_SUBJECT + 3)])
    event = clean_event(version="0.71.99", source={"name": "source-faker", "version": "7.7.7"})
    post(client, [event | {"messageId": "both", "anonymousId": "01M831Y67Z4Z89BH0DG9999999"}])
    assert look.rows("SELECT kind, reason, sum(count) FROM tallies GROUP BY 1, 2") == [
        ("new_word", "properties.source.version", A_SUBJECT - 1)
    ]
    headers = {"Authorization": f"Bearer {service.report_token}"}
    rows = httpx.get(f"{service.url}/v1/reports/data-quality", headers=headers).json()["rows"]
    reported = [row for row in rows if row["section"] == "new_word"]
    assert [(row["item"], row["count"]) for row in reported] == [("properties.source.version", A_SUBJECT - 1)]


def test_refused_events_bring_no_more(client: httpx.Client, look: Look) -> None:
    for n in range(A_SUBJECT + 4):
        refused = spoil("properties.application_hash", "main.py", event_of(n, f"1.{n}.0"))
        assert client.post("/v1/track", json=refused).status_code == 422
    rows = look.rows("SELECT count(*) FROM rejections WHERE source_version = 'other'")
    assert rows == [(4,)]


def test_all_processes_see_what_is_spent(make_service: ServiceFactory, bare: Look) -> None:
    services = [make_service({"TELEMETRY_DEADLINE_MS": "10000"}) for _ in range(2)]
    with (
        httpx.Client(base_url=services[0].url, headers=basic(services[0].write_key), timeout=30) as one,
        httpx.Client(base_url=services[1].url, headers=basic(services[1].write_key), timeout=30) as other,
    ):
        post(one, [event_of(n, f"1.{n}.0") for n in range(3)])
        post(other, [event_of(10 + n, f"2.{n}.0") for n in range(4)])
        post(one, [event_of(20 + n, f"2.{n}.0") for n in range(4)])
    assert versions(bare) == {"1.0.0": 1, "1.1.0": 1, "1.2.0": 1, "2.0.0": 2, "2.1.0": 2, "other": 4}
    assert bare.value(VERSIONS) == A_SUBJECT


def make_key(service: Service, name: str) -> str:
    done = service.run("keys", "create", name)
    assert done.returncode == 0
    return done.stdout.split()[-1]


def test_two_write_keys_cannot_starve_each_other(client: httpx.Client, look: Look, service: Service) -> None:
    foreign = make_key(service, "foreign")
    post(client, [event_of(n, f"1.{n}.0") for n in range(200)], foreign)
    post(client, [event_of(500 + n, f"2.{n}.0") for n in range(A_SUBJECT)])
    found = versions(look)
    assert [found.get(f"2.{n}.0") for n in range(A_SUBJECT)] == [1] * A_SUBJECT


@pytest.fixture
def registry(tmp_path: Path) -> str:
    file = tmp_path / "registry.json"
    entry = {
        "dockerRepository": "airbyte/source-faker",
        "dockerImageTag": "9.9.9",
        "releases": {"releaseCandidates": {"10.0.0-rc.1": {}}, "breakingChanges": {"8.0.0": {}}},
    }
    file.write_text(json.dumps({"sources": [entry], "destinations": []}))
    return str(file)


def test_with_the_budget_spent_by_a_stranger_todays_release_shows(
    client: httpx.Client, look: Look, service: Service, registry: str, tmp_path: Path
) -> None:
    package = tmp_path / "airbyte.json"
    package.write_text(json.dumps({"info": {"name": "airbyte"}, "releases": {"7.0.0": [], "7.0.1rc1": []}}))
    assert "7.0.0" not in shipped_versions()
    post(client, [event_of(n, f"1.{n}.0") for n in range(50)])
    own = [clean_event(version=f"6.{n}.0") for n in range(50)]
    post(client, [event | {"messageId": f"own-{n}", "anonymousId": None} for n, event in enumerate(own)])
    for file in (registry, str(package)):
        done = service.run("connectors", "refresh", file)
        assert done.returncode == 0, done.stderr

    def arrives(number: int) -> bool:
        event = event_of(1000 + number, "9.9.9")
        event["properties"]["version"] = "7.0.0"
        post(client, [event])
        row = look.rows(
            "SELECT version, source_version FROM events WHERE version = '7.0.0' AND source_version = '9.9.9'"
        )
        return bool(row)

    numbers = iter(range(1000))
    wait_until(lambda: arrives(next(numbers)), "the lists are learned")
    post(client, [event_of(5000 + n, version) for n, version in enumerate(("10.0.0-rc.1", "8.0.0"))])
    assert versions(look)["10.0.0-rc"] == versions(look)["8.0.0"] == 1


def test_many_invented_versions_leave_few_words(client: httpx.Client, look: Look) -> None:
    for start in range(0, 20_000, 1_000):
        post(client, [event_of(n, f"{n // 10_000}.{n % 10_000}.7") for n in range(start, start + 1_000)])
    assert look.value(VERSIONS) == A_SUBJECT
    assert look.value("SELECT count(DISTINCT source_version) FROM events") == A_SUBJECT + 1
    wait_until(lambda: not look.value("SELECT count(*) FROM dirty_sessions"), "all is rolled up")
    assert look.value("SELECT count(*) FROM routes") == A_SUBJECT + 1


def test_a_word_is_asked_for_once(client: httpx.Client, look: Look) -> None:
    """What this process knows costs no statement: the row may go, and nobody
    notices until the memory ends."""
    post(client, [event_of(0, "1.0.0")])
    look.run("DELETE FROM words")
    post(client, [event_of(1, "1.0.0")])
    assert look.value(VERSIONS) == 0
    assert versions(look) == {"1.0.0": 2}


def test_while_postgres_is_away_versions_wait_to_be_decided(
    make_service: ServiceFactory, database_url: str, bare: Look
) -> None:
    service = make_service()
    with (
        httpx.Client(base_url=service.url, headers=basic(service.write_key), timeout=30) as client,
        psycopg.connect(database_url.replace("+psycopg", "")) as locked,
    ):
        locked.execute("LOCK TABLE words IN ACCESS EXCLUSIVE MODE")
        events = [event_of(n, f"1.{n}.0") for n in range(20)]
        reply = client.post("/v1/batch", json={"batch": events})
        assert {result["outcome"] for result in reply.json()["results"]} == {"queued"}
        locked.rollback()
        wait_until(lambda: bare.value("SELECT count(*) FROM events") == 20, "the spool is drained")
    found = versions(bare)
    assert found.pop("other") == 20 - A_SUBJECT
    assert len(found) == A_SUBJECT
    assert bare.value("SELECT sum(count) FROM tallies WHERE kind = 'new_word'") == 20 - A_SUBJECT
