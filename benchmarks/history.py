"""`/v1/track` with an empty database and with millions of events stored, in one run: what an event costs
must not grow with history."""

import datetime as dt
import os
import shlex
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import psycopg
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sqlalchemy import create_engine, text

from app.postgres import open_server
from app.store import partitions
from app.store.database import open_admin_engine
from app.upkeep.reindexing import reindex
from benchmarks.load import Measurement, find_wrk, measure, write_templates
from benchmarks.servers import run_service

CONNECTIONS: Final = 64
WARM_UP_SECONDS: Final = 2
WEEKS: Final = 13  # as much as is kept
GOAL: Final = 0.9
EXAMPLE: Final = "Example: python3 dev.py bench history --events 20000000 (about ten minutes, 8 GB of disk)"
# Events of 20,000 users, four a session, spread over a week in the order of their clocks.
FILL: Final = """
    INSERT INTO events (
        occurred_at, received_at, number_of_records, bucket, write_key, first_run, event, state, message_key,
            anonymous_id,
        session_key, application_hash, setup, source_executor_type, cache_type, version, python_version, os,
        source_name, source_version
    )
    SELECT
        at, at, 1000, user_number %% 4096, 1, false, 'sync', CASE WHEN number %% 2 = 0 THEN 'started'
            ELSE 'succeeded' END::event_state,
        hashtextextended(gen_random_uuid()::text, 0), hashtextextended('user ' || user_number, 0),
            hashtextextended('session ' || %(first)s || ' ' || number / 4, 0),
        hashtextextended('application ' || user_number, 0), hashtextextended('config ' || user_number, 0),
            'VenvExecutor', 'DuckDBCache', '0.71.3',
        '3.11.7 (CPython)', 'Linux', 'source-' || md5((user_number %% 600)::text), '1.2.3'
    FROM (
        SELECT
            number, %(week)s::timestamptz + number * (interval '7 days' / %(events)s) AS at,
            (number / 4 * 7919::bigint) %% 20000 AS user_number
        FROM generate_series(0, %(events)s - 1) AS number
    ) AS numbers
"""


def fill(url: str, events: int) -> None:
    """Store so many events in the weeks before this one, indexes included, and let
    autovacuum have nothing left to do."""
    this_week = partitions.monday(dt.datetime.now(dt.UTC))
    weeks = [this_week - number * partitions.WEEK for number in range(1, WEEKS + 1)]
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        for week in track(weeks, "Filling", console=Console(stderr=True), transient=True):
            connection.execute(FILL, {"week": week, "events": events // WEEKS, "first": str(week)})
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def measure_both(events: int, seconds: int, folder: Path) -> Iterator[tuple[str, Measurement]]:
    """Yield the rate before and after, twice each in turn, so that a machine that gets slower is seen."""
    templates = folder / "templates"
    write_templates(templates)
    for name, path in (
        ("empty", folder / "empty"),
        ("filled", folder / "filled"),
        ("empty", folder / "empty"),
    ):
        if name == "filled":
            with run_service(path), open_server(path):
                pass  # made and migrated
            prepare(path, events)
        with run_service(path) as server:
            measure(server, templates, CONNECTIONS, WARM_UP_SECONDS, "/v1/track")
            yield name, measure(server, templates, CONNECTIONS, seconds, "/v1/track")


def prepare(path: Path, events: int) -> None:
    """Make the weeks' partitions and fill them."""
    with open_server(path) as database:
        this_week = partitions.monday(dt.datetime.now(dt.UTC))
        weeks = [this_week - number * partitions.WEEK for number in range(1, WEEKS + 1)]
        with create_engine(database.url).connect() as connection:
            partitions.make_all(connection, weeks)
        fill(database.url, events)
        with open_admin_engine(database.url).connect() as connection:
            reindex(connection, threading.Event())  # as the service does with every week that is over
            connection.execute(text("CHECKPOINT"))
        os.sync()  # gigabytes that are still on their way to the disk would be in the way of every commit


def main(
    events: Annotated[int, typer.Option(help="How many events are stored.", min=1000)] = 20_000_000,
    seconds: Annotated[int, typer.Option(help="Seconds of load for each row.", min=1)] = 8,
) -> None:
    """Measure /v1/track with an empty and with a full database."""
    find_wrk()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for name in ("empty", "filled"):
            (Path(folder) / name).mkdir()
        found = list(measure_both(events, seconds, Path(folder)))
    table = Table(
        title=f"/v1/track, {CONNECTIONS} connections, one worker; filled: {events:,} events in {WEEKS} weeks"
    )
    for column in ("database", "events/s", "p99 ms"):
        table.add_column(column, justify="left" if column == "database" else "right")
    for name, each in found:
        table.add_row(name, f"{each.events_per_second:,.0f}", f"{each.p99_ms:.1f}")
    console = Console(width=120)
    console.print(table)
    empty = max(each.events_per_second for name, each in found if name == "empty")
    filled = next(each.events_per_second for name, each in found if name == "filled")
    console.print(f"filled / empty (the better of two): {filled / empty:.2f}; goal: {GOAL}", highlight=False)
    console.print(f"command: python -m benchmarks.history {shlex.join(sys.argv[1:])}", highlight=False)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command(epilog=EXAMPLE)(main)
    app()
