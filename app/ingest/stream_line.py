"""The connection of this process to the stream: kept while the process lives, made anew when it is lost."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog

from app.store.stream import State, prepare, read_state
from app.store.stream_causes import REMEDIES, LogCause, StreamError, log_cause_of
from app.store.stream_connection import Address, close, connect

if TYPE_CHECKING:
    from nats.aio.client import Client

log = structlog.get_logger()

ATTEMPT_SECONDS: Final = 15.0  # for a connection and its stream
LOST_SECONDS: Final = 10.0  # in which the driver may find another server by itself
LOOK_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 0.5


class Line:
    """Connects, makes or checks the stream, and looks at it every second."""

    def __init__(self, address: Address, most_bytes: int, key_check: str) -> None:
        """Keep a stream of `most_bytes` at `address` under the hash key of `key_check`."""
        import nats.aio.client  # noqa: F401, PLC0415 -- 0.7 s, before there is an event loop to hold up

        self.address = address
        self.most_bytes = most_bytes
        self.key_check = key_check
        self.changed: Callable[[], object] = bool  # called when it can be used again
        self.connection: Client | None = None
        self.state: State | None = None  # as of the last look
        self.looked_at = 0.0
        self.answers = False
        self.lost = False  # what we asked for is not there any more
        self.cause: LogCause | None = LogCause.TIMEOUT  # for which it cannot be used
        self.failure: Exception | None = None
        self.keeping: asyncio.Task[None] | None = None

    @property
    def client(self) -> "Client | None":
        """Return the connection if the stream can be used, as far as is known."""
        usable = self.connection is not None and self.connection.is_connected and self.answers
        return self.connection if usable and not self.lost else None

    def start(self) -> None:
        """Keep the connection from now on."""
        if self.keeping is None:
            self.keeping = asyncio.create_task(self.keep())

    async def keep(self) -> None:
        """Connect for ever."""
        while True:
            try:
                await self.watch(await self.open())
            except Exception as error:  # noqa: BLE001 -- the driver's errors have no common root
                self.note(log_cause_of(self.failure if isinstance(error, TimeoutError) else error))
            await self.close_connection()
            await asyncio.sleep(RETRY_SECONDS)

    async def open(self) -> "Client":
        """Return a connection, with the stream made or checked. Raises whatever is in the way."""
        self.failure = None
        async with asyncio.timeout(ATTEMPT_SECONDS):
            self.connection = connection = await connect(self.address, self.remember)
            self.failure = None
            try:
                self.state = await prepare(connection, self.most_bytes, self.key_check)
            except StreamError as error:
                if error.cause == LogCause.TIMEOUT and self.failure is not None:  # such as a refused right
                    raise self.failure from None
                raise
        self.lost = False
        return connection

    async def remember(self, error: Exception) -> None:
        """Keep what the driver reports: it alone says why an attempt takes so long."""
        self.failure = error

    async def watch(self, connection: "Client") -> None:
        """Look at the stream until the connection is lost. Raises StreamError once there is no stream."""
        connected_at = time.monotonic()
        while not connection.is_closed and not self.lost:
            if connection.is_connected:
                connected_at = time.monotonic()
                await self.look(connection)
            else:
                self.note(log_cause_of(self.failure or ConnectionError()))
            if time.monotonic() - connected_at > LOST_SECONDS:
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self, connection: "Client") -> None:
        """Ask how much waits; without an answer nobody is made to wait for one. Raises StreamError once there
        is no stream."""
        asked_at = time.monotonic()
        try:
            state = await read_state(connection)
        except StreamError as error:
            self.note(error.cause)
            return
        if state is None:
            raise StreamError(LogCause.UNAVAILABLE)
        self.state, self.looked_at = state, asked_at
        self.note(None)

    def note(self, cause: LogCause | None) -> None:
        """Remember whether it can be used, and say so when that changed."""
        self.answers = cause is None
        if cause == self.cause:
            return
        self.cause = cause
        if cause is None:
            log.info("log_available")
            self.changed()
        else:
            log.warning("log_unavailable", cause=cause, remedy=REMEDIES[cause])

    async def close_connection(self) -> None:
        """Let go of the connection."""
        self.answers = False
        connection, self.connection = self.connection, None
        if connection is not None:
            await close(connection)

    async def stop(self) -> None:
        """End for good."""
        if self.keeping is not None:
            self.keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.keeping
        await self.close_connection()
