"""Combinations of known words: a stranger makes so many rows of `routes` and `environments` a day and no
more, and an honest event between his is stored in its own words."""

import json
from itertools import islice, product
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.contract.vocabulary import shipped_connectors
from app.privacy.budget import COMBINATIONS, ENVIRONMENT, PAIR, ROUTE
from tests.conftest import Service, ServiceFactory
from tests.look import Look, wait_until
from tests.samples import clean_event, spoil

SOURCES = sorted(name for name in shipped_connectors() if name.startswith("source-"))
DESTINATIONS = sorted(name for name in shipped_connectors() if name.startswith("destination-"))
INVENTED = 8_000  # more than the shares of routes and of pairs together
PYTHONS = [f"3.{minor}.{micro} (CPython)" for minor in range(7, 21) for micro in range(30)]
NOTEBOOKS = [None, "GOOGLE_COLAB", "JUPYTER", "VS_CODE"]
EXECUTORS = ["VenvExecutor", "PathExecutor", "DockerExecutor", "DeclarativeExecutor", "NoOpExecutor"]
COLUMNS = """
    version, python_version, os, ci, notebook_runtime, source_executor_type, source_name, source_version,
    destination_name, destination_version, cache_type
"""


@pytest.fixture
def service(make_service: ServiceFactory, database_url: str) -> Service:
    """One that has met no word yet, and takes its time."""
    return make_service({"TELEMETRY_DEADLINE_MS": "10000"})


def event_of(number: int, **properties: Any) -> dict[str, Any]:
    """A sync of a user's own."""
    event = clean_event(session_id=f"01M8322HVQJ1FKNYHW4{number:07d}", **properties)
    return event | {"messageId": f"m-{number}", "anonymousId": f"01M831Y67Z4Z89BH0DG{number:07d}"}


def invented(first: int, count: int) -> list[dict[str, Any]]:
    """Events of whose routes and environments no two are alike."""
    ways = product(DESTINATIONS, SOURCES)
    places = product(EXECUTORS, NOTEBOOKS, PYTHONS)
    events = []
    chosen = islice(zip(ways, places, strict=False), first, first + count)
    for number, ((destination, source), (executor, notebook, python)) in enumerate(chosen, first):
        events.append(
            event_of(
                1_000_000 + number,
                python_version=python,
                flags={"NOTEBOOK_RUNTIME": notebook, "CI": True},
                source={"name": source, "executor_type": executor},
                destination={"name": destination, "executor_type": "VenvExecutor"},
                cache={"type": "DuckDBCache"},
            )
        )
    return events


def post(client: httpx.Client, events: list[dict[str, Any]]) -> None:
    for start in range(0, len(events), 500):
        reply = client.post("/v1/batch", json={"batch": events[start : start + 500]})
        assert {result["outcome"] for result in reply.json()["results"]} == {"accepted"}


def stored(look: Look, number: int) -> tuple[Any, ...]:
    """The words of the last event of a user's session."""
    query = f"SELECT {COLUMNS} FROM events ORDER BY received_at DESC, message_key LIMIT {number}"
    return look.rows(query)[-1]


def reported(look: Look) -> dict[str, int]:
    rows = look.rows("SELECT reason, sum(count) FROM tallies WHERE kind = 'new_word' GROUP BY 1")
    return {reason: int(count) for reason, count in rows}


def honest(number: int) -> dict[str, Any]:
    """What thousands send: the sample, from a machine that is no CI."""
    return event_of(number)


@pytest.fixture
def registry(tmp_path: Path) -> list[str]:
    """Today's releases of a connector and of PyAirbyte, as their lists say."""
    entry = {"dockerRepository": "airbyte/source-faker", "dockerImageTag": "9.9.9"}
    file, package = tmp_path / "registry.json", tmp_path / "airbyte.json"
    file.write_text(json.dumps({"sources": [entry], "destinations": []}))
    package.write_text(json.dumps({"info": {"name": "airbyte"}, "releases": {"7.0.0": []}}))
    return [str(file), str(package)]


def test_a_stranger_makes_so_many_rows_and_no_more(
    client: httpx.Client, look: Look, service: Service, registry: list[str]
) -> None:
    post(client, [honest(1)])
    own = stored(look, 1)
    assert own == (
        *("0.71.3", "3.11.7 (CPython)", "Linux", None, None, "VenvExecutor", "source-faker", "7.2.1"),
        *(None, None, "DuckDBCache"),
    )
    for first in range(0, INVENTED, 2_000):
        post(client, invented(first, 2_000))
        post(client, [honest(2 + first)])
        assert stored(look, 1) == own
    wait_until(lambda: not look.value("SELECT count(*) FROM dirty_sessions"), "all is rolled up")
    routes, environments = (look.value(f"SELECT count(*) FROM {name}") for name in ("routes", "environments"))
    assert routes <= COMBINATIONS[ROUTE] + COMBINATIONS[PAIR] + len(SOURCES)
    assert environments <= COMBINATIONS[ENVIRONMENT] + 1  # one that is left of all others
    # The honest ones brought one of each.
    assert reported(look) == {
        ROUTE: INVENTED - COMBINATIONS[ROUTE] + 1,
        PAIR: INVENTED - COMBINATIONS[ROUTE] + 1 - COMBINATIONS[PAIR],
        ENVIRONMENT: INVENTED - COMBINATIONS[ENVIRONMENT] + 1,
    }
    check_what_is_kept(look)
    check_that_todays_release_shows(client, look, service, registry)


def check_what_is_kept(look: Look) -> None:
    """PyAirbyte's version, CI, the source and the lane of every event."""
    assert look.value("SELECT count(*) FROM events WHERE ci AND version = '0.71.3'") == INVENTED
    assert look.value("SELECT count(DISTINCT source_name) FROM events WHERE ci") == len(SOURCES)
    assert look.value("SELECT count(*) FROM events WHERE ci AND destination_name IS NULL") == 0
    assert look.rows("SELECT DISTINCT lane FROM routes WHERE source_name <> 'source-faker'") == [("write",)]
    assert look.value("SELECT sum(succeeded) FROM unit_days") == look.value("SELECT count(*) FROM events")


def check_that_todays_release_shows(
    client: httpx.Client, look: Look, service: Service, registry: list[str]
) -> None:
    """With all of it spent, in a combination that nobody has met."""
    for file in registry:
        done = service.run("connectors", "refresh", file)
        assert done.returncode == 0, done.stderr
    numbers = iter(range(5_000_000, 5_001_000))
    new = {"version": "7.0.0", "source": {"name": "source-faker", "version": "9.9.9"}}

    def arrives() -> bool:
        post(client, [event_of(next(numbers), **new, cache={"type": "SnowflakeCache"})])
        return stored(look, 1) == (
            *("7.0.0", None, "", None, None, None, "source-faker", "9.9.9", None, None, "custom"),
        )

    wait_until(arrives, "the lists are learned")


def test_the_ledger_makes_no_more_rows_and_keeps_its_shape(client: httpx.Client, look: Look) -> None:
    """A refused event is counted as what it was, however little of its words there was room for."""
    look.run(
        """
        INSERT INTO words (subject, word, first_day, last_day, write_key, slot)
        SELECT subject, to_hex(n), today, today, 1, 5
        FROM (SELECT CAST(now() AT TIME ZONE 'UTC' AS date) AS today) AS d, generate_series(1, 3000) AS n,
            unnest(ARRAY['route', 'environment', 'pair']) AS subject
        """
    )
    event = event_of(
        1, destination={"name": "destination-postgres", "executor_type": "VenvExecutor", "version": "1.0.0"}
    )
    refused = spoil("properties.source.name", "jane@example.com", event)
    assert client.post("/v1/track", json=refused).status_code == 422
    assert look.rows(f"SELECT {COLUMNS} FROM rejections") == [
        (
            *("0.71.3", None, "", None, None, "unknown", None, "other"),
            *("destination-postgres", "other", "custom"),
        )
    ]
    wait_until(lambda: look.value("SELECT count(*) FROM unit_days") == 1, "it is rolled up")
    route = "SELECT event, lane, source_name, destination_name, cache_type FROM routes"
    assert look.rows(route) == [("sync", "write", "unknown", "destination-postgres", "custom")]
    assert look.value("SELECT from_ledger FROM unit_days WHERE succeeded = 1") == 1
