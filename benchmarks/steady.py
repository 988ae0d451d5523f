"""/v1/track at half of its maximum rate: how long answers take, and whether a partition or a
draining spool stalls them."""

import datetime as dt
import shlex
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import psycopg
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine

from app.postgres import open_server
from app.store import partitions
from benchmarks.load import measure, write_templates
from benchmarks.paced import Answers, Requests, run_paced
from benchmarks.servers import Server, machine_cpu, run_service

CONNECTIONS: Final = 64
LEAD_SECONDS: Final = 2.0  # of load before something happens
LOCK_SECONDS: Final = 3.0
FIRST_WEEK: Final = dt.date(
    2024, 1, 1
)  # the Monday before the moment of clocks that are off: no partition is made for it by itself
EXAMPLE: Final = "Example: python3 dev.py bench steady --seconds 20"
FILL: Final = """
    INSERT INTO events_default (
        occurred_at, received_at, bucket, write_key, first_run, message_key, anonymous_id, session_key, event,
            state
    )
    SELECT %(week)s::date + n * interval '1 second', now(), 7, 1, false,
        hashtextextended(gen_random_uuid()::text, 0), hashtextextended(gen_random_uuid()::text, 0),
           hashtextextended(gen_random_uuid()::text, 0), 'sync', 'started'
    FROM generate_series(1, %(rows)s) AS n
"""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the load: its name, the rate that was asked for, the answers to what was due in it."""

    name: str
    rate: float
    answers: Answers
    seconds: float
    machine_cpu: float


@dataclass(slots=True)
class Span:
    """When something began and ended, on the clock of `time.monotonic`."""

    start: float = 0.0
    end: float = 0.0


def during(
    server: Server, rate: float, seconds: float, requests: Requests, act: Callable[[], Span]
) -> tuple[Answers, Span]:
    """Load for some seconds while `act` does something; the answers to what was due while it did."""
    spans: list[Span] = []

    def later() -> None:
        time.sleep(LEAD_SECONDS)
        spans.append(act())

    actor = threading.Thread(target=later)
    actor.start()
    answers = run_paced(server.url, rate, seconds, CONNECTIONS, requests)
    actor.join()
    [span] = spans
    return answers.between(span.start, span.end), span


def make_partitions(url: str, weeks: int, rows: int) -> Span:
    """Make partitions for which the default one holds rows; the filling comes before and is no part of it."""
    chosen = [FIRST_WEEK + partitions.WEEK * number for number in range(weeks)]
    engine = create_engine(url)
    with engine.connect() as connection:
        for week in chosen:
            connection.exec_driver_sql(FILL, {"week": week, "rows": rows})
        connection.commit()
        time.sleep(0.5)
        span = Span(time.monotonic())
        partitions.make_all(connection, chosen)
        span.end = time.monotonic()
    engine.dispose()
    return span


def drain_spool(url: str, server: Server) -> Span:
    """Hold the table back until the spool has filled for some seconds; the span is that of the draining."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        time.sleep(LOCK_SECONDS)
        connection.rollback()
    span = Span(time.monotonic())
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        while client.get("/readyz").json()["spool"]["entries"]:
            time.sleep(0.05)
    span.end = time.monotonic()
    return span


@contextmanager
def serve(folder: Path) -> Iterator[tuple[Server, str]]:
    """Yield the service and the URL of its database."""
    with run_service(folder) as server, open_server(folder) as database:
        yield server, database.url


def stretches(seconds: int, rate: float | None, rows: int, folder: Path) -> Iterator[Stretch]:
    """Quiet load, partitions being made, a spool being drained."""
    templates = folder / "templates"
    write_templates(templates)
    with serve(folder) as (server, url):
        measure(server, templates, CONNECTIONS, 2)
        highest = measure(server, templates, CONNECTIONS, 5).events_per_second
        half = rate or highest / 2
        requests = Requests(server.url.removeprefix("http://"), first=50_000_000)
        yield from (each(half) for each in plan(server, url, requests, seconds, rows))


def plan(
    server: Server, url: str, requests: Requests, seconds: int, rows: int
) -> list[Callable[[float], Stretch]]:
    """Return what to measure, in order; each takes the rate."""

    def quiet(rate: float) -> Stretch:
        before, began = machine_cpu(), time.monotonic()
        answers = run_paced(server.url, rate, seconds, CONNECTIONS, requests)
        elapsed = time.monotonic() - began
        return Stretch("nothing else", rate, answers, elapsed, (machine_cpu() - before) / elapsed)

    def busy(name: str, act: Callable[[], Span]) -> Callable[[float], Stretch]:
        def run(rate: float) -> Stretch:
            before, began = machine_cpu(), time.monotonic()
            answers, span = during(server, rate, LEAD_SECONDS + LOCK_SECONDS + seconds, requests, act)
            elapsed = time.monotonic() - began
            return Stretch(name, rate, answers, span.end - span.start, (machine_cpu() - before) / elapsed)

        return run

    return [
        quiet,
        busy(f"4 partitions made, {rows:,} rows moved into each", lambda: make_partitions(url, 4, rows)),
        busy(f"the spool of {LOCK_SECONDS:.0f} s drained", lambda: drain_spool(url, server)),
    ]


def render(found: list[Stretch]) -> Table:
    """Return one row a stretch."""
    table = Table(
        "while", title=f"/v1/track at half of the maximum rate, {CONNECTIONS} connections, open loop"
    )
    for column in (
        "asked/s",
        "answers",
        "seconds",
        "p50 ms",
        "p99 ms",
        "longest answer ms",
        "longest gap ms",
        "not 200",
        "machine CPU",
    ):
        table.add_column(column, justify="right")
    for each in found:
        answers = each.answers
        figures: list[Any] = [
            f"{each.rate:,.0f}",
            f"{len(answers.took):,}",
            f"{each.seconds:.2f}",
            f"{answers.quantile_ms(0.5):.1f}",
            f"{answers.quantile_ms(0.99):.1f}",
            f"{answers.quantile_ms(1.0):.1f}",
            f"{answers.longest_gap_ms:.1f}",
            str(sum(n for status, n in answers.statuses.items() if status != b"200")),
            f"{each.machine_cpu:.2f}",
        ]
        table.add_row(each.name, *figures)
    return table


def main(
    seconds: Annotated[int, typer.Option(help="Seconds of load for each row.", min=1)] = 15,
    rate: Annotated[
        float | None, typer.Option(help="Requests a second; half of the maximum if absent.")
    ] = None,
    rows: Annotated[
        int, typer.Option(help="Rows of the default partition that move into each.", min=0)
    ] = 1_000,
) -> None:
    """Measure answers at half of the maximum rate: quiet, while partitions are made, while a spool drains."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        found = list(stretches(seconds, rate, rows, Path(folder)))
    console = Console(width=150)
    console.print(render(found))
    console.print("goals: p99 under 15 ms when quiet; no answer and no gap over 100 ms beside the others")
    console.print(f"command: python -m benchmarks.steady {shlex.join(sys.argv[1:])}", highlight=False)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command(epilog=EXAMPLE)(main)
    app()
