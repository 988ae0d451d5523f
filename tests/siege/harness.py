"""The siege: an honest load alone, beside all attacks at once, and alone again. One line of figures."""

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import httpx
import psycopg

from app.postgres import open_server
from tests.faults.ledger import is_drained, wait_until
from tests.service import ROOT, Service
from tests.siege.attacks import CHEAP, DEAR
from tests.siege.honest import Account, Load
from tests.siege.senders import cpu_seconds, resident_mb

RECOVERY_SECONDS = 5.0
SAMPLE_SECONDS = 0.5
DURABLE = ("accepted", "queued", "duplicate")  # a duplicate was sent again over a new connection
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass
class Figures:
    """What a siege saw."""

    seed: int
    rate: float
    force: float
    minutes: float
    quiet: Account = field(default_factory=Account)
    besieged: Account = field(default_factory=Account)
    after: Account = field(default_factory=Account)
    attacks: dict[str, int] = field(default_factory=dict)
    memory_mb: list[float] = field(default_factory=list)  # before, half-way, at most, after
    cores: list[float] = field(default_factory=list)  # of the service process: quiet, besieged, after
    stored: int = 0

    @property
    def lost(self) -> int:
        """Honest requests without the answer that they are due."""
        phases = (self.quiet, self.besieged, self.after)
        return sum(
            phase.lost + sum(phase.outcomes.values()) - sum(phase.outcomes[each] for each in DURABLE)
            for phase in phases
        )

    def line(self) -> str:
        """One line."""
        phases = {"quiet": self.quiet, "besieged": self.besieged, "5 s after": self.after}
        times = "; ".join(
            f"{name}: {phase.tell()}, p50 {phase.quantile_ms(0.5):.0f} ms, p99 "
            f"{phase.quantile_ms(0.99):.0f} ms, {cores:.2f} cores"
            for (name, phase), cores in zip(phases.items(), self.cores, strict=True)
        )
        memory = ", ".join(f"{mb:.0f}" for mb in self.memory_mb)
        kinds = ", ".join(f"{name} {number}" for name, number in sorted(self.attacks.items()))
        return (
            f"seed {self.seed}, {self.minutes:g} minutes, {self.rate:g} honest events a second, force "
            f"{self.force:g}; {times}; lost {self.lost}; "
            f"MB before, half-way, at most, after: {memory}; {sum(self.attacks.values())} attacks: {kinds}"
        )


class Siege:
    """A service of its own with an embedded Postgres, for which loopback is the world."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        rate: float,
        force: float = 1.0,
        *,
        settings: Mapping[str, str] = NOTHING,
        only: Collection[str] = (),
    ) -> None:
        """Everything random comes from `seed`; `rate` are honest events a second, `force` multiplies the
        attacks', `only` are their kinds.
        """
        self.seed, self.rate, self.force, self.only = seed, rate, force, only
        self.service = Service(folder, None, {"TELEMETRY_LIMIT_LOOPBACK": "true", **settings})

    def run(self, seconds: float, quiet_seconds: float) -> Figures:
        """Besiege the service for so long. Raises AssertionError if an event
        that was accepted is not there."""
        self.service.start()
        figures = Figures(self.seed, self.rate, self.force, seconds / 60)
        asyncio.run(self.load(figures, seconds, quiet_seconds))
        wait_until(self.is_ready, "the service is ready again")
        wait_until(lambda: is_drained(self.service), "everything is drained")
        assert self.service.stop() == 0
        promised = figures.quiet.ids | figures.besieged.ids | figures.after.ids
        with open_server(self.service.data_dir) as server:
            url = server.url.replace("+psycopg", "")
            with psycopg.connect(url) as connection:
                [figures.stored] = connection.execute("SELECT count(*) FROM events").fetchone() or [0]
        assert figures.stored >= len(promised - {""})
        return figures

    async def load(self, figures: Figures, seconds: float, quiet_seconds: float) -> None:
        """Run the three phases."""
        load = Load(self.service.port, self.service.write_key, self.rate)
        await asyncio.to_thread(self.use_everything)
        await load.run(min(5.0, quiet_seconds))  # what a first load needs anyway
        with self.measure_cores(figures):
            figures.quiet = await load.run(quiet_seconds)
        before = resident_mb(self.service)
        with self.sample_memory() as sizes, self.attack(seconds) as attackers:
            with self.measure_cores(figures):
                figures.besieged = await load.run(seconds)
            output, _ = await asyncio.to_thread(attackers.communicate)
            assert attackers.returncode == 0
        figures.attacks = json.loads(output)
        await asyncio.sleep(RECOVERY_SECONDS)
        with self.measure_cores(figures):
            figures.after = await load.run(quiet_seconds)
        figures.memory_mb = [before, sizes[len(sizes) // 2], max(sizes), resident_mb(self.service)]

    def use_everything(self) -> None:
        """Read everything once: what is made or imported on its first use is no attack's doing."""
        token = {"Authorization": f"Bearer {self.service.report_token}"}
        for path in (*CHEAP, DEAR):
            httpx.get(f"{self.service.url}{path}", headers=token, timeout=60)

    @contextmanager
    def measure_cores(self, figures: Figures) -> Iterator[None]:
        """Add how much of a core the service's process takes while the block lasts."""
        spent, began = cpu_seconds(self.service), time.monotonic()
        yield
        figures.cores.append((cpu_seconds(self.service) - spent) / (time.monotonic() - began))

    @contextmanager
    def attack(self, seconds: float) -> Iterator["subprocess.Popen[str]"]:
        """Have the attackers run."""
        service = self.service
        secrets = (service.write_key, service.report_token)
        arguments = (service.port, *secrets, self.seed, self.force, seconds, *self.only)
        command = [sys.executable, "-m", "tests.siege.attacks", *map(str, arguments)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            try:
                yield process
            finally:
                process.kill()

    @contextmanager
    def sample_memory(self) -> Iterator[list[float]]:
        """Collect the size of the service while the block lasts."""
        sizes = [resident_mb(self.service)]
        over = threading.Event()

        def sample() -> None:
            while not over.wait(SAMPLE_SECONDS):
                sizes.append(resident_mb(self.service))

        thread = threading.Thread(target=sample)
        thread.start()
        try:
            yield sizes
        finally:
            over.set()
            thread.join()

    def is_ready(self) -> bool:
        """Return whether everything is as it was."""
        answer = httpx.get(f"{self.service.url}/readyz", timeout=30)
        return answer.status_code == 200 and bool(answer.json()["status"] == "ok")
