"""What reports cost: with a million events and with twenty over the same users and days;
and which tables they read."""

import asyncio
import datetime as dt
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, Engine, create_engine, text

from app.postgres import open_server
from app.reports import registry
from app.reports.model import Report
from app.reports.parsing import parse
from app.reports.run import bind, reading, run, statement
from app.rollups.worker import drain
from app.store import migrations, partitions
from app.store.database import open_engine
from benchmarks.storage import demo_events, store

TIMES: Final = 7
COPIES: Final = 19
EXAMPLE: Final = (
    "Example: python3 dev.py bench reports --users 20000 (about ten minutes with --copies, 10 GB of disk)"
)
CALLS: Final[tuple[tuple[str, dict[str, str]], ...]] = (
    ("connectors", {}),
    ("connectors", {"window": "7d"}),
    ("connectors", {"window": "90d"}),
    ("connector", {"name": "source-faker"}),
    ("errors", {}),
    ("pairs", {}),
    ("caches", {}),
    ("platforms", {}),
    ("funnel", {}),
    ("data-quality", {}),
    ("registry-metrics", {}),
    ("home", {}),
    ("versions", {"connector": "source-faker"}),
    ("regressions", {}),
)
# The same users on the same days, with twenty times the events: what the rollups would make
# of them is done to the sums.
MULTIPLY: Final = """
    INSERT INTO events ({columns})
    SELECT {chosen}
    FROM events CROSS JOIN generate_series(1, {copies})
"""
SCALE: Final = """
    UPDATE unit_days SET succeeded = {times} * succeeded, failed = {times} * failed,
        canceled = {times} * canceled,
        open = {times} * open, records = {times} * records, orphans = {times} * orphans
"""


def fill(url: str, users: int, days: int) -> None:
    """Store the demo's events through the write statement, and roll them up."""
    with create_engine(url).connect() as connection:
        now = dt.datetime.now(dt.UTC)
        weeks = [partitions.monday(now) - number * partitions.WEEK for number in range(days // 7 + 3)]
        partitions.make_all(connection, weeks)
    asyncio.run(store(url, demo_events(users, days), 2000))
    drain(url)
    settle(url)


def multiply(url: str, copies: int) -> None:
    """Store every event `copies` times more."""
    with create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        names = list(
            connection.execute(
                text(
                    "SELECT attname FROM pg_attribute WHERE attrelid = 'events'::regclass AND attnum > "
                    "0 ORDER BY attnum"
                )
            ).scalars()
        )
        chosen = ", ".join(
            "hashtextextended(gen_random_uuid()::text, 0)" if name == "message_key" else name
            for name in names
        )
        connection.execute(text(MULTIPLY.format(columns=", ".join(names), chosen=chosen, copies=copies)))
        connection.execute(text(SCALE.format(times=copies + 1)))
    settle(url)


def settle(url: str) -> None:
    """Leave autovacuum nothing to do."""
    with create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("VACUUM (ANALYZE, FULL) unit_days"))
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text("CHECKPOINT"))


def measure(engine: Engine) -> Iterator[tuple[str, float]]:
    """Milliseconds of each report, the median of several."""
    for name, given in CALLS:
        report = registry.find(name)
        times = []
        for _ in range(TIMES):
            now = dt.datetime.now(dt.UTC)
            began = time.perf_counter()
            with reading(engine) as connection:
                run(report, parse(report, given.items(), now), connection, now)
            times.append(1000 * (time.perf_counter() - began))
        yield " ".join([name, *given.values()]), statistics.median(times)


def scans(connection: Connection, report: Report, given: dict[str, str]) -> int:
    """Return how many nodes of the plans of a report read events or the ledger."""
    now = dt.datetime.now(dt.UTC)
    values = bind(report, parse(report, given.items(), now), now)
    found = 0
    for stages in report.queries.values():
        plan = connection.execute(text(f"EXPLAIN {statement(stages).text}"), values).scalars()
        found += sum(" on events" in line or " on rejections" in line for line in plan)
    return found


@contextmanager
def folder_of(kept: Path | None) -> Iterator[Path]:
    """Yield the data dir: one that is kept, or a temporary one."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
    else:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            yield Path(folder)


def main(
    users: Annotated[int, typer.Option(help="Users of the demo's fleet.", min=10)] = 20_000,
    days: Annotated[int, typer.Option(help="Days of it.", min=1)] = 60,
    copies: Annotated[int, typer.Option(help="How many times more events to store then.", min=0)] = COPIES,
    data_dir: Annotated[
        Path | None, typer.Option(help="Keep the data here; what is there already is used.")
    ] = None,
) -> None:
    """Measure the reports before and after there are more events."""
    with folder_of(data_dir) as folder, open_server(folder, create=True) as server:
        migrations.migrate(server.url)
        engine = open_engine(server.url)
        with reading(engine) as connection:
            is_filled = connection.execute(text("SELECT EXISTS (SELECT 1 FROM unit_days)")).scalar()
        if not is_filled:
            fill(server.url, users, days)
        rounds = [count(engine) | dict(measure(engine))]
        if copies:
            multiply(server.url, copies)
            rounds.append(count(engine) | dict(measure(engine)))
        with reading(engine) as connection:
            reads = sum(scans(connection, registry.find(name), given) for name, given in CALLS)
        engine.dispose()
    show(rounds, reads)


def count(engine: Engine) -> dict[str, float]:
    """Return how much there is."""
    queries = {
        "events stored": "SELECT count(*) FROM events",
        "rows of unit_days": "SELECT count(*) FROM unit_days",
        "of the last 28 days": "SELECT count(*) FROM unit_days WHERE day > current_date - 28",
    }
    with reading(engine) as connection:
        return {name: float(connection.execute(text(query)).scalar_one()) for name, query in queries.items()}


def show(rounds: list[dict[str, float]], reads: int) -> None:
    """One row a figure, one column a round."""
    table = Table(title=f"Reports, median of {TIMES}, ms; one connection, no parallel workers")
    table.add_column("report")
    for found in rounds:
        table.add_column(f"{found['events stored'] / 1e6:.1f} M events", justify="right")
    table.add_column("ratio", justify="right")
    for name, first in rounds[0].items():
        cells = [f"{found[name]:,.0f}" for found in rounds]
        table.add_row(name, *cells, f"{rounds[-1][name] / first:.2f}" if first else "")
    console = Console(width=120)
    console.print(table)
    console.print(f"Nodes of the plans that read events or the ledger: {reads} (goal: 0)", highlight=False)
    console.print("Goals: connectors under 100 ms, ratio at most 1.3; connector under 50 ms", highlight=False)
    console.print(f"command: python -m benchmarks.reports {shlex.join(sys.argv[1:])}", highlight=False)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command(epilog=EXAMPLE)(main)
    app()
