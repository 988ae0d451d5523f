"""Kills and stops things under load on a seeded schedule, and checks the books afterwards.

`python3 dev.py faults --minutes 10` runs it for long; a short run is part of the tests.
"""

import contextlib
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from app.postgres import open_server
from tests.faults.ledger import check_books, check_rollups, is_drained, is_rolled_up, wait_until
from tests.faults.load import Account, start_senders, stop_senders
from tests.pooler import PGBOUNCER, Pooler
from tests.postgres.processes import find_server_processes, read_command
from tests.service import Service

DEADLINE_SECONDS = 1.0
SLACK_SECONDS = 0.5
SENDERS = 6
WORKERS = 2
WARM_SECONDS = 0.7
ROLLUP_SECONDS = 30.0
# The backend that holds buckets: from its first statement to its commit.
CLAIMANT = """
    SELECT pid FROM pg_locks
    WHERE relation = 'rollup_buckets'::regclass AND mode = 'RowShareLock' AND granted
        AND pid <> pg_backend_pid()
"""


class Size(NamedTuple):
    """The largest of the workers."""

    descriptors: int
    memory_mb: int


NO_SIZE = Size(0, 0)
# What a worker that had a load may hold more than one that had none: its pools, its spool, what it remembers.
MORE = Size(descriptors=16, memory_mb=128)


@dataclass
class Figures:
    """What a run did and saw."""

    seed: int
    account: Account
    faults: Counter[str] = field(default_factory=Counter)
    before: Size = NO_SIZE  # without a load
    most: Size = NO_SIZE
    after: Size = NO_SIZE  # without a load again

    def kills(self) -> int:
        """How many processes, or groups of them, were killed."""
        return sum(number for name, number in self.faults.items() if name.startswith("kill"))

    def line(self) -> str:
        """One line."""
        reported = self.account.outcomes
        return (
            f"seed {self.seed}: {self.kills()} kills, {sum(self.faults.values())} faults "
            f"({dict(self.faults)}); "
            f"answers {dict(self.account.statuses)}, outcomes {dict(reported)}, "
            f"{self.account.lost_connections} connections lost; promised {len(self.account.promised)}, "
            f"lost 0; "
            f"slowest answer {self.account.slowest:.2f} s; descriptors of a worker "
            f"{self.before.descriptors}, at most "
            f"{self.most.descriptors}, in the end {self.after.descriptors}; MB {self.before.memory_mb}, "
            f"{self.most.memory_mb}, {self.after.memory_mb}"
        )


class Harness:
    """A service with an embedded Postgres that sets `synchronous_commit = off`, and ways to hurt either."""

    def __init__(self, folder: Path, seed: int, ingest: str = "direct") -> None:
        """Everything random comes from `seed`."""
        self.random = random.Random(seed)
        settings = {
            "TELEMETRY_WORKERS": str(WORKERS),
            "TELEMETRY_SPOOL_MB": "1",
            "TELEMETRY_INGEST": ingest,
        }
        self.service = Service(folder, None, settings)
        self.figures = Figures(seed, Account())
        self.deck: list[Callable[[], None]] = []
        self.faults: list[Callable[[], None]] = [
            self.kill_service,
            self.kill_worker,
            self.kill_postgres,
            self.kill_postmaster,
            self.kill_rollup,
            self.hang,
            self.restart,
            self.reload,
            self.read_only_spell,
            *([self.pooler_between] if PGBOUNCER else []),
        ]

    def run(self, is_over: Callable[[Figures], bool], slack_seconds: float = SLACK_SECONDS) -> Figures:
        """Hurt the service until it is over; then check the books and the slowest
        answer. Raises AssertionError."""
        self.service.start()
        self.weaken_commits()
        wait_until(lambda: len(self.workers()) == WORKERS, "the workers")
        self.figures.before = self.size()
        account = self.figures.account
        senders = start_senders(self.service.url, self.service.write_key, account, SENDERS, self.figures.seed)
        try:
            while not is_over(self.figures):
                self.let_pass(WARM_SECONDS * (1 + self.random.random()))
                fault = self.draw()
                account.now = f"{account.now.rpartition(', ')[2]}, {fault.__name__}"
                fault()
                self.figures.faults[fault.__name__] += 1
                self.figures.most = Size(*map(max, self.figures.most, self.size()))
        finally:
            stop_senders(senders)
        wait_until(self.is_drained, "everything is drained")
        with open_server(self.service.data_dir) as server:
            wait_until(lambda: is_rolled_up(server.url), "the service itself has rolled everything up")
        self.figures.after = self.size()
        assert self.service.stop() == 0
        with open_server(self.service.data_dir) as server:
            check_books(server.url, account, process_killed=True)
            check_rollups(server.url)
        assert account.slowest < DEADLINE_SECONDS + slack_seconds, (
            f"an answer took {account.slowest:.2f} s: {account.slowest_was}; the books are right: "
            f"{self.figures.line()}"
        )
        assert set(account.statuses) <= {200, 400, 422, 503}
        assert self.figures.after.descriptors <= self.figures.before.descriptors + MORE.descriptors
        assert self.figures.after.memory_mb <= self.figures.before.memory_mb + MORE.memory_mb
        return self.figures

    def is_drained(self) -> bool:
        """Whether nothing waits any more."""
        return is_drained(self.service)

    def last_words(self) -> str:
        """The end of what was logged."""
        return self.service.output()[-4000:]

    def keep_logs(self) -> Path:
        """Copy what was logged to where it stays, and return that."""
        kept = Path(tempfile.mkdtemp(prefix="telemetry-faults-logs-"))
        (kept / "service.log").write_text(self.service.output())
        return kept

    def prefer_kills(self) -> None:
        """Let three of four faults be kills from now on."""
        kills = [fault for fault in self.faults if fault.__name__.startswith("kill")]
        others = len(self.faults) - len(kills)
        self.faults += [kills[number % len(kills)] for number in range(max(0, 3 * others - len(kills)))]

    def clean_up(self) -> None:
        """Leave no process behind."""
        self.service.clean_up()

    def draw(self) -> Callable[[], None]:
        """The next fault: each comes once, in any order, before one comes again."""
        if not self.deck:
            self.deck = self.random.sample(self.faults, len(self.faults))
        return self.deck.pop()

    def let_pass(self, seconds: float) -> None:
        """Let the load run, at least until something was answered."""
        answered = sum(self.figures.account.statuses.values())
        ending = time.monotonic() + seconds
        wait_until(
            lambda: time.monotonic() > ending and sum(self.figures.account.statuses.values()) > answered,
            "answers",
        )

    def kill_service(self) -> None:
        """kill -9 the service with its workers, and start it again."""
        with self.figures.account.downtime():
            self.service.kill()
            self.service.start()

    def kill_worker(self) -> None:
        """kill -9 one worker; its supervisor starts another."""
        workers = self.workers()
        if workers:
            with self.figures.account.downtime():  # the other one may be on its way up, too
                kill(self.random.choice(workers), signal.SIGKILL)
                wait_until(lambda: len(self.workers()) == WORKERS, "another worker")
                self.let_pass(WARM_SECONDS)

    def kill_postgres(self) -> None:
        """kill -9 any process of Postgres: its keeper, the postmaster, a backend, which
        makes it restart all of them."""
        servers = find_server_processes(self.service.data_dir)
        if servers:
            kill(self.random.choice(sorted(servers)), signal.SIGKILL)

    def kill_postmaster(self) -> None:
        """kill -9 the postmaster."""
        for process in find_server_processes(self.service.data_dir):
            if " -c cluster_name=" in read_command(process):
                kill(process, signal.SIGKILL)

    def kill_rollup(self) -> None:
        """kill -9 the backend of a rollup step, in the middle of its transaction."""
        ending = time.monotonic() + ROLLUP_SECONDS
        with self.connect() as connection:
            found = None
            while found is None and time.monotonic() < ending:
                found = connection.execute(CLAIMANT).fetchone()
            assert found, "no rollup step was seen"
            kill(found[0], signal.SIGKILL)

    def hang(self) -> None:
        """Stop every Postgres process for longer than the deadline."""
        servers = find_server_processes(self.service.data_dir)
        for process in servers:
            kill(process, signal.SIGSTOP)
        self.let_pass(DEADLINE_SECONDS * (1 + 3 * self.random.random()))
        for process in servers:
            kill(process, signal.SIGCONT)

    def restart(self) -> None:
        """Stop service and Postgres in order, and start both again."""
        with self.figures.account.downtime():
            assert self.service.stop() == 0
            self.service.start()

    def reload(self) -> None:
        """SIGHUP: the service ends in order and becomes itself again, and connections
        wait in its socket meanwhile."""
        with self.figures.account.downtime():
            before = self.workers()
            kill(self.service.process.pid, signal.SIGHUP)
            wait_until(
                lambda: len(self.workers()) == WORKERS and not {*before} & {*self.workers()}, "new workers"
            )
            wait_until(self.service.is_healthy, "the service answers again")

    def read_only_spell(self) -> None:
        """Let the database refuse every write for a while, as a standby does."""
        self.alter("SET default_transaction_read_only = on")
        self.let_pass(DEADLINE_SECONDS * (1 + 3 * self.random.random()))
        self.alter("RESET default_transaction_read_only")

    def pooler_between(self) -> None:
        """Let the service run for a while behind PgBouncer in session mode; on its way
        there and back it is restarted."""
        # Outside of the run's folder: what the pooler opens for its own user must not
        # move the socket of Postgres.
        with (
            tempfile.TemporaryDirectory(prefix="pooler-") as folder,
            open_server(self.service.data_dir) as server,
        ):
            pooler = Pooler(Path(folder), server.url, "session")
            try:
                self.restart_on({"TELEMETRY_DATABASE_URL": pooler.url})
                self.let_pass(DEADLINE_SECONDS * (2 + 3 * self.random.random()))
            finally:
                self.restart_on({})
                pooler.close()

    def restart_on(self, database: dict[str, str]) -> None:
        """Restart the service with or without a URL of a database."""
        self.service.environment.pop("TELEMETRY_DATABASE_URL", None)
        self.service.environment.update(database)
        self.restart()

    def weaken_commits(self) -> None:
        """Let the database say that commits need not be durable, and let nothing else
        make them so within the second."""
        with self.connect() as connection:
            connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        self.alter("SET synchronous_commit = off")
        self.restart()

    def alter(self, change: str) -> None:
        """Change a setting of the database, for everyone from now on."""
        with self.connect() as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(f"ALTER DATABASE {connection.info.dbname} {change}".encode())
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    @contextlib.contextmanager
    def connect(self) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
        """A connection of our own to the embedded Postgres."""
        with (
            open_server(self.service.data_dir) as server,
            psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True) as connection,
        ):
            yield connection

    def workers(self) -> list[int]:
        """The worker processes."""
        children = Path(
            f"/proc/{self.service.process.pid}/task/{self.service.process.pid}/children"
        ).read_text()
        return [int(child) for child in children.split() if b"spawn_main" in read(f"/proc/{child}/cmdline")]

    def size(self) -> Size:
        """How many descriptors and how much memory the largest worker has; of those that are up."""
        sizes = [NO_SIZE]
        for worker in self.workers():
            status = read(f"/proc/{worker}/status").decode()
            resident = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")]
            with contextlib.suppress(FileNotFoundError):
                descriptors = len(list(Path(f"/proc/{worker}/fd").iterdir()))
                sizes.append(Size(descriptors, max(resident, default=0) // 1024))
        return Size(*map(max, NO_SIZE, *sizes))


def read(file: str) -> bytes:
    """A file of /proc, empty if the process is gone."""
    try:
        return Path(file).read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def kill(process: int, number: signal.Signals) -> None:
    """Send a signal to a process that may be gone."""
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return
