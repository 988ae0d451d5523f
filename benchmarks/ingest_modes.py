"""`/v1/track` and `/v1/batch` in log mode, on the spool and on NATS, against direct mode, by turns in one
run; and how many rows a second of Postgres's CPU takes while a log is drained."""

import asyncio
import shlex
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Final

import httpx
import typer
from rich.console import Console
from rich.table import Table

from app.ingest.drain import MOST_ROWS
from app.ingest.stream_line import LOOK_SECONDS
from app.postgres import open_server
from app.store import migrations
from benchmarks.batch import BATCH_EVENTS, BATCHES_A_SECOND, build_bodies, post_all
from benchmarks.drain import drain, fill
from benchmarks.load import find_wrk, measure, write_templates
from benchmarks.servers import TICKS, Server, run_service
from tests.nats import running

MODES: Final = ("direct", "log", "nats")  # the last: a log in one NATS server on the same machine
TRACK_CONNECTIONS: Final = 64
BATCH_CONNECTIONS: Final = 8
WARM_UP_SECONDS: Final = 2
DEADLINE_MS: Final = "10000"  # so that on a busy machine nothing is refused, nor spooled in direct mode
CATCH_UP_SECONDS: Final = 300.0
ENTRY_ROWS: Final = (25, 500)  # as `/v1/track` and `/v1/batch` fill a log
EXAMPLE: Final = "Example: python3 dev.py bench ingest_modes --seconds 6 --rounds 3"


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one way in took: events a second, the seconds until Postgres had all of it, and what an event
    cost the worker and Postgres by then, in microseconds of CPU."""

    events_per_second: float
    catch_up_seconds: float
    worker_cost: float
    postgres_cost: float


def catch_up(server: Server) -> float:
    """Return the seconds until nothing waits in the log. Raises TimeoutError."""
    began = time.monotonic()
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
        while is_behind(client):
            if time.monotonic() - began > CATCH_UP_SECONDS:
                raise TimeoutError("the log is not drained")
            time.sleep(0.05)
    return time.monotonic() - began


def is_behind(client: httpx.Client) -> bool:
    """Return whether something is not in Postgres yet."""
    readiness = client.get("/readyz").json()
    if "log" in readiness:  # what it says of a stream is a second old
        time.sleep(LOOK_SECONDS)
        readiness = client.get("/readyz").json()
    return bool(readiness["spool"]["entries"] or readiness.get("log", {}).get("entries"))


@contextmanager
def settle(mode: str, folder: Path) -> Iterator[dict[str, str]]:
    """Yield the settings of a mode, with what it needs beside the service."""
    settings = {"TELEMETRY_INGEST": mode, "TELEMETRY_DEADLINE_MS": DEADLINE_MS}
    if mode != "nats":
        yield settings
        return
    with running(folder / "nats") as node:
        yield settings | {"TELEMETRY_INGEST": "log", "TELEMETRY_LOG_URL": node.url}


def measure_mode(mode: str, folder: Path, seconds: int) -> Iterator[tuple[str, Measurement]]:
    """Measure both ways in on a new installation; `/v1/track` first."""
    templates = folder / "templates"
    write_templates(templates)
    with settle(mode, folder) as settings, run_service(folder, settings) as server:

        def track() -> int:
            seen = measure(server, templates, TRACK_CONNECTIONS, seconds)
            if seen.errors:
                raise RuntimeError(f"{seen.errors} requests failed")
            return seen.answered

        def batch() -> int:
            taken = asyncio.run(post_all(server, bodies, BATCH_CONNECTIONS, seconds, gzipped=False))
            return taken * BATCH_EVENTS

        measure(server, templates, TRACK_CONNECTIONS, WARM_UP_SECONDS)
        catch_up(server)
        yield "/v1/track", observe(server, folder, track)
        bodies = build_bodies(seconds * BATCHES_A_SECOND, 0)
        yield "/v1/batch", observe(server, folder, batch)


def observe(server: Server, folder: Path, send: Callable[[], int]) -> Measurement:
    """Return what it took to send some events, of which `send` returns the number."""
    worker, postgres, began = server.cpu_seconds, postgres_cpu(folder), time.monotonic()
    events = send()
    elapsed = time.monotonic() - began
    waited = catch_up(server)
    costs = server.cpu_seconds - worker, postgres_cpu(folder) - postgres
    return Measurement(events / elapsed, waited, *(cost / events * 1e6 for cost in costs))


def postgres_cpu(folder: Path) -> float:
    """Return the seconds of CPU that all processes of the Postgres in a folder have used, ended ones too."""
    [pid_file] = folder.rglob("postmaster.pid")
    pid = pid_file.read_text("ascii").split("\n", 1)[0]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    stats = [Path(f"/proc/{each}/stat").read_text("ascii").rpartition(")")[2].split() for each in children]
    own = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    ticks = sum(int(each[11]) + int(each[12]) for each in [*stats, own]) + int(own[13]) + int(own[14])
    return ticks / TICKS


def measure_drain(rows: int, entry_rows: int) -> tuple[float, float]:
    """Drain a log of so many rows; return rows a second, and rows a second of Postgres's CPU."""
    with tempfile.TemporaryDirectory(prefix="drain-") as home, open_server(Path(home)) as server:
        migrations.migrate(server.url)
        spool = Path(home) / "spool"
        fill(spool, rows // entry_rows, entry_rows)
        before = postgres_cpu(Path(home))
        seconds = asyncio.run(drain(server.url, spool, MOST_ROWS))
        used = postgres_cpu(Path(home)) - before
    drained = rows // entry_rows * entry_rows
    return drained / seconds, drained / used


def render(measurements: dict[tuple[str, str], list[Measurement]]) -> Table:
    """Return a row for each way in and mode; ratios are of log mode to direct mode in the same round."""
    table = Table(title="log mode against direct mode, one worker, default fsync, sender on the same machine")
    for column in (
        "way in",
        "mode",
        "events/s",
        "x direct",
        "median",
        "worker, us",
        "Postgres, us",
        "behind, s",
    ):
        table.add_column(column, justify="left" if column in ("way in", "mode") else "right")
    for (path, mode), seen in measurements.items():
        direct = measurements[path, "direct"]
        ratios = [b.events_per_second / a.events_per_second for a, b in zip(direct, seen, strict=True)]
        table.add_row(
            path,
            mode,
            "  ".join(f"{each.events_per_second:,.0f}" for each in seen),
            "  ".join(f"{each:.2f}" for each in ratios),
            f"{median(ratios):.2f}",
            f"{median(each.worker_cost for each in seen):.0f}",
            f"{median(each.postgres_cost for each in seen):.0f}",
            f"{median(each.catch_up_seconds for each in seen):.1f}",
        )
    return table


def main(
    seconds: Annotated[int, typer.Option(help="Seconds of load for each figure.", min=1)] = 6,
    rounds: Annotated[int, typer.Option(help="How often, one mode and the other by turns.", min=1)] = 3,
    rows: Annotated[int, typer.Option(help="Rows of the log that is drained; 0: none is.", min=0)] = 100_000,
) -> None:
    """Measure log mode beside direct mode, then draining by itself."""
    find_wrk()
    measurements: dict[tuple[str, str], list[Measurement]] = defaultdict(list)
    for number in range(rounds):
        for mode in MODES if number % 2 == 0 else MODES[::-1]:
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                for path, measurement in measure_mode(mode, Path(folder), seconds):
                    measurements[path, mode].append(measurement)
    console = Console(width=140)
    console.print(render(measurements))
    for entry_rows in ENTRY_ROWS if rows else ():
        drained = [measure_drain(rows, entry_rows) for _ in range(rounds)]
        per_second, per_cpu = ([f"{each:,.0f}" for each in column] for column in zip(*drained, strict=True))
        console.print(
            f"draining entries of {entry_rows} rows, rows/s: {'  '.join(per_second)}; "
            f"rows a second of Postgres's CPU: {'  '.join(per_cpu)}",
            highlight=False,
        )
    console.print(f"command: python -m benchmarks.ingest_modes {shlex.join(sys.argv[1:])}", highlight=False)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command(epilog=EXAMPLE)(main)
    app()
