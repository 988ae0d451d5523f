"""Several workers: what a dead one had waiting is counted with whoever has it now,
and not again with the dead."""

import os
import re
import signal
from pathlib import Path

import httpx

from tests.conftest import Service, ServiceFactory
from tests.faults.ledger import wait_until
from tests.samples import basic, clean_event
from tests.siege.test_rows import NOBODY

EVENTS = 12


def list_workers(service: Service) -> list[int]:
    """Return the worker processes."""
    pid = service.process.pid
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def count_waiting(service: Service) -> int:
    """Return how many batches wait in all spools, as `/metrics` has it."""
    reported = httpx.get(f"{service.url}/metrics", timeout=30).text
    [number] = re.findall(r"^telemetry_spool_batches (\S+)$", reported, re.MULTILINE)
    return int(float(number))


def test_gauges_of_dead_workers_leave(make_service: ServiceFactory) -> None:
    service = make_service({"TELEMETRY_WORKERS": "2", "TELEMETRY_DATABASE_URL": NOBODY})
    wait_until(lambda: len(list_workers(service)) == 2, "both workers")
    for number in range(EVENTS):
        answer = httpx.post(
            f"{service.url}/v1/track",
            json=clean_event(number_of_records=number),
            headers=basic(service.write_key),
            timeout=30,
        )
        assert answer.json()["outcome"] == "queued"
    wait_until(lambda: count_waiting(service) == EVENTS, "all wait")
    for worker in list_workers(service):
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: worker not in list_workers(service), "it is gone")  # noqa: B023 -- called at once
        wait_until(lambda: len(list_workers(service)) == 2, "another worker")
    wait_until(lambda: "spool_adopted" in service.output(), "somebody has what they had")
    wait_until(lambda: count_waiting(service) == EVENTS, "all wait, once")
