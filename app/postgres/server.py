"""A user's view of the embedded server: hold it, find it or start it, let go of it."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psycopg
from psycopg.pq import Ping

from app.postgres import keeper, locks
from app.postgres.account import choose_account
from app.postgres.binaries import CLEAN_ENVIRONMENT, find_binaries
from app.postgres.cluster import (
    DATABASE,
    ROLE,
    check_cluster,
    find_reason,
    make_cluster,
    opened_folder,
)
from app.postgres.configuration import server_arguments
from app.postgres.errors import ClusterError, ServerStartError
from app.postgres.layout import FOLDER, Layout, check_socket_folder, prepare_layout, prepare_socket_folder

# Recovery after a crash replays up to max_wal_size; a second command waits for the first one's initdb.
PATIENCE_SECONDS: Final = 180
# How long a lock may be held by a server that does not answer: one on its way up or down answers "not yet".
SILENCE_SECONDS: Final = 60
PAUSE_SECONDS: Final = 0.02
STOPPING_SECONDS: Final = 15
PING_SECONDS: Final = 3
STATUS_LINE: Final = 7  # of postmaster.pid: starting, ready, stopping
LOG_TAIL_BYTES: Final = 2000
STARTS: Final = 2


class Server:
    """A running embedded server, held until `close`. Safe to use from several threads."""

    def __init__(
        self,
        data_dir: Path,
        pg_bin: Path | None,
        *,
        create: bool = True,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Hold the server of `data_dir`, starting it if it is not running;
        `create` the cluster if there is none.

        `settings` are server settings on top of ours; they count if this call is
        the one that starts the server.
        """
        self._pg_bin = pg_bin
        self._settings = dict(settings or {})
        if not create and not Layout(data_dir / FOLDER).cluster.exists():
            raise ClusterError(f"There is no data in {data_dir} yet; `serve` makes the database.")
        self._layout = prepare_layout(data_dir)
        self._account = choose_account(self._layout.cluster)
        self._socket_folder = self._layout.socket_folder(self._account)
        self._hold: int | None = locks.open_lock(self._layout.hold_lock)
        try:
            self._wait_for_hold(self._hold)
            self.ensure_running()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """The database's URL for SQLAlchemy; psycopg takes it without `+psycopg`."""
        return f"postgresql+psycopg://{ROLE}@/{DATABASE}?host={quote(str(self._socket_folder), safe='/')}"

    @property
    def log(self) -> Path:
        """The server's own log."""
        return self._layout.log

    def ensure_running(self) -> None:
        """Return when the server accepts connections, starting it again if it or its keeper died. Blocks.

        Raises EmbeddedError if it cannot be started.
        """
        started = 0
        begun = spoke = time.monotonic()
        hurry = self._hurry()
        while (answer := self._ping()) is not Ping.OK:
            if answer is Ping.NO_RESPONSE and self._start_if_down(started):
                started += 1
            hurry()
            now = time.monotonic()
            spoke = now if answer is Ping.REJECT else spoke
            if now - spoke > SILENCE_SECONDS or now - begun > PATIENCE_SECONDS:
                raise ServerStartError(
                    f"Some process holds the database in {self._layout.home}, but no server answers in "
                    f"{self._socket_folder}. If the data directory is shared with a container or "
                    f"another machine, "
                    "stop the server there."
                )
            time.sleep(PAUSE_SECONDS)

    def close(self) -> None:
        """Let go of the server. If nobody else holds it, return when it has stopped."""
        if self._hold is None:
            return
        os.close(self._hold)
        self._hold = None
        deadline = time.monotonic() + keeper.SHUTDOWN_SECONDS + SILENCE_SECONDS
        hurry = self._hurry()
        while time.monotonic() < deadline:
            hurry()
            if locks.is_free(self._layout.server_lock) or locks.others_hold(self._layout.hold_lock):
                return
            time.sleep(PAUSE_SECONDS)

    def _hurry(self) -> Callable[[], None]:
        """Return what a loop calls that waits for the server: ends one that has been stopping for too long.

        The keeper does that, too, but it may have been killed; then the server's fast shutdown
        came from the kernel, and nobody watches it. Its crash recovery is the better way by then.
        A slow start is never hurried.
        """
        file = self._layout.cluster / "postmaster.pid"
        begun = time.monotonic()

        def hurry() -> None:
            if time.monotonic() - begun < STOPPING_SECONDS:
                return
            with contextlib.suppress(OSError, ValueError, IndexError):
                lines = file.read_text().splitlines()
                if lines[STATUS_LINE].strip() == "stopping":
                    os.kill(int(lines[0]), keeper.IMMEDIATE_SHUTDOWN)

        return hurry

    def _wait_for_hold(self, descriptor: int) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        hurry = self._hurry()
        while not locks.try_shared(descriptor):  # a keeper has it alone while its server stops
            hurry()
            if time.monotonic() > deadline:
                raise ServerStartError(f"The server in {self._layout.home} has been stopping for minutes.")
            time.sleep(PAUSE_SECONDS)

    def _ping(self) -> Ping:
        try:
            check_socket_folder(self._socket_folder, self._account)
        except FileNotFoundError:
            return Ping.NO_RESPONSE
        # Not PQping: psycopg calls it with the interpreter locked, so a server that hangs
        # would stop every thread of ours.
        try:
            psycopg.connect(
                host=str(self._socket_folder),
                port=5432,
                user=ROLE,
                dbname=DATABASE,
                connect_timeout=PING_SECONDS,
            ).close()
        except psycopg.OperationalError as error:
            if " FATAL: " not in str(error):
                return Ping.NO_RESPONSE
            return Ping.REJECT if "the database system is" in str(error) else Ping.OK
        return Ping.OK

    def _start_if_down(self, started: int) -> bool:
        """Start the server if nobody has its lock; return False if somebody has."""
        with locks.opened(self._layout.server_lock) as lock:
            if not locks.try_exclusive(lock):
                return False
            if self._ping() is Ping.NO_RESPONSE:  # else it came up meanwhile … and went again
                if started == STARTS:
                    raise ServerStartError(f"The embedded Postgres does not start. {self._read_reason()}")
                self._start(lock)
            return True

    def _start(self, lock: int) -> None:
        layout, account = self._layout, self._account
        binaries = find_binaries(self._pg_bin, layout, account)
        if not layout.cluster.exists():
            make_cluster(layout, binaries, account)
        check_cluster(layout, binaries)
        prepare_socket_folder(self._socket_folder, account)
        log = os.open(layout.log, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with (
                opened_folder(layout.cluster, account) as (cluster, path),
                locks.opened(layout.hold_lock) as hold,
            ):
                command = [str(binaries.folder / "postgres"), "-D", path]
                launch_keeper(
                    keeper.Orders(
                        command=command + server_arguments(self._socket_folder, self._settings),
                        environment=CLEAN_ENVIRONMENT,
                        cluster=cluster,
                        server_lock=lock,
                        hold_lock=hold,
                        log=log,
                        socket_folder=str(self._socket_folder),
                        account=(account.uid, account.gid) if account.drops else None,
                    ),
                    layout.home,
                )
        finally:
            os.close(log)

    def _read_reason(self) -> str:
        with self._layout.log.open("rb") as log:
            log.seek(max(0, self._layout.log.stat().st_size - LOG_TAIL_BYTES))
            lines = log.read().decode("utf-8", "replace").splitlines()
        return f"It said: {find_reason(lines)} (more in {self._layout.log})"


def launch_keeper(orders: keeper.Orders, home: Path) -> None:
    """Start a keeper with these orders; it runs on its own when this returns."""
    subprocess.run(  # noqa: S603 -- our own script
        [sys.executable, "-I", "-S", str(Path(keeper.__file__).resolve()), str(home)],
        input=json.dumps(vars(orders)).encode(),
        stdout=subprocess.DEVNULL,
        stderr=orders.log,
        check=True,
        cwd="/",
        env=CLEAN_ENVIRONMENT,
        pass_fds=(orders.cluster, orders.server_lock, orders.hold_lock, orders.log),
        start_new_session=True,
    )
