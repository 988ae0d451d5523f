"""`serve`: database, migrations, keys, banner, workers; and everything stopped again."""

import multiprocessing
import os
import resource
import shutil
import signal
import socket
import sys
import threading
import time
from typing import Final

import structlog
import uvicorn
from uvicorn.supervisors import Multiprocess

from app.privacy.pseudonyms import Pseudonyms
from app.problems import TelemetryError
from app.serving import logs
from app.settings import Settings, find_unknown
from app.store import preparation, secrets
from app.store.causes import REMEDIES, TRANSIENT, DatabaseError
from app.store.database import Database, hold

log = structlog.get_logger()

DESCRIPTORS: Final = 8_192
BACKLOG: Final = 2048
METRICS_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
DRAIN_SECONDS: Final = 5  # what a worker may take to drain its spool before it ends
GRACE_SECONDS: Final = 5  # for requests in flight when the service is told to stop


def serve(settings: Settings) -> None:
    """Run the service until SIGINT or SIGTERM. Raises TelemetryError if it cannot start."""
    logs.configure(settings.log_level)
    for unknown in find_unknown(os.environ):
        log.warning("setting_ignored", detail=unknown)
    allow_connections()
    # uvicorn raises the signal again when it is done; as an exit, that still lets go of the database in order.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    listener = listen(settings.host, settings.port)
    with listener, hold(settings, create=True) as database:
        held = secrets.resolve(settings)
        first_key = prepare_or_spool(settings, database, held.pseudonyms())
        print_banner(settings, listener.getsockname()[1], held.report_token, first_key)
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
            timeout_worker_healthcheck=30,
        )
        if settings.workers > 1:
            share_metrics(settings)
            Supervisor(config, sockets=[listener]).run()
        else:
            uvicorn.Server(config).run(sockets=[listener])


def allow_connections() -> None:
    """Take as many descriptors as we may: the usual soft limit of 1,024 is made for programs that use `select`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Supervisor(Multiprocess):
    """uvicorn's supervisor, which does not wait for ever for a worker that was told to stop while it started."""

    def join_all(self) -> None:
        """Wait for the workers; kill those that do not end. What they had promised is in Postgres or in the spool."""
        deadline = time.monotonic() + GRACE_SECONDS + DRAIN_SECONDS
        for worker in self.processes:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                log.warning("worker_killed", worker=worker.pid)
                worker.process.kill()
                worker.process.join()


def leave_with_parent() -> None:
    """In a worker process: stop in order when the main process is gone, even by kill -9; else nobody would stop us."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def share_metrics(settings: Settings) -> None:
    """Let the workers put their metrics together in a folder. The library reads where from the environment at import."""
    folder = settings.data_dir / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    os.environ[METRICS_VARIABLE] = str(folder)


def metrics_folder() -> str | None:
    """Where the workers of this service put their metrics together, if it has several."""
    return os.environ.get(METRICS_VARIABLE)


def listen(host: str, port: int) -> socket.socket:
    """A socket on the address, before anything slow happens. Raises TelemetryError if it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)  # from here on connections wait instead of being refused
    except (OSError, OverflowError, UnicodeError) as error:
        listener.close()
        raise TelemetryError(
            f"Cannot listen on {host}:{port} ({name_fault(host, error)}); set TELEMETRY_HOST or TELEMETRY_PORT."
        ) from None
    listener.set_inheritable(True)
    return listener


def name_fault(host: str, error: Exception) -> str:
    """Return in words why an address cannot be listened on."""
    if "/" in host:
        return "sockets in the file system are not supported: take an address"
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return "no such host name"
    return os.strerror(getattr(error, "errno", None) or 0)


def prepare_or_spool(settings: Settings, database: Database, pseudonyms: Pseudonyms) -> str | None:
    """Prepare the database; the first write key if it was made just now.

    A database that will be usable again is no reason not to start: events are spooled until it is, and the service goes on
    trying. Raises DatabaseError for what only its operator can mend.
    """
    try:
        return preparation.prepare(settings, database, pseudonyms)
    except DatabaseError as error:
        if error.cause not in TRANSIENT:
            raise
        log.warning("database_unusable_at_start", cause=error.cause, remedy=REMEDIES[error.cause])
        return None


def print_banner(settings: Settings, port: int, report_token: str, first_key: str | None) -> None:
    """Say where the service is. Secrets are shown on loopback only, the first write key once."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base = f"http://{host}:{port}"
    lines = [f"PyAirbyte telemetry listens on {base}"]
    if first_key:
        lines.append(f"Write key (shown once, kept in {settings.data_dir / 'write-key'}): {first_key}")
    if settings.is_loopback:
        lines.append(f"Reports: {base}/reports?token={report_token}")
    else:
        lines.append(f"Reports: {base}/reports, with the report token")
    lines.append(f"API documentation: {base}/docs    Stop: Ctrl-C")
    print(*lines, sep="\n", flush=True)  # noqa: T201 -- the banner is for people
