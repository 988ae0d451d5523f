"""Upkeep inside `serve`: a thread that does what is due, in one process at a time.

Every process has the thread; an advisory lock lets one of them work. Each job commits small transactions and
waits 100 ms for a lock at the most, so that ingestion never waits for it.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog
from prometheus_client import Counter
from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from app.problems import TelemetryError
from app.store.advisory_lock import only_one
from app.store.causes import describe_fault
from app.upkeep.background import UNAVAILABLE_SECONDS, Background

log = structlog.get_logger()

RUNS: Final = Counter(
    "telemetry_job_runs_total",
    "Runs of the regular jobs by name and result, `ok` or `failed`.",
    ("name", "result"),
)

TICK_SECONDS: Final = 15.0
BUSY_SECONDS: Final = 0.5  # how soon to look again when another process has the lock and something waits here
CONNECT: Final = "connect"  # not a job: what /readyz says of the database covers it
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do every `seconds`; `run` gets a connection and the event that asks it to stop."""

    name: str
    seconds: float
    run: Callable[[Connection, threading.Event], object]


class Upkeep(Background):
    """The upkeep of one process."""

    def __init__(self, url: str, jobs: Sequence[Job], recover: Callable[[], None] = lambda: None) -> None:
        """Work on the database at `url`; `recover` may bring it back when it
        cannot be reached. It may block."""
        super().__init__("upkeep", url)
        self.recover = recover
        self.jobs = jobs
        # Spread, so that many processes that were started together do not come together.
        self.due = {job.name: time.monotonic() + random.random() for job in jobs}  # noqa: S311
        self.failures: dict[str, int] = {}  # in a row, by job

    def with_connection(self, work: Callable[[Connection], Result]) -> Result:
        """Return what `work` makes of a connection that may write. Raises sqlalchemy.exc.SQLAlchemyError."""
        with self.engine.connect() as connection:
            return work(connection)

    def wake(self, name: str, after: float = 0.0) -> None:
        """Let a job be due now, or after so many seconds."""
        self.due[name] = time.monotonic() + after
        self.woken.set()

    def run(self) -> None:
        """Do what is due until stopped."""
        while not self.stopping.is_set():
            pause = self.tick() if min(self.due.values()) <= time.monotonic() else 0.0
            self.woken.wait(pause or min(TICK_SECONDS, max(0.0, min(self.due.values()) - time.monotonic())))
            self.woken.clear()

    def tick(self) -> float:
        """Do what is due; return the seconds after which to try again, 0 if all was done."""
        try:
            with self.connected() as connection, only_one(connection, wait=False) as held:
                if held:
                    connection.execute(text("SET lock_timeout = '100ms'"))
                    connection.commit()
                    self.do_due(connection)
                return 0.0 if held else BUSY_SECONDS
        except SQLAlchemyError as error:
            self.failed(CONNECT, error)
            self.bring_back()
            return UNAVAILABLE_SECONDS

    def bring_back(self) -> None:
        """Try to bring the database back: without events nobody else would notice that it is gone."""
        if self.stopping.is_set():
            return
        try:
            self.recover()
        except TelemetryError as error:
            log.warning("database_not_brought_back", error=type(error).__name__)

    def do_due(self, connection: Connection) -> None:
        """Do the jobs that are due; one that fails is tried again at its next time."""
        for job in self.jobs:
            if self.due[job.name] > time.monotonic() or self.stopping.is_set():
                continue
            self.due[job.name] = time.monotonic() + job.seconds
            try:
                job.run(connection, self.stopping)
                RUNS.labels(job.name, "ok").inc()
                self.failures.pop(job.name, None)
            except SQLAlchemyError as error:
                self.failed(job.name, error)
                if connection.invalidated:
                    return
                connection.rollback()

    def failing(self) -> list[str]:
        """Return the jobs that failed twice in a row or more often, in this process."""
        return sorted(name for name, times in list(self.failures.items()) if times > 1 and name != CONNECT)

    def failed(self, name: str, error: SQLAlchemyError) -> None:
        """Say that a job failed; never the message, which may quote a row."""
        if not self.stopping.is_set():
            RUNS.labels(name, "failed").inc()
            self.failures[name] = self.failures.get(name, 0) + 1
            log.warning("upkeep_failed", job=name, **describe_fault(error))
