"""The service with its own Postgres: every way to end it leaves nothing running, and loses nothing."""

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.conftest import Service, ServiceFactory
from tests.postgres.processes import (
    find_keeper,
    find_postmaster,
    find_server_processes,
    kill_all,
    wait_until,
    wait_until_gone,
)
from tests.samples import basic, clean_event

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")


def send(service: Service, number: int) -> bool:
    """Send an event that is the same every time; whether it was answered 200."""
    event = clean_event(number_of_records=number) | {"messageId": f"event-{number}"}
    try:
        reply = httpx.post(
            f"{service.url}/v1/track", json=event, headers=basic(service.write_key), timeout=30
        )
    except httpx.TransportError:
        return False
    return reply.status_code == 200


def is_stored(service: Service, number: int) -> bool:
    """Whether the service recognises the event as one that it has."""
    event = clean_event(number_of_records=number) | {"messageId": f"event-{number}"}
    reply = httpx.post(f"{service.url}/v1/track", json=event, headers=basic(service.write_key), timeout=30)
    return bool(reply.json().get("outcome") == "duplicate")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_stopping_in_order_stops_postgres_first(make_service: ServiceFactory, workers: str) -> None:
    service = make_service({"TELEMETRY_WORKERS": workers}, embed=True)
    assert send(service, 1)
    assert service.stop() == 0
    assert not find_server_processes(service.data_dir)
    service.start()
    wait_until(partial(is_stored, service, 1), "Postgres has what was answered 200")
    os.killpg(service.process.pid, signal.SIGINT)  # Ctrl-C goes to the whole group in the foreground
    service.process.wait(60)
    assert not find_server_processes(service.data_dir)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_killed_service_leaves_no_orphan_and_loses_nothing(
    make_service: ServiceFactory, workers: str
) -> None:
    service = make_service({"TELEMETRY_WORKERS": workers}, embed=True)
    assert send(service, 1)
    service.kill()
    wait_until_gone(service.data_dir)
    service.start()
    # A commit that is slow is answered `queued`, as the first one may have been: it is there a moment later.
    wait_until(partial(is_stored, service, 1), "Postgres has what was answered 200")


def test_workers_leave_when_their_parent_is_killed(make_service: ServiceFactory) -> None:
    service = make_service({"TELEMETRY_WORKERS": "2"}, embed=True)
    service.process.kill()
    service.process.wait()
    wait_until_gone(service.data_dir)
    wait_until(lambda: not service.is_healthy(), "no worker answers")


@pytest.mark.parametrize("find", [find_postmaster, find_keeper], ids=["postmaster", "keeper"])
def test_service_brings_its_postgres_back(make_service: ServiceFactory, find: Callable[[Path], int]) -> None:
    service = make_service(embed=True)
    assert send(service, 1)
    kill_all([find(service.data_dir)])
    wait_until(lambda: send(service, 2), "the service takes events again")
    for number in (1, 2):
        wait_until(partial(is_stored, service, number), "Postgres has what was answered 200")


def test_postgres_comes_back_though_no_event_comes(make_service: ServiceFactory) -> None:
    """Reports need it, too, and nobody but the regular jobs would notice."""
    service = make_service(embed=True)
    killed = set(find_server_processes(service.data_dir))
    kill_all(killed)
    wait_until(lambda: bool({*find_server_processes(service.data_dir)} - killed), "Postgres is started again")


def test_other_commands_use_the_running_server(make_service: ServiceFactory) -> None:
    service = make_service(embed=True)
    postmaster = find_postmaster(service.data_dir)
    listed = service.run("keys", "list")
    assert listed.returncode == 0, listed.stderr
    assert find_postmaster(service.data_dir) == postmaster
