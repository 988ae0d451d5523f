"""The service: one FastAPI app, put together from settings.

The path of an event: `ingest.routes` → `ingest.body` → `privacy.verdict` → `ingest.writer` → `store.events`.
"""

# Size: all that is put together, and the one list of background jobs.
import asyncio
import contextlib
import datetime as dt
import gc
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final

import structlog
from anyio import to_thread
from fastapi import APIRouter, FastAPI
from sqlalchemy.exc import SQLAlchemyError

from app import __version__
from app.admin.registry import Vocabulary
from app.erasure import routes
from app.erasure.sweeps import Sweeps
from app.ingest.circuit import Circuit
from app.ingest.committer import Committer
from app.ingest.drain import Drain
from app.ingest.durable import UnavailableError
from app.ingest.endpoints import count_lost, endpoints
from app.ingest.gate import Gate
from app.ingest.keyring import Keyring
from app.ingest.node_queues import NodeQueues
from app.ingest.openapi import add_reference
from app.ingest.places import Appended, Direct, Place
from app.ingest.routes import IngestContext
from app.ingest.shortcut import TelemetryApp
from app.ingest.spool import Spool
from app.ingest.stream_log import StreamLog, open_stream
from app.ingest.writer import Writer
from app.pages import public as public_pages
from app.pages import routes as pages
from app.pages.entrance import Entrance
from app.pages.session import Session
from app.privacy.verdict import VerdictContext
from app.problems import TelemetryError
from app.public import documents as publication
from app.public import publication as figures
from app.public import routes as public
from app.reports import alerts, cache
from app.reports import routes as reports
from app.reports.readers import Readers
from app.rollups.worker import Worker
from app.serving import health, logs, metrics, server, shared_metrics
from app.settings import Settings, load_settings
from app.store import connectors, keys, migrations, partitions, preparation, replay, secrets, tokens
from app.store.causes import cause_of
from app.store.database import hold, open_engine, open_write_engine
from app.store.events import Batch, Tally
from app.store.journal import Journal
from app.store.lexicon import Lexicon
from app.store.listed import Listed
from app.upkeep import clock, expiry, reindexing, retention, words
from app.upkeep.jobs import Job, Upkeep
from app.web import limits, reference
from app.web.cached import FOR_EVER, Cached, ask
from app.web.peers import Peers, parse_networks
from app.web.prefix import Prefixes
from app.web.problems import add_problems

log = structlog.get_logger()

FORGET: Final = "forget"
# What is the same for whoever asks, and for how many seconds it is.
CACHED: Final = {
    "/healthz": FOR_EVER,
    "/readyz": 0.25,
    "/metrics": 0.25,
    "/v1/schema": 60.0,
    "/openapi.json": FOR_EVER,
    "/privacy": FOR_EVER,
    "/docs": FOR_EVER,
    **{f"/docs/{name}": FOR_EVER for name in reference.KINDS},
    "/v1/public/connectors.json": 5.0,
}
THREADS: Final = 4
PREPARE_SECONDS: Final = 1.0
NOTE_SECONDS: Final = 2.0
REPLAY_SECONDS: Final = 300.0
DRAIN_AT_END_SECONDS: Final = 3.0
# In log mode, between commits of few rows: each costs Postgres as much as a thousand rows do.
LINGER_SECONDS: Final = 1.0
# Of FastAPI: its own documents load scripts from another host; nothing that arrives has a slash at its end.
WITHOUT: Final[Mapping[str, Any]] = {"docs_url": None, "redoc_url": None, "redirect_slashes": False}
YOUNG_OBJECTS: Final = 20_000  # containers made and not freed since the last look for cycles
DESCRIPTION = """Receives PyAirbyte's anonymous usage events, refuses unhashed PII, and reports which
connectors to fix first: the most used ones that fail most often."""


class Service:
    """Everything that a running service holds; made before the event loop, closed with it."""

    def __init__(self, settings: Settings, resources: ExitStack) -> None:  # Size: the parts, in order
        """Hold the database and open the engines; `resources` closes them."""
        self.settings = settings
        held = secrets.resolve(settings)
        self.pseudonyms = held.pseudonyms()
        self.journal = Journal(settings.data_dir, self.pseudonyms)
        self.tombstones_kept = True
        self.readers = Readers(held.report_token, self.pseudonyms, self.load_tokens)
        self.denied = self.pseudonyms.units(settings.denied)
        self.database = resources.enter_context(hold(settings))
        self.engine = open_engine(self.database.url)
        resources.callback(self.engine.dispose)
        self.write_engine = open_write_engine(self.database.url)
        self.keyring = Keyring(
            self.pseudonyms,
            self.load_keys,
            self.note_use,
            settings.data_dir / "write-keys.json",
            settings.extra_write_keys,
        )
        self.listed = Listed()
        folder, quota_bytes = settings.data_dir / "spool", settings.spool_mb * 2**20
        self.nodes = NodeQueues(
            open_write_engine(self.database.url), folder, quota_bytes, lambda: Lexicon(self.listed.words)
        )
        self.committer = Committer(self.write_engine, Circuit(), Lexicon(self.listed.words), self.nodes)
        self.spool = Spool(folder, quota_bytes, self.committer.circuit)
        appends = settings.ingest == "log"
        self.drain = Drain(
            self.spool,
            self.committer,
            self.database.ensure_running,
            self.settle_write_keys,
            LINGER_SECONDS if appends else 0.0,
        )
        self.stream = open_stream(settings, self.pseudonyms)
        self.batch_committer = self.make_committer()
        direct = [] if appends else [self.committer, self.batch_committer]
        first: list[Place] = [Direct(committer) for committer in direct]
        self.drains = [self.drain]
        if self.stream is not None:
            first = [Appended(self.stream)]
            self.drains.append(self.make_stream_drain(self.stream))
        spooled = Appended(self.spool)
        self.writer = Writer([*first[:1], spooled], [*first[-1:], spooled], settings.deadline_ms)
        self.vocabulary = Vocabulary(self.load_connectors)
        verdict_context = VerdictContext(self.vocabulary.names, self.pseudonyms)
        self.peers = Peers(parse_networks(settings.trusted_proxies.split(",")))
        self.addresses = limits.limit_addresses(settings)
        self.ingest = IngestContext(
            self.keyring,
            self.writer,
            verdict_context,
            self.addresses,
            limits.limit_keys(settings),
            self.peers.find,
        )
        self.sweeps = Sweeps()
        self.upkeep = Upkeep(self.database.url, self.list_jobs(), self.database.ensure_running)
        self.rollups = Worker(self.database.url)

    def list_jobs(self) -> list[Job]:
        """Return what the upkeep thread of one process does, and every how many seconds."""
        days = self.settings.raw_retention_days
        guard = clock.Guard(self.settings.retention_grace_minutes * 60)
        jobs = [
            Job(FORGET, 15, self.sweeps.sweep),
            Job("partitions", 60, lambda connection, _stop: partitions.make_due(connection)),
            Job("retention", 3600, partial(retention.keep, days=days, guard=guard)),
            Job("compaction", 3600, retention.compact),
            Job("reindexing", 3600, reindexing.reindex),
            Job("words", 3600, words.Collector(guard).keep),
            Job("figures", 3600, partial(figures.publish_due, denied=self.denied)),
        ]
        if self.settings.alert_webhook is not None:
            webhook = self.settings.alert_webhook.get_secret_value()
            jobs.append(
                Job("alerts", alerts.SECONDS, partial(alerts.alert, webhook=webhook, denied=self.denied))
            )
        return [
            *jobs,
            Job("expiry", 3600, partial(expiry.keep, guard=guard)),
        ]  # last: the public figures count the days it deletes

    def is_exempt(self, address: str) -> bool:
        """Return whether an address may hold any number of connections: a proxy that
        we trust, and this machine."""
        if self.peers.is_trusted(address):
            return True
        return limits.is_loopback(address) and not self.settings.limit_loopback

    def load_keys(self) -> dict[bytes, keys.Grant]:
        """Return what each write key may do."""
        with self.engine.connect() as connection:
            return keys.load(connection)

    def load_tokens(self) -> Mapping[bytes, tuple[int, float]]:
        """Return the report tokens in force."""
        with self.engine.connect() as connection:
            return tokens.load(connection)

    async def note_use(self, numbers: Collection[int], used_at: dt.datetime) -> None:
        """Write down that write keys were used."""
        async with asyncio.timeout(NOTE_SECONDS), self.write_engine.connect() as connection:
            await connection.execute(keys.note_use(numbers, used_at))

    def load_connectors(self) -> dict[str, connectors.Entry]:
        """Return what was learned of connectors since the release, by name."""
        with self.engine.connect() as connection:
            self.listed.refresh(connection)
            return connectors.load(connection)

    def settle_write_keys(self, batch: Batch) -> None:
        """Give the rows of a spooled batch the numbers that their write keys have in the database.

        Raises UnavailableError before the database was prepared.
        """
        if not self.keyring.is_loaded:
            raise UnavailableError
        for verdict in batch.verdicts:
            verdict.row["write_key"] = self.keyring.resolve(verdict.row["write_key"])
        settled = Counter[Tally]()
        for tally, number in batch.tallies.items():
            settled[replace(tally, write_key=self.keyring.resolve(tally.write_key))] += number
        batch.tallies = settled

    async def prepare(self) -> bool:
        """Return whether the database is prepared, after an attempt to do it; while it is not, events go to
        the spool."""
        try:
            await asyncio.to_thread(preparation.prepare, self.settings, self.database, self.pseudonyms)
            await self.replay_tombstones()
            await self.keyring.refresh()
        except (SQLAlchemyError, TelemetryError, TimeoutError) as error:
            log.warning("database_not_prepared", cause=cause_of(error), error=type(error).__name__)
            self.committer.circuit.open()
            return False
        return True

    async def replay_tombstones(self) -> None:
        """Bring the tombstones of the database and of the data directory together. Raises SQLAlchemyError."""
        try:
            replayed = await asyncio.to_thread(
                self.upkeep.with_connection, partial(replay.replay, journal=self.journal)
            )
        except (OSError, TelemetryError) as error:
            self.tombstones_kept = False
            log.error("tombstones_not_kept", error=type(error).__name__)  # noqa: TRY400 -- a trace has nothing to add
            return
        self.tombstones_kept = True
        if replayed.lost:
            log.warning("tombstones_replayed", lost=replayed.lost, kept=replayed.kept)
            self.upkeep.wake(FORGET)

    async def keep_tombstones(self) -> None:
        """Replay for ever: other instances' tombstones come in, and a backup may be
        restored beneath a running service."""
        while True:
            await asyncio.sleep(REPLAY_SECONDS)
            try:
                await self.replay_tombstones()
            except SQLAlchemyError as error:
                log.debug("tombstones_not_replayed", error=type(error).__name__)

    def make_stream_drain(self, stream: StreamLog) -> Drain:
        """Return what empties the stream, beside the spool: over a connection of its own."""
        committer = self.make_committer()
        return Drain(stream, committer, self.database.ensure_running, self.settle_write_keys, LINGER_SECONDS)

    def make_committer(self) -> Committer:
        """Return what commits beside the first committer, over a connection of its own."""
        lexicon = Lexicon(self.listed.words)
        return Committer(self.write_engine, self.committer.circuit, lexicon, self.nodes)

    def describe_ways(self) -> health.Ways:
        """Return the ways of events to Postgres, and what waits on them."""
        stream = None if self.stream is None else self.stream.describe()
        return health.Ways(self.settings.ingest, self.spool.describe(), stream)

    def waiting_since(self) -> dt.datetime | None:
        """Return since when the oldest batch waits that we know of, None if none does."""
        depths = [self.spool.depth(), self.spool.others, *([self.stream.depth()] if self.stream else [])]
        age = max(depth.age_seconds for depth in depths)
        return dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age) if age else None

    def list_failing(self) -> list[str]:
        """Return the regular jobs that fail."""
        return [*self.upkeep.failing(), *([] if self.tombstones_kept else ["tombstones"])]

    async def keep_prepared(self) -> None:
        """Prepare the database however late it comes up, then keep the write keys fresh."""
        while not self.keyring.is_loaded:
            await asyncio.sleep(PREPARE_SECONDS)
            await self.prepare()
        await self.keyring.keep_fresh()

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Write while the block lasts, and then what is still waiting; drain the spool for a bounded time."""
        await self.prepare()
        writing = asyncio.create_task(self.writer.run())
        lasting = (
            self.keep_prepared(),
            *(drain.run() for drain in self.drains),
            self.vocabulary.keep_fresh(),
            self.readers.keep_fresh(),
            self.keep_tombstones(),
        )
        background = [asyncio.create_task(task) for task in lasting]
        self.upkeep.start()
        self.rollups.start()
        try:
            yield
        finally:
            self.upkeep.ask_to_stop()
            self.rollups.ask_to_stop()
            self.writer.close()
            await writing
            for task in background:
                task.cancel()
            await asyncio.wait(background)
            if self.stream is not None:  # what waits there is drained by any instance
                await self.stream.close()
            await self.drain.finish(DRAIN_AT_END_SECONDS)
            await self.nodes.close()
            await self.spool.close()
            with contextlib.suppress(SQLAlchemyError, TimeoutError, KeyError):
                await self.keyring.note_use()
            for committer in (self.batch_committer, *(drain.committer for drain in self.drains)):
                await committer.close()
            await self.write_engine.dispose()
            await asyncio.to_thread(self.upkeep.stop)
            await asyncio.to_thread(self.rollups.stop)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the service as an ASGI app; uvicorn calls this in every worker. Raises TelemetryError."""
    settings = settings or load_settings()
    logs.configure(settings.log_level)
    server.leave_with_parent()
    resources = ExitStack()
    service = Service(settings, resources)
    tables = cache.open_tables(service.engine, service.denied, service.waiting_since)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with resources:
            async with service.run():
                # The first request that FastAPI answers makes all of its routes: 0.2 s in
                # which nobody else is answered.
                await ask(app.answer, "/healthz", b"")
                pages.keep_ahead(tables, service.engine)
                keep_the_loop_free()
                yield
                tables.close()

    app = TelemetryApp(
        title="PyAirbyte telemetry",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        **WITHOUT,
    )
    for router in create_routers(service, tables):
        app.include_router(router)
    app.shortcuts = endpoints(service.ingest)
    app.cached = {path: Cached(app.answer, path, seconds) for path, seconds in CACHED.items()}
    app.check = limits.make_check(settings, service.addresses, service.peers.find)
    app.gate = Gate(settings.address_connections, service.is_exempt)
    app.find_prefix = Prefixes(settings.path_prefix, service.peers).find
    app.count_lost = lambda: count_lost(service.ingest)
    add_reference(app)
    add_problems(app, public_pages.show_problem)
    return app


def create_routers(service: Service, tables: cache.Tables) -> Iterator[APIRouter]:
    """Yield every HTTP face but the way in."""
    head = migrations.head()
    yield reference.create_router()
    yield health.create_router(service.engine, head, service.describe_ways, service.list_failing)
    yield metrics.create_router(shared_metrics.folder(), head)
    yield routes.create_router(
        service.write_engine,
        service.engine,
        service.journal,
        service.peers,
        lambda: service.upkeep.wake(FORGET, service.sweeps.rest_left()),
    )
    yield publication.create_router(lambda: service.vocabulary.names)
    yield public.create_router(service.engine)
    yield reports.create_router(tables, service.readers, service.peers.find)
    yield pages.create_router(
        service.engine,
        tables,
        Entrance(Session(service.readers), service.peers, service.settings.user_header),
        lambda: service.vocabulary.entries,
        lambda: bool(service.spool.describe()["in_use"]),
    )
    yield public_pages.create_router(service.engine)


def keep_the_loop_free() -> None:
    """Keep the garbage collector, and whatever needs many threads, out of the event loop's way."""
    # What is loaded by now lives as long as the process. Each full collection would walk all of it while
    # requests wait: 0.1 s, twice a second under load.
    gc.collect()
    gc.freeze()
    # What a batch is made of lives until it is stored, and reference counts free it then. With the default,
    # 700, the collector walked through it some twenty times.
    gc.set_threshold(YOUNG_OBJECTS)
    # What is not ingestion, and blocks: public figures, receipts. Whoever comes
    # beyond these waits for a thread.
    to_thread.current_default_thread_limiter().total_tokens = THREADS
