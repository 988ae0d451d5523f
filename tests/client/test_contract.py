"""What ties client and service, which never import each other: the same limits, words and counts."""

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pyairbyte_telemetry
import pytest
from pyairbyte_telemetry import (
    ConnectorRuntimeInfo,
    EventState,
    EventType,
    Limits,
    WriterRuntimeInfo,
    one_way_hash,
)
from pyairbyte_telemetry._ids import new_ulid
from sqlalchemy import create_engine, text

from app.contract import limits
from tests.conftest import Service


def rows(service: Service, query: str) -> list[tuple[Any, ...]]:
    engine = create_engine(service.database_url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    return found


def outcomes(service: Service) -> dict[str, int]:
    return {
        str(outcome): int(number)
        for outcome, number in rows(service, "SELECT outcome, sum(count) FROM outcomes GROUP BY 1")
    }


def tallies(service: Service) -> list[tuple[Any, ...]]:
    return rows(service, "SELECT kind, reason, sum(count)::int FROM tallies GROUP BY 1, 2 ORDER BY 1, 2")


SOURCE = ConnectorRuntimeInfo(
    name="source-faker", executor_type="VenvExecutor", version="7.2.1", config_hash=one_way_hash({"count": 1})
)
DESTINATION = ConnectorRuntimeInfo(
    name="destination-duckdb", executor_type="DockerExecutor", version="latest"
)
CACHE = WriterRuntimeInfo(type="DuckDBCache", config_hash=one_way_hash({"path": "x"}))


def send(telemetry: ModuleType, **changes: Any) -> None:
    arguments = {
        "source": SOURCE,
        "destination": None,
        "cache": CACHE,
        "state": EventState.STARTED,
        "event_type": EventType.SYNC,
    }
    telemetry.send_telemetry(**(arguments | changes))


def test_the_clients_limits_are_within_the_services() -> None:
    ours = Limits()
    assert ours.event_bytes < limits.EVENT_BYTES
    assert ours.batch_bytes + 100 < limits.BATCH_BYTES
    assert ours.batch_events <= limits.BATCH_EVENTS


def test_every_kind_of_event_is_accepted_with_nothing_withheld(
    service: Service, telemetry: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "1")
    telemetry.configure(mcp_mode=lambda: True, is_registered=lambda name: name != "source-acme-internal")
    sent = 0
    for state, kind in itertools.product(EventState, EventType):
        send(telemetry, state=state, event_type=kind, destination=DESTINATION)
        send(
            telemetry, state=state, event_type=kind, source=None, destination=DESTINATION, number_of_records=7
        )
        send(telemetry, state=state, event_type=kind, cache=None, exception=ValueError("jane@example.com"))
        send(
            telemetry, state=state, event_type=kind, source=ConnectorRuntimeInfo(name="source-acme-internal")
        )
        send(telemetry, state=state, event_type=kind, source=ConnectorRuntimeInfo(name="unknown"))
        sent += 5
    assert telemetry.flush(30)
    assert outcomes(service) == {"received": sent, "accepted": sent}
    assert tallies(service) == []
    names = {name for (name,) in rows(service, "SELECT DISTINCT source_name FROM events")}
    assert names == {"source-faker", "custom", "unknown", None}
    flags = rows(service, "SELECT DISTINCT ci, mcp, langchain FROM events")
    assert flags == [(True, True, None)]
    assert telemetry.statistics()["accepted"] == sent


def test_an_id_of_the_users_own_is_a_legal_one(
    service: Service, telemetry: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRBYTE_ANALYTICS_ID", "jane@example.com")
    send(telemetry)
    assert telemetry.flush(30)
    assert tallies(service) == []
    assert rows(service, "SELECT anonymous_id IS NOT NULL FROM events") == [(True,)]


def test_one_event_goes_to_track_and_several_to_batch(service: Service, telemetry: ModuleType) -> None:
    send(telemetry)
    assert telemetry.flush(30)
    for _ in range(3):
        send(telemetry)
    assert telemetry.flush(30)
    assert outcomes(service) == {"received": 4, "accepted": 4}


def test_full_batches_of_the_longest_events_are_within_the_limits(
    service: Service, telemetry: ModuleType
) -> None:
    longest = ConnectorRuntimeInfo(
        name="s" * 80, executor_type="E" * 100, version="9" * 40, config_hash=one_way_hash("x")
    )
    for _ in range(1000):
        send(telemetry, source=longest, destination=longest, cache=WriterRuntimeInfo(type="C" * 100))
    assert telemetry.flush(60)
    assert outcomes(service) == {"received": 1000, "accepted": 1000}
    assert telemetry.statistics()["accepted"] == 1000


def test_a_refused_event_is_counted_as_refused(
    service: Service, telemetry: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyairbyte_telemetry, "PYAIRBYTE_SESSION_ID", "no ULID")
    send(telemetry)
    assert telemetry.flush(30)
    for _ in range(3):
        send(telemetry)
    assert telemetry.flush(30)
    assert telemetry.statistics()["refused"] == 4
    assert outcomes(service) == {"received": 4, "rejected": 4}


def test_what_the_client_dropped_reaches_the_service_once(service: Service, telemetry: ModuleType) -> None:
    telemetry.configure(limits=Limits(queue_events=0))
    for _ in range(12):
        send(telemetry)
    telemetry.configure(limits=Limits(linger=0.01))
    for _ in range(2):
        send(telemetry)
        assert telemetry.flush(30)
    assert tallies(service) == [("client_dropped", "", 12)]


def test_a_wrong_key_is_refused_and_nothing_is_stored(
    service: Service, telemetry: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyairbyte_telemetry, "PYAIRBYTE_APP_TRACKING_KEY", "wrong")
    send(telemetry)
    assert telemetry.flush(30)
    assert telemetry.statistics()["refused"] == 1
    assert outcomes(service) == {}


def test_a_service_killed_under_load_loses_nothing_that_is_not_counted(
    service: Service, telemetry: ModuleType
) -> None:
    """Sent = stored + reported or reportable loss, through kill -9 and restarts."""
    telemetry.configure(limits=Limits(linger=0.01, backoff_base=0.2, attempts=30))
    sent = 0
    for _ in range(3):
        for _ in range(150):
            send(telemetry, number_of_records=sent)
            sent += 1
            telemetry.flush(0.002)  # several small batches, some of them in flight when it dies
        service.kill()
        send(telemetry, number_of_records=sent)
        sent += 1
        service.start()
    send(telemetry, number_of_records=sent)
    sent += 1
    assert telemetry.flush(60)
    counts = telemetry.statistics()
    assert counts["accepted"] + counts["duplicate"] + counts["lost"] + counts["dropped"] == sent
    ((stored, distinct),) = rows(service, "SELECT count(*), count(DISTINCT number_of_records) FROM events")
    assert stored == distinct == counts["accepted"] + counts["duplicate"]
    assert counts["lost"] == counts["dropped"] == 0


def wait_for(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def run_client(service: Service, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the client as its user does."""
    inherited = {name: value for name, value in os.environ.items() if name == "PATH"}
    ours = {
        "AIRBYTE_TELEMETRY_URL": service.url,
        "AIRBYTE_TRACKING_KEY": service.write_key,
        "HOME": str(service.folder),
        "PYTHONPATH": str(Path(pyairbyte_telemetry.__file__).parents[1]),
    }
    return subprocess.run(
        [sys.executable, "-m", "pyairbyte_telemetry", *arguments],
        env=inherited | ours | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("chosen", [new_ulid(), "jane@example.com"], ids=["ulid", "of the user's own"])
def test_forget_erases_what_came_and_keeps_out_what_comes(
    service: Service, telemetry: ModuleType, monkeypatch: pytest.MonkeyPatch, chosen: str
) -> None:
    monkeypatch.setenv("AIRBYTE_ANALYTICS_ID", new_ulid())
    send(telemetry)
    assert telemetry.flush(30)
    monkeypatch.setenv("AIRBYTE_ANALYTICS_ID", chosen)
    for _ in range(3):
        send(telemetry)
    assert telemetry.flush(30)
    assert rows(service, "SELECT count(*) FROM events") == [(4,)]

    ended = run_client(service, "forget", AIRBYTE_ANALYTICS_ID=chosen)
    assert (ended.returncode, ended.stderr) == (0, "")
    said, _, reported = ended.stdout.partition("\n")
    assert said.startswith("The service erases everything under this id")
    receipt = json.loads(reported)
    wait_for(lambda: rows(service, "SELECT count(*) FROM events") == [(1,)])
    wait_for(lambda: httpx.get(f"{service.url}{receipt['url']}").json()["status"] == "done")

    send(telemetry)
    assert telemetry.flush(30)
    for _ in range(2):
        send(telemetry)
    assert telemetry.flush(30)
    counts = telemetry.statistics()
    assert (counts["accepted"], counts["forgotten"]) == (4, 3)
    assert outcomes(service) == {"received": 7, "accepted": 4, "forgotten": 3}
    assert rows(service, "SELECT count(*) FROM events") == [(1,)]
