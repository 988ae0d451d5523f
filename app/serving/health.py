"""`/healthz`: the process answers. `/readyz`: events can be made durable, in Postgres or on the way."""

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from fastapi import APIRouter, Response
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from app.serving import symptoms
from app.store import nodes, partitions
from app.store.causes import Cause, cause_of

ANSWER_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 15.0
NODES_SECONDS: Final = 60.0  # each node of a cluster is asked, and for the sizes of all shards


def check_database(engine: Engine, head: str) -> str:
    """Return `ok`, `schema_outdated`, `schema_newer`, `partition_missing`, or the cause
    for which it cannot be used."""
    try:
        with engine.connect() as connection:
            revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            present = partitions.existing(connection)
    except SQLAlchemyError as error:
        return cause_of(error)
    if revision != head:
        return "schema_newer" if str(revision) > head else "schema_outdated"
    next_week = partitions.monday(dt.datetime.now(dt.UTC) + partitions.WEEK)
    return "ok" if f"events_p{next_week:%Y%m%d}" in present else "partition_missing"


class Condition(NamedTuple):
    """The state of the database, and what is wrong although it answers."""

    database: str
    symptoms: Sequence[str] = ()


class Probe:
    """Asks for the condition of the database, one question at a time, and waits a
    bounded time for the answer."""

    def __init__(self, engine: Engine, head: str) -> None:
        """Ask over `engine`; the schema should be at revision `head`."""
        self.engine = engine
        self.head = head
        self.asking: asyncio.Task[Condition] | None = None
        self.symptoms: list[str] = []
        self.next_look = 0.0
        self.looking: asyncio.Task[list[str]] | None = None  # at the nodes of a cluster
        self.of_nodes: list[str] = []
        self.next_nodes = 0.0

    async def ask(self) -> Condition:
        """Return the condition of the database, `timeout` if it does not answer."""
        if self.asking is None or self.asking.done():
            self.asking = asyncio.create_task(asyncio.to_thread(self.check))
        asking = self.asking  # whoever asks meanwhile may put another one in its place
        done, _ = await asyncio.wait({asking}, timeout=ANSWER_SECONDS)
        condition = asking.result() if done else Condition(Cause.TIMEOUT)
        return condition._replace(symptoms=[*condition.symptoms, *self.look_at_nodes()])

    def look_at_nodes(self) -> list[str]:
        """Return what was wrong with the nodes of a cluster at the last look; nobody waits for the next."""
        if self.looking is not None and self.looking.done():
            self.of_nodes, self.looking = self.looking.result(), None
        if self.looking is None and time.monotonic() >= self.next_nodes:
            self.next_nodes = time.monotonic() + NODES_SECONDS
            self.looking = asyncio.create_task(asyncio.to_thread(self.ask_nodes))
        return self.of_nodes

    def ask_nodes(self) -> list[str]:
        """Return what is wrong with the nodes of a cluster, in a thread; nothing if nobody can tell."""
        try:
            with self.engine.connect() as connection:
                seen = nodes.look(connection)
        except SQLAlchemyError:
            return []
        return [] if seen is None else seen.list_symptoms()

    def check(self) -> Condition:
        """Return the condition; symptoms are those of the last look, at most 15 seconds ago."""
        state = check_database(self.engine, self.head)
        if state == "ok" and time.monotonic() >= self.next_look:
            try:
                with self.engine.connect() as connection:
                    self.symptoms = symptoms.look(connection)
            except SQLAlchemyError as error:
                return Condition(cause_of(error))
            self.next_look = time.monotonic() + LOOK_SECONDS
        return Condition(state, self.symptoms)


class Ways(NamedTuple):
    """The ways of events to Postgres, as `/readyz` shows them.

    `ingest` is the setting. `spool` has `in_use` (Postgres does not take batches, or just failed to),
    `writable` and what waits. `log`, the same without `in_use`, stands before the spool; None: there is none.
    """

    ingest: str
    spool: dict[str, Any]
    log: dict[str, Any] | None = None

    def show(self) -> dict[str, Any]:
        """Return what the body has of them."""
        shown = {"ingest": self.ingest, "spool": self.spool}
        return shown if self.log is None else {**shown, "log": self.log}

    def is_open(self, database: str) -> bool:
        """Return whether events can be made durable."""
        if self.ingest == "log":
            return bool(self.spool["writable"] or (self.log or {}).get("writable"))
        takes = database in ("ok", "partition_missing") and not self.spool["in_use"]
        return bool(takes or self.spool["writable"])

    def is_healthy(self) -> bool:
        """Return whether nothing waits where nothing should, and everything could."""
        spool, log = self.spool, self.log
        if spool["in_use"] or spool["corrupt"] or spool["quarantined"] or not spool["writable"]:
            return False
        if self.ingest == "log" and log is None:
            return True
        # Behind a log the spool is what it is to Postgres in direct mode: a stand-in.
        waits = spool["entries"] or spool["others"]["entries"]
        return not waits and (log is None or bool(log["writable"]))

    def lag_seconds(self) -> float:
        """Return the age of the oldest batch that waits."""
        ages = [each["age_seconds"] for each in (self.spool, self.spool["others"], self.log) if each]
        return float(max(ages))


def list_symptoms(ways: Ways) -> list[str]:
    """Return `log_lag` if in log mode a batch has waited for over ten minutes."""
    is_late = ways.ingest == "log" and ways.lag_seconds() > symptoms.LAG.total_seconds()
    return ["log_lag"] if is_late else []


def create_router(
    engine: Engine, head: str, describe_ways: Callable[[], Ways], failing_jobs: Callable[[], Sequence[str]]
) -> APIRouter:
    """Return the health endpoints of a service on a database at Alembic revision `head`.

    `failing_jobs` answers with the names of upkeep jobs that failed twice in a row.
    """
    router = APIRouter(tags=["operations"])
    probe = Probe(engine, head)

    @router.get("/healthz", summary="The process answers")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get(
        "/readyz",
        summary="Events can be made durable",
        description="200 `ok` or `degraded` while they can, in Postgres, in a log or in the spool: an outage "
        "of Postgres must not take every instance out of rotation. 503 only when nothing takes them.",
        responses={503: {"description": "Neither Postgres nor the spool takes events"}},
    )
    async def readyz(response: Response) -> dict[str, Any]:
        (database, found), ways = await probe.ask(), describe_ways()
        wrong = [*found, *list_symptoms(ways), *(f"job_{name}" for name in failing_jobs())]
        healthy = database == "ok" and ways.is_healthy() and not wrong
        status = "ok" if healthy else "degraded" if ways.is_open(database) else "unavailable"
        if status == "unavailable":
            response.status_code = 503
            response.headers["Retry-After"] = "5"
        return {"status": status, "database": database, "symptoms": wrong, "revision": head, **ways.show()}

    return router
