"""`serve`: database, migrations, keys, banner, workers; and everything stopped again."""

import asyncio
import contextlib
import ipaddress
import multiprocessing
import os
import resource
import signal
import socket
import sys
import threading
import time
from typing import Any, Final

import structlog
import uvicorn
from uvicorn.supervisors import Multiprocess, multiprocess

from app.privacy.pseudonyms import Pseudonyms
from app.serving import logs, shared_metrics, sockets, stream_start
from app.serving.restart import Restart
from app.settings import Settings, find_unknown
from app.store import preparation, secrets
from app.store.causes import REMEDIES, TRANSIENT, DatabaseError
from app.store.database import Database, hold

log = structlog.get_logger()

DESCRIPTORS: Final = 8_192
DRAIN_SECONDS: Final = 5  # what a worker may take to drain its spool before it ends
GRACE_SECONDS: Final = 5  # for requests in flight when the service is stopping
# After which a worker that says nothing is replaced. Starting took 30 on a machine at a load of 14; a worker
# that is killed for being slow makes the machine slower.
HANGING_SECONDS: Final = 120
BACKLOG_SECONDS: Final = 1.0  # for connections that wait to be accepted then


def serve(settings: Settings) -> None:
    """Run the service until SIGINT or SIGTERM; SIGHUP starts it again. Raises TelemetryError if it cannot."""
    logs.configure(settings.log_level)
    for unknown in find_unknown(os.environ):
        log.warning("setting_ignored", detail=unknown)
    allow_connections()
    # uvicorn raises the signal again when done; as an exit, that lets go of the database in order.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    restart = Restart()
    with sockets.take(settings.host, settings.port) as listener:
        try:
            restart.allow()
            run(settings, listener, restart)
        except SystemExit:
            if not restart.asked:
                raise
        if restart.asked:
            restart.start(listener)


def run(settings: Settings, listener: socket.socket, restart: Restart) -> None:
    """Hold the database and serve until stopped."""
    with hold(settings, create=True) as database:
        held = secrets.resolve(settings)
        stream_start.check_stream(settings, held.pseudonyms())
        first_key = prepare_or_spool(settings, database, held.pseudonyms())
        print_banner(settings, listener, held.report_token, first_key)
        config = uvicorn.Config(
            "app.main:create_app",
            factory=True,
            http="app.ingest.protocol:BoundedProtocol",
            workers=settings.workers,
            log_config=None,
            access_log=False,  # it would print the clients' addresses
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            timeout_worker_healthcheck=HANGING_SECONDS,
        )
        if settings.workers > 1:
            shared_metrics.share(settings.data_dir, listener.getsockname()[1])
            Supervisor(config, listener, restart).run()
        else:
            # A copy: uvicorn closes what it was given, and a restart needs the socket.
            Server(config, listener, restart).run(sockets=[listener.dup()])


class Server(uvicorn.Server):
    """uvicorn's server, which answers what already waits in the socket before it closes it."""

    def __init__(
        self, config: uvicorn.Config, listener: socket.socket | None = None, restart: Restart | None = None
    ) -> None:
        """Close `listener`, too, unless it is kept for a restart."""
        super().__init__(config)
        self.listener = listener
        self.restart = restart

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take what waits, then stop accepting and answer what was accepted."""
        protocol: Any = self.config.http_protocol_class
        protocol.ending = True
        if not (self.restart and self.restart.asked):  # else the next one answers what waits
            await self.empty_backlog(sockets or [])
            if self.listener is not None:
                self.listener.close()
        await super().shutdown(sockets)

    async def empty_backlog(self, listeners: list[socket.socket]) -> None:
        """Go on accepting until nobody waits, for a second at most."""
        deadline = time.monotonic() + BACKLOG_SECONDS
        while sockets.has_waiting(listeners) and time.monotonic() < deadline:  # noqa: ASYNC110 -- the loop accepts
            await asyncio.sleep(0.001)


class Worker(multiprocess.Process):
    """A worker process that runs our server."""

    asked_at: float | None = None  # since when an answer to a ping is waited for

    @property
    def server(self) -> uvicorn.Server:
        """Return the server of this process, made on first use: after the process was started."""
        if self._server is None:
            self._server = Server(self.config)
        return self._server

    def is_alive(self, timeout: float = HANGING_SECONDS) -> bool:
        """Return whether the process lives and answered lately. uvicorn's own waits for the answer: meanwhile
        no worker that was killed is replaced, and no signal is heeded.
        """
        if not self.process.is_alive():
            return False
        try:
            if self.asked_at is not None and self.parent_conn.poll(0):
                self.parent_conn.recv()
                self.asked_at = None
            if self.asked_at is None:
                self.parent_conn.send(b"ping")
                self.asked_at = time.monotonic()
        except (OSError, EOFError):
            return False
        return time.monotonic() - self.asked_at < timeout


def allow_connections() -> None:
    """Take as many descriptors as we may: the usual 1,024 are meant for programs that use `select`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Supervisor(Multiprocess):
    """uvicorn's supervisor: it starts anew as a whole, and waits a bounded time for a worker to stop."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket, restart: Restart) -> None:
        """Let the workers share `listener`."""
        multiprocess.Process = Worker  # type: ignore[misc] # uvicorn names the class of its workers there only
        super().__init__(config, sockets=[listener])
        self.restart = restart

    def handle_hup(self) -> None:
        """Start again, this process too: it may have new code."""
        self.restart.asked = True
        self.should_exit.set()

    def terminate_all(self) -> None:
        """Tell the workers to stop. They close the socket last, when nobody waits in it."""
        if not self.restart.asked:
            for listener in self.sockets:
                listener.close()
        super().terminate_all()

    def join_all(self) -> None:
        """Wait for the workers; kill those that do not end: what they promised is durable."""
        deadline = time.monotonic() + GRACE_SECONDS + DRAIN_SECONDS
        for worker in self.processes:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                log.warning("worker_killed", worker=worker.pid)
                worker.process.kill()
                worker.process.join()


def leave_with_parent() -> None:
    """In a worker: stop in order when the main process is gone, even by kill -9; nobody else would."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    # Meant for the main process; a terminal that closes sends it to all.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def prepare_or_spool(settings: Settings, database: Database, pseudonyms: Pseudonyms) -> str | None:
    """Prepare the database; return the first write key if it was made just now.

    A database that will be usable again is no reason not to start: events are spooled until it is, and the
    service goes on trying. Raises DatabaseError for what only its operator can mend.
    """
    try:
        return preparation.prepare(settings, database, pseudonyms)
    except DatabaseError as error:
        if error.cause not in TRANSIENT:
            raise
        log.warning("database_unusable_at_start", cause=error.cause, remedy=REMEDIES[error.cause])
        return None


def print_banner(
    settings: Settings, listener: socket.socket, report_token: str, first_key: str | None
) -> None:
    """Say where the service is. Secrets are shown on loopback only, the first write key once."""
    address, port = listener.getsockname()[:2]
    host = f"[{address}]" if ":" in address else address
    base = f"http://{host}:{port}"
    lines = [f"PyAirbyte telemetry listens on {base}"]
    if first_key:
        lines.append(f"Write key (shown once, kept in {settings.data_dir / 'write-key'}): {first_key}")
    if ipaddress.ip_address(address).is_loopback:
        lines.append(f"Reports: {base}/reports?token={report_token}")
    else:
        lines.append(f"Reports: {base}/reports, with the report token")
    lines.append(f"API documentation: {base}/docs    Stop: Ctrl-C")
    with contextlib.suppress(OSError):  # the terminal may be gone
        print(*lines, sep="\n", flush=True)  # noqa: T201 -- the banner is for people
