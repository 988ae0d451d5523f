"""The fault harness with NATS: three nodes on loopback, which are killed, stopped and filled, too."""

import contextlib
import shutil
import signal
from pathlib import Path

from app.store.stream import read_state
from app.store.stream_causes import StreamError
from tests.faults import ledger
from tests.faults.harness import DEADLINE_SECONDS, Harness
from tests.faults.ledger import wait_until
from tests.nats import Cluster, at, limit, waiting

QUOTA_MB = 64
LITTLE = 10_000  # bytes


class StreamHarness(Harness):
    """A service in log mode on a cluster of three."""

    def __init__(self, folder: Path, seed: int) -> None:
        """Everything random comes from `seed`."""
        super().__init__(folder / "service", seed, "log")
        self.service.folder.mkdir()
        self.cluster = Cluster(folder / "nats")
        self.cluster.start()
        self.service.environment |= {
            "TELEMETRY_LOG_URL": self.cluster.url,
            "TELEMETRY_LOG_MB": str(QUOTA_MB),
            "TELEMETRY_LOG_MONITOR_URL": ",".join(node.monitor for node in self.cluster.nodes),
        }
        self.through_stream = 0  # messages that the stream has ever had
        self.faults += [
            self.kill_node,
            self.kill_leader,
            self.kill_all_nodes,
            self.nodes_hang,
            self.fill_stream,
        ]

    def is_drained(self) -> bool:
        """Whether nothing waits in the stream either."""
        with contextlib.suppress(StreamError):
            if ledger.is_drained(self.service) and not waiting(self.cluster.url):
                self.through_stream = at(self.cluster.url, read_state).last_number
                return True
        return False

    def kill_node(self) -> None:
        """kill -9 any node, and start it again under load."""
        node = self.random.choice(self.cluster.nodes)
        node.kill()
        self.let_pass(DEADLINE_SECONDS)
        self.cluster.start([node])

    def kill_leader(self) -> None:
        """kill -9 the node that leads the stream, and start it again under load."""
        wait_until(lambda: self.cluster.leader() is not None, "the stream has a leader")
        node = self.cluster.leader() or self.cluster.nodes[0]
        node.kill()
        self.let_pass(DEADLINE_SECONDS)
        self.cluster.start([node])

    def kill_all_nodes(self) -> None:
        """kill -9 all nodes, and start them again under load."""
        self.cluster.kill()
        self.let_pass(DEADLINE_SECONDS * (1 + self.random.random()))
        self.cluster.start()

    def nodes_hang(self) -> None:
        """Stop two nodes, so that the third alone acknowledges nothing, for longer than the deadline."""
        nodes = self.random.sample(self.cluster.nodes, 2)
        for node in nodes:
            node.signal(signal.SIGSTOP)
        self.let_pass(DEADLINE_SECONDS * (1 + 3 * self.random.random()))
        for node in nodes:
            node.signal(signal.SIGCONT)

    def fill_stream(self) -> None:
        """Leave the stream no room for a while."""
        wait_until(lambda: self.set_quota(LITTLE), "the stream is made small")
        self.let_pass(DEADLINE_SECONDS * (1 + self.random.random()))
        wait_until(lambda: self.set_quota(QUOTA_MB * 2**20), "the stream is made large again")

    def set_quota(self, most_bytes: int) -> bool:
        """Whether the stream took another quota."""
        with contextlib.suppress(StreamError):
            limit(self.cluster.url, most_bytes)
            return True
        return False

    def last_words(self) -> str:
        """The end of what was logged, by each node, too; and whether that runs."""
        said = [super().last_words()]
        for node in self.cluster.nodes:
            ended = node.process.poll() if node.process else None
            said.append(f"{node.name}, ended with {ended}:\n{(node.folder / 'log').read_text()[-1500:]}")
        return "\n".join(said)

    def keep_logs(self) -> Path:
        """Keep what the nodes logged, too."""
        kept = super().keep_logs()
        for node in self.cluster.nodes:
            shutil.copy(node.folder / "log", kept / f"{node.name}.log")
        return kept

    def clean_up(self) -> None:
        """Leave no process behind."""
        super().clean_up()
        self.cluster.kill()
