"""The demo against the real service: what it sends is what is stored, and what is broken comes out on top."""

import datetime as dt
import json
import os
from collections import Counter
from random import Random

import psycopg
import pytest

from app.contract.vocabulary import shipped_connectors
from app.demo import catalog, publish
from app.demo.fleet import FleetEvent, generate_events, list_versions
from app.demo.send import Summary, Target, send_events
from app.store.database import open_admin_engine
from tests.conftest import Service, ServiceFactory
from tests.faults.ledger import is_rolled_up, wait_until

NOW = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def service(make_service: ServiceFactory) -> Service:
    """A service that a busy machine does not drive to its spool: every event is stored
    by the time it is answered."""
    return make_service({"TELEMETRY_DEADLINE_MS": "30000"})


def make_fleet(users: int = 250, days: int = 14) -> list[FleetEvent]:
    return list(generate_events(shipped_connectors(), users=users, days=days, seed=7, until=NOW.timestamp()))


def count(database_url: str, query: str) -> dict[str, int]:
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        return {str(name): int(number) for name, number in connection.execute(query.encode())}


async def send(service: Service, events: list[FleetEvent]) -> Summary:
    versions = list_versions(shipped_connectors(), days=14, seed=7, until=NOW.timestamp())
    with open_admin_engine(service.database_url).connect() as connection:
        publish.bring_versions(connection, versions)
    return await send_events(events, Target(service.url, service.write_key))


async def test_service_stores_what_the_fleet_sent(service: Service) -> None:
    fleet = make_fleet()
    expected: Counter[str] = Counter(event.outcome for event in fleet)
    assert min(expected.values()) > 0

    summary = await send(service, fleet)

    assert summary.outcomes == expected
    assert summary.unexpected == 0
    assert summary.withheld == Counter(path for event in fleet for path in event.withheld)
    stored = count(
        service.database_url,
        "SELECT 'events', count(*) FROM events UNION ALL SELECT 'rejections', count(*) FROM rejections",
    )
    assert stored == {"events": expected["accepted"], "rejections": expected["rejected"]}
    outcomes = count(service.database_url, "SELECT outcome, sum(count) FROM outcomes GROUP BY outcome")
    assert outcomes == {"received": len(fleet)} | expected


async def test_events_reach_their_own_weeks_and_wrong_clocks_are_corrected(service: Service) -> None:
    fleet = make_fleet(users=400)
    await send(service, fleet)
    skewed = sum(event.route == "batch" and event.outcome == "accepted" for event in fleet)
    assert skewed > 0
    corrected = count(
        service.database_url,
        "SELECT (abs(extract(epoch FROM corrected_at - occurred_at)) > 3300)::text, count(*)"
        " FROM events WHERE corrected_at IS NOT NULL GROUP BY 1",
    )
    assert corrected == {"true": skewed}
    late = count(service.database_url, "SELECT 'default', count(*) FROM events_default")
    assert late["default"] <= skewed  # a clock days ahead may be past the last partition


async def test_the_same_fleet_again_is_all_duplicates(service: Service) -> None:
    fleet = make_fleet(users=60, days=7)
    first = await send(service, fleet)
    second = await send(service, fleet)
    assert second.outcomes["duplicate"] == first.outcomes["accepted"] + first.outcomes["duplicate"]
    assert second.outcomes["accepted"] == 0
    assert second.unexpected == 0


def test_demo_finds_the_running_service_and_what_is_broken_comes_out_on_top(service: Service) -> None:
    done = service.run("demo", "--users", "1000", "--days", "28", "--until", f"{NOW:%Y-%m-%dT%H}")
    assert done.returncode == 0, done.stderr
    assert "accepted" in done.stdout
    assert "not the outcome" not in done.stdout

    wait_until(lambda: is_rolled_up(service.database_url), "everything is rolled up")
    report = service.run("report", "connectors", "--format", "json", "--until", f"{NOW:%Y-%m-%d}")
    rows = json.loads(report.stdout)["rows"]
    assert len(rows) > 100
    top = [row["connector"] for row in rows[:10]]
    # The same draw that the fleet begins with: the first thing that its generator
    # decides is which are broken.
    sources = catalog.list_sources(Random("fleet 7"), shipped_connectors(), NOW.timestamp())
    broken = {source.name for source in sources if source.releases[-1].failure_rate >= 0.15}
    assert len(broken.intersection(top)) >= 5, top


def test_demo_runs_a_service_of_its_own_when_none_runs(make_service: ServiceFactory) -> None:
    service = make_service()
    service.stop()
    done = service.run("demo", "--users", "20", "--days", "3")
    assert done.returncode == 0, done.stderr
    stored = count(service.database_url, "SELECT 'events', count(*) FROM events")
    assert stored["events"] > 0
    assert str(service.port) not in done.stdout
    assert not list_processes(str(service.data_dir))


def list_processes(data_dir: str) -> list[str]:
    """Processes whose environment names the data directory."""
    found = []
    for number in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        try:
            with open(f"/proc/{number}/environ", "rb") as environment:  # noqa: PTH123
                if data_dir.encode() in environment.read():
                    found.append(number)
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--url", "localhost:1"], "--url takes an address"),
        (["--url", "http://127.0.0.1:1"], "Nothing answers at http://127.0.0.1:1"),
    ],
)
def test_demo_says_what_is_wrong_in_one_line(service: Service, arguments: list[str], message: str) -> None:
    done = service.run("demo", "--users", "5", "--days", "1", *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_demo_says_that_the_key_is_unknown(service: Service) -> None:
    done = service.run("demo", "--users", "5", "--days", "1", "--write-key", "nobody-knows-it")
    assert done.returncode == 1
    assert "--write-key" in done.stderr
