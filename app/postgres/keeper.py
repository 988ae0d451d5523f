"""The keeper: a small process of its own that is the server's parent, and stops
it when its last user is gone.

Run as a script, with nothing but the standard library, so that it starts quickly and stays small: `python -I
-S keeper.py <data directory>`, orders as JSON on standard input, locks and folders as inherited descriptors.
It has its own session, so a Ctrl-C meant for a command in the foreground does not reach the server.

- All users hold `hold.lock` shared; the keeper waits for it exclusively in a thread. However the last user
  goes (even by kill -9), the kernel wakes the keeper, which stops the server: SIGINT, its fast shutdown.
- If the keeper itself is killed, Linux sends the server that same SIGINT (PR_SET_PDEATHSIG).
- If the server dies, the keeper ends; a user that still needs it starts both again.
"""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
FAST_SHUTDOWN = signal.SIGINT
IMMEDIATE_SHUTDOWN = signal.SIGQUIT
# A fast shutdown writes a checkpoint of at most 128 MB. One that takes longer hangs, as Postgres 18
# does when the request comes while it recovers from a crash (6 of 10 tries); recovery at the next
# start is the better way then.
SHUTDOWN_SECONDS = 10
LOG_BYTES = 1 << 20
LOG_KEPT_BYTES = 1 << 16
LOG_CHECK_SECONDS = 60


@dataclass(frozen=True)
class Orders:
    """What the keeper is given; descriptors are inherited ones."""

    command: list[str]
    environment: dict[str, str]
    cluster: int
    server_lock: int
    hold_lock: int
    log: int
    socket_folder: str
    account: tuple[int, int] | None


def main() -> None:
    """Go to the background at once, keep the server, end with it."""
    orders = Orders(**json.load(sys.stdin))
    if os.fork():
        os._exit(0)  # a parent of ours would have to reap us
    detach(orders.log)
    if orders.account:
        drop_privileges(*orders.account)
    disown_stale_pid(orders.cluster)
    clear_sockets(orders.socket_folder, [".s.PGSQL.5432.lock"])
    server = start(orders)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        # Whoever stops a group of processes stops the users too, and these need
        # the server until they are done.
        signal.signal(number, signal.SIG_IGN)
    background(lambda: stop_when_unused(server, orders.hold_lock))
    background(lambda: bound_log(orders.log))
    server.wait()
    clear_sockets(orders.socket_folder, [".s.PGSQL.5432.lock", ".s.PGSQL.5432"])
    with contextlib.suppress(OSError):
        Path(orders.socket_folder).rmdir()


def detach(log: int) -> None:
    """Let go of the terminal and of the folder that we were started in."""
    os.chdir("/")
    os.umask(0o077)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor, target in ((0, nothing), (1, log), (2, log)):
        os.dup2(target, descriptor)
    os.close(nothing)


def drop_privileges(uid: int, gid: int) -> None:
    """Become the account that owns the cluster, for good."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def disown_stale_pid(cluster: int) -> None:
    """Put our pid into a `postmaster.pid` that a crash left; we hold the server lock, so no server is alive.

    The pid in it may by now be that of another process (after a restart of a container it often is), and
    Postgres would refuse to start. It does trust a file that names its parent. Deleting the file would also
    lose the key of the old shared memory, by which Postgres makes sure itself that nobody still uses it.
    """
    try:
        descriptor = os.open("postmaster.pid", os.O_RDWR | os.O_NOFOLLOW, dir_fd=cluster)
    except FileNotFoundError:
        return
    with os.fdopen(descriptor, "r+b") as file:
        _, separator, rest = file.read().partition(b"\n")
        if not separator:
            os.unlink(
                "postmaster.pid", dir_fd=cluster
            )  # cut off in its first line: Postgres refuses such a file
            return
        file.seek(0)
        file.write(str(os.getpid()).encode() + separator + rest)
        file.truncate()


def clear_sockets(folder: str, names: list[str]) -> None:
    """Remove what a dead server left in the socket's folder."""
    for name in names:
        Path(folder, name).unlink(missing_ok=True)


def start(orders: Orders) -> "subprocess.Popen[bytes]":
    """Start the server as our child and return its process. It inherits the server lock and the cluster's
    folder."""
    return subprocess.Popen(  # noqa: S603 -- the command comes from app.postgres.server
        orders.command,
        stdin=subprocess.DEVNULL,
        env=orders.environment,
        pass_fds=(orders.server_lock, orders.cluster),
        preexec_fn=die_with(os.getpid()),  # noqa: PLW1509 -- there are no threads yet
    )


def die_with(parent: int) -> Callable[[], None] | None:
    """Return what the child runs before it becomes the server: ask for a fast shutdown when
    its parent, this thread, dies."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def ask() -> None:
        if libc.prctl(PR_SET_PDEATHSIG, FAST_SHUTDOWN, 0, 0, 0) != 0 or os.getppid() != parent:
            os._exit(1)

    return ask


def stop_when_unused(server: "subprocess.Popen[bytes]", hold_lock: int) -> None:
    """Wait until nobody holds the lock, keep it, stop the server."""
    import fcntl  # noqa: PLC0415 -- not at the top: mypy and the tests read this file on Windows too

    fcntl.flock(hold_lock, fcntl.LOCK_EX)
    server.send_signal(FAST_SHUTDOWN)
    time.sleep(SHUTDOWN_SECONDS)
    server.send_signal(IMMEDIATE_SHUTDOWN)


def bound_log(log: int) -> None:
    """Keep the server's log from filling the disk."""
    while True:
        cut_log(log)
        time.sleep(LOG_CHECK_SECONDS)


def cut_log(log: int) -> None:
    """Cut the log to its end if it has grown too long. The server only appends, so it goes on behind that."""
    size = os.fstat(log).st_size
    if size > LOG_BYTES:
        tail = os.pread(log, LOG_KEPT_BYTES, size - LOG_KEPT_BYTES)
        os.ftruncate(log, 0)
        os.write(log, tail)


def background(work: Callable[[], None]) -> None:
    """Run in a thread that ends with the process."""
    threading.Thread(target=work, daemon=True).start()


if __name__ == "__main__":
    main()
