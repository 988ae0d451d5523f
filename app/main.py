"""The service: one FastAPI app, put together from settings.

The path of an event: `ingest.routes` → `ingest.body` → `privacy.verdict` → `ingest.writer` → `store.events`.
"""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app import __version__
from app.contract.vocabulary import shipped_connectors
from app.ingest.keyring import Keyring
from app.ingest.routes import Ingest, endpoints
from app.ingest.shortcut import Shortcut, add_reference
from app.ingest.writer import Writer
from app.operations import health, logs, server
from app.privacy.pseudonyms import Pseudonyms
from app.privacy.verdict import Installation
from app.problems import Problem
from app.reports import routes as reports
from app.settings import Settings, load_settings
from app.store import keys, migrations, secrets
from app.store.database import hold, open_engine, open_write_engine

DESCRIPTION = """Receives PyAirbyte's anonymous usage events, refuses unhashed PII, and reports which connectors to fix
first: the most used ones that fail most often."""


class Service:
    """Everything that a running service holds; made before the event loop, closed with it."""

    def __init__(self, settings: Settings, resources: ExitStack) -> None:
        """Hold the database and open the engines; `resources` closes them."""
        held = secrets.resolve(settings)
        database = resources.enter_context(hold(settings))
        self.report_token = held.report_token
        self.engine = open_engine(database.url)
        resources.callback(self.engine.dispose)
        self.write_engine = open_write_engine(database.url)
        self.pseudonyms = Pseudonyms(held.hash_key)
        self.keyring = Keyring(self.pseudonyms, self.load_keys)
        self.writer = Writer(self.write_engine, settings.deadline_ms, database.ensure_running)
        self.ingest = Ingest(self.keyring, self.writer, Installation(shipped_connectors(), self.pseudonyms))

    def load_keys(self) -> dict[bytes, int]:
        """The write keys in force."""
        with self.engine.connect() as connection:
            return keys.load(connection)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Write while the block lasts, and then what is still waiting."""
        writing = asyncio.create_task(self.writer.run())
        refreshing = asyncio.create_task(self.keyring.keep_fresh())
        try:
            yield
        finally:
            refreshing.cancel()
            self.writer.close()
            await writing
            await self.write_engine.dispose()


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service as an ASGI app; uvicorn calls this in every worker. Raises TelemetryError."""
    settings = settings or load_settings()
    logs.configure(settings.log_level)
    server.leave_with_parent()
    resources = ExitStack()
    service = Service(settings, resources)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with resources:
            async with service.run():
                # What is loaded by now lives as long as the process. Each full collection would walk all of it while
                # requests wait: 0.1 s, twice a second under load.
                gc.collect()
                gc.freeze()
                yield

    app = FastAPI(
        title="PyAirbyte telemetry",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
    )
    app.include_router(health.create_router(service.engine, migrations.head()))
    app.include_router(reports.create_router(service.engine, service.report_token))
    app.add_middleware(Shortcut, endpoints=endpoints(service.ingest))
    add_reference(app)
    add_problems(app)
    return app


def add_problems(app: FastAPI) -> None:
    """Answer every error with a problem that holds nothing of the input; FastAPI's own would echo it."""

    async def answer(_request: Request, error: Exception) -> Response:
        problem = as_problem(error)
        headers = {name.decode(): value.decode() for name, value in problem.headers()}
        return Response(problem.render(), problem.status, headers)

    for kind in (Problem, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answer)


def as_problem(error: Exception) -> Problem:
    """The problem that an exception stands for."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return Problem(400, "invalid_parameter", "A parameter is missing or has a wrong form.")
    if isinstance(error, HTTPException):
        phrase = HTTPStatus(error.status_code).phrase
        return Problem(error.status_code, phrase.lower().replace(" ", "_"), phrase)
    return Problem(500, "internal", "The service failed; the fault is ours and is logged.")
