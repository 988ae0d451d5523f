"""Real processes around a data directory: users of the server that can be killed, and
what of the server is alive."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 60

# Opens the server, says where and since when it runs, holds it until its standard
# input ends; `again` restarts it.
USER_SCRIPT = """
import itertools, sys
from pathlib import Path
import psycopg
from app import postgres

def connect(server):
    while True:  # a server whose keeper was killed still answers for a moment while it shuts down
        server.ensure_running()
        try:
            return psycopg.connect(server.url.replace("+psycopg", ""))
        except psycopg.OperationalError:
            continue

with postgres.open_server(Path(sys.argv[1])) as server:
    for line in itertools.chain(["again"], iter(sys.stdin.readline, "")):
        with connect(server) as connection:
            [started] = connection.execute("SELECT pg_postmaster_start_time()::text").fetchone()
        print(f"{started}|{server.url.replace('+psycopg', '')}", flush=True)
"""


class User:
    """A process that uses the embedded server of a data directory, as a command would."""

    def __init__(self, data_dir: Path, prefix: Sequence[str] = (), path: Sequence[Path] = ()) -> None:
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", USER_SCRIPT, str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, [*path, ROOT]))},
            start_new_session=True,
        )

    def read(self) -> tuple[str, str]:
        """When its server was started, and the database's URL; waits until it has it."""
        assert self.process.stdout
        answered, _, _ = select.select([self.process.stdout], [], [], DEADLINE_SECONDS)
        assert answered, "the user of the server does not get on"
        started, _, url = self.process.stdout.readline().strip().partition("|")
        assert url, "the user of the server failed; see its message above"
        return started, url

    def ask_again(self) -> tuple[str, str]:
        """Have it call `ensure_running`, as the service does when it loses its connections."""
        assert self.process.stdin
        self.process.stdin.write("again\n")
        self.process.stdin.flush()
        return self.read()

    def leave(self) -> None:
        """End it in order."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(DEADLINE_SECONDS)
        self.clean_up()

    def kill(self) -> None:
        """End it at once, with kill -9."""
        self.process.kill()
        self.clean_up()

    def clean_up(self) -> None:
        """End it however it is, and close its pipes."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE_SECONDS)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe and not pipe.closed:
                pipe.close()


def find_server_processes(data_dir: Path) -> set[int]:
    """The keeper, the postmaster and its children: all processes that have the
    server lock open (but not ours)."""
    status = (data_dir / "postgres" / "server.lock").stat()
    return {
        pid
        for pid in list_processes()
        if pid != os.getpid() and any(has_open(link, status) for link in list_descriptors(pid))
    }


def list_processes() -> Iterable[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]


def list_descriptors(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return []


def has_open(link: Path, status: os.stat_result) -> bool:
    try:
        found = link.stat()
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (status.st_dev, status.st_ino)


def read_command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def find_keeper(data_dir: Path) -> int:
    [pid] = [pid for pid in find_server_processes(data_dir) if "keeper.py" in read_command(pid)]
    return pid


def find_postmaster(data_dir: Path) -> int:
    [pid] = [pid for pid in find_server_processes(data_dir) if " -c cluster_name=" in read_command(pid)]
    return pid


def kill_all(pids: Iterable[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Poll until the condition holds; fail at the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.01)


def wait_until_gone(data_dir: Path) -> None:
    wait_until(lambda: not find_server_processes(data_dir), "no process of the server is left")
