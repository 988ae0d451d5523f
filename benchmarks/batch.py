"""`/v1/batch` with 500 events, plain and gzip, against COPY of the same rows into the same table."""

import asyncio
import gzip
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated, Final

import httpx
import orjson
import psycopg
import typer
from rich.console import Console
from rich.table import Table

from app.postgres import open_server
from benchmarks.load import list_events
from benchmarks.servers import WRITE_KEY, Server, machine_cpu, run_service

BATCH_EVENTS: Final = 500
PAUSE_SECONDS: Final = 0.2
BATCHES_A_SECOND: Final = 60  # bodies made ahead for each second of load; more than the service takes
CASES: Final = ((1, (1, 8)), (2, (16,)))  # workers, and over how many connections
EXAMPLE: Final = "Example: python3 dev.py bench batch --seconds 5"


@dataclass(frozen=True, slots=True)
class Measurement:
    """Rows a second, and who used which share of a core."""

    name: str
    rows_per_second: float
    rows: int
    server_cpu: float | None = None
    generator_cpu: float | None = None
    machine_cpu: float | None = None
    peak_mb: float | None = None


def build_bodies(count: int, number: int) -> list[bytes]:
    """`count` bodies of 500 distinct live events; `number` is the first one's, so that
    runs do not repeat each other."""
    templates = list(list_events(5_000))
    now = datetime.now(UTC).replace(microsecond=0)
    numbered = enumerate(cycle(templates), number)
    bodies = []
    for _ in range(count):
        events = [distinct(body, now, each) for each, body in islice(numbered, BATCH_EVENTS)]
        bodies.append(orjson.dumps({"batch": events}))
    return bodies


def distinct(body: dict[str, object], now: datetime, number: int) -> dict[str, object]:
    """Return the event with a session (shared by four) and a moment of its own."""
    properties = body["properties"]
    assert isinstance(properties, dict)  # noqa: S101 -- narrows the type
    session_id = f"{str(properties['session_id'])[:18]}{number // 4:08d}"
    moment = (now + timedelta(microseconds=number)).isoformat()
    return body | {"properties": properties | {"session_id": session_id}, "timestamp": moment}


async def post_all(
    server: Server, bodies: list[bytes], connections: int, seconds: int, *, gzipped: bool
) -> int:
    """Post bodies over some connections until the time or the bodies are used up; how many were taken."""
    headers = {"Content-Type": "application/json"} | ({"Content-Encoding": "gzip"} if gzipped else {})
    deadline = time.monotonic() + seconds
    remaining, taken = iter(bodies), 0
    async with httpx.AsyncClient(
        base_url=server.url, auth=(WRITE_KEY, ""), headers=headers, timeout=30, trust_env=False
    ) as client:

        async def work() -> None:
            nonlocal taken
            for body in remaining:
                answer = await client.post("/v1/batch", content=body)
                if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:  # others want the machine, too
                    await asyncio.sleep(PAUSE_SECONDS)
                    continue
                answer.raise_for_status()
                taken += 1
                if time.monotonic() > deadline:
                    return

        await asyncio.gather(*(work() for _ in range(connections)))
    return taken


def measure_posts(server: Server, connections: int, seconds: int, number: int) -> Iterator[Measurement]:
    """Plain and gzip; `number` is the first event's."""
    for gzipped in (False, True):
        bodies = build_bodies(seconds * BATCHES_A_SECOND, number)
        number += len(bodies) * BATCH_EVENTS
        if gzipped:
            bodies = [gzip.compress(body, 6) for body in bodies]
        workers = len(server.workers)
        before = (time.monotonic(), server.cpu_seconds, time.process_time(), machine_cpu())
        taken = asyncio.run(post_all(server, bodies, connections, seconds, gzipped=gzipped))
        elapsed = time.monotonic() - before[0]
        yield Measurement(
            f"{'gzip' if gzipped else 'plain'}, {connections} connection(s), {workers} worker(s)",
            taken * BATCH_EVENTS / elapsed,
            taken * BATCH_EVENTS,
            (server.cpu_seconds - before[1]) / elapsed,
            (time.process_time() - before[2]) / elapsed,
            (machine_cpu() - before[3]) / elapsed,
            server.peak_mb,
        )


def measure_copies(url: str) -> Iterator[Measurement]:
    """COPY the rows that the service stored into the emptied table: at once, and in transactions of 500."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        with connection.cursor().copy(
            "COPY (SELECT * FROM events ORDER BY received_at, occurred_at) TO STDOUT"
        ) as copy:
            rows = b"".join(bytes(chunk) for chunk in copy).splitlines(keepends=True)
        for name, size in (
            ("COPY, one transaction", len(rows)),
            ("COPY, 500 rows a transaction", BATCH_EVENTS),
        ):
            connection.execute("TRUNCATE events")
            connection.execute("CHECKPOINT")
            began = time.monotonic()
            for start in range(0, len(rows), size):
                with connection.cursor().copy("COPY events FROM STDIN") as copy:
                    copy.write(b"".join(rows[start : start + size]))
            yield Measurement(
                f"{name} ({len(rows):,} rows)", len(rows) / (time.monotonic() - began), len(rows)
            )


def render(measurements: list[Measurement]) -> Table:
    """Return one row a way in; the ratio is to COPY in one transaction."""
    reference = next(each.rows_per_second for each in measurements if each.name.startswith("COPY, one"))
    table = Table(title="/v1/batch, 500 events a request, default fsync, sender on the same machine")
    table.add_column("way in")
    for column in ("rows/s", "x COPY", "worker CPU", "sender CPU", "machine CPU", "peak MB"):
        table.add_column(column, justify="right")
    for each in measurements:
        shares = [each.server_cpu, each.generator_cpu, each.machine_cpu]
        table.add_row(
            each.name,
            f"{each.rows_per_second:,.0f}",
            f"{each.rows_per_second / reference:.2f}",
            *("-" if share is None else f"{share:.2f}" for share in shares),
            "-" if each.peak_mb is None else f"{each.peak_mb:.0f}",
        )
    return table


def main(seconds: Annotated[int, typer.Option(help="Seconds of load for each row.", min=1)] = 4) -> None:
    """Measure /v1/batch beside COPY."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        measurements: list[Measurement] = []
        for workers, numbers in CASES:
            with run_service(Path(folder), {"TELEMETRY_WORKERS": str(workers)}) as server:
                for connections in numbers:
                    number = len(measurements) * seconds * BATCHES_A_SECOND * BATCH_EVENTS
                    measurements += measure_posts(server, connections, seconds, number)
        with open_server(Path(folder)) as database:
            measurements += measure_copies(database.url)
    console = Console(width=120)
    console.print(render(measurements))
    console.print(f"command: python -m benchmarks.batch {shlex.join(sys.argv[1:])}", highlight=False)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command(epilog=EXAMPLE)(main)
    app()
