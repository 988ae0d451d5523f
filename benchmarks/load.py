"""The load: events of the demo fleet as templates for wrk, and what wrk measured."""

import base64
import json
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from app.contract.vocabulary import shipped_connectors
from app.demo.fleet import generate_events
from benchmarks.servers import WRITE_KEY, Server, machine_cpu

SCRIPT: Final = Path(__file__).with_name("track.lua")
SESSION_GAP: Final = "SESSIONS"  # 8 characters, no ULID holds them: wrk counts there
MOMENT_GAP: Final = "@"
UNTIL: Final = 1_795_000_000.0
INSTALL_WRK: Final = "wrk is missing: `apt-get install wrk` (Debian), `brew install wrk` (macOS)"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run of wrk: what it saw, and who used which share of a core (1.0 is one core)."""

    events_per_second: float
    p50_ms: float
    p99_ms: float
    errors: int
    answered: int
    server_cpu: float
    generator_cpu: float
    machine_cpu: float
    peak_mb: float


def list_events(count: int) -> Iterator[dict[str, object]]:
    """`count` accepted events of a current PyAirbyte, as the demo fleet sends them."""
    events = generate_events(shipped_connectors(), users=600, days=20, seed=11, until=UNTIL)
    plain = (
        event.body
        for event in events
        if event.outcome == "accepted" and not event.withheld and "messageId" not in event.body
    )
    modern = (
        body for body in plain if isinstance(body["properties"], dict) and "session_id" in body["properties"]
    )
    for _, body in zip(range(count), modern, strict=False):
        yield body


def cut_events(count: int) -> Iterator[str]:
    """Bodies as JSON with two gaps in place of the end of the session id and of the moment."""
    for body in list_events(count):
        properties = body["properties"]
        assert isinstance(properties, dict)  # noqa: S101 -- narrows the type
        session_id = str(properties["session_id"])[:18] + SESSION_GAP
        cut = body | {"properties": properties | {"session_id": session_id}, "timestamp": MOMENT_GAP}
        yield orjson.dumps(cut).decode()


def write_templates(path: Path, count: int = 5_000) -> None:
    """Write the request bodies that `track.lua` reads: one a line, cut at the two gaps."""
    lines = []
    for text in cut_events(count):
        before, rest = text.split(SESSION_GAP)
        between, after = rest.split(MOMENT_GAP)
        lines.append(f"{before}\t{between}\t+00:00{after}\n")
    path.write_text("".join(lines), "ascii")


def find_wrk() -> str:
    """Return the path of wrk. Exits, saying how to get it, where there is none."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit(INSTALL_WRK)
    return wrk


def measure(
    server: Server, templates: Path, connections: int, seconds: int, route: str = "/v1/track"
) -> Measurement:
    """Load the server with distinct events for some seconds."""
    credentials = base64.b64encode(f"{WRITE_KEY}:".encode()).decode()
    command = [find_wrk(), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(SCRIPT)]
    command += [server.url, "--", str(templates), server.url.removeprefix("http://"), route, credentials]
    before = (server.cpu_seconds, children_cpu(), machine_cpu(), time.monotonic())
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    after = (server.cpu_seconds, children_cpu(), machine_cpu(), time.monotonic())
    elapsed = after[3] - before[3]
    seen = json.loads(output.splitlines()[-1])
    return Measurement(
        events_per_second=(seen["requests"] - seen["bad_status"]) / seen["seconds"],
        p50_ms=seen["p50_ms"],
        p99_ms=seen["p99_ms"],
        errors=seen["bad_status"] + seen["socket_errors"],
        answered=seen["requests"] - seen["bad_status"],
        server_cpu=(after[0] - before[0]) / elapsed,
        generator_cpu=(after[1] - before[1]) / elapsed,
        machine_cpu=(after[2] - before[2]) / elapsed,
        peak_mb=server.peak_mb,
    )


def children_cpu() -> float:
    """Return seconds of CPU that ended child processes have used."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
