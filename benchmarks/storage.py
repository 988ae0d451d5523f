"""Bytes an event takes on disk, indexes included, against the JSON bodies of the same
events as PyAirbyte posts them."""

import asyncio
import datetime as dt
import json
import shlex
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from app.contract.document import ParsedEvent
from app.contract.vocabulary import shipped_connectors
from app.demo.fleet import FleetEvent, generate_events
from app.postgres import open_server
from app.privacy.projection import Arrival
from app.privacy.pseudonyms import Pseudonyms
from app.privacy.verdict import VerdictContext, judge
from app.rollups.rebuild import rebuild
from app.store import migrations
from app.store.database import open_admin_engine, open_write_engine
from app.store.events import Batch, insert
from app.upkeep.reindexing import reindex
from benchmarks.load import UNTIL

GOAL: Final = 0.5
HASH_KEY: Final = "the hash key of a benchmark, not of anybody"
EXAMPLE: Final = "Example: python3 dev.py bench storage --users 3000 --days 60"
SIZES: Final = """
    WITH leaves AS (
        SELECT inhrelid AS leaf FROM pg_inherits
        WHERE inhparent = 'events'::regclass AND pg_relation_size(inhrelid) > 0
    ), indexes AS (
        SELECT indisprimary, pg_relation_size(indexrelid) AS size FROM leaves JOIN pg_index ON indrelid = leaf
    )
    SELECT
        (SELECT sum(pg_table_size(leaf)) FROM leaves)::bigint,
        (SELECT sum(size) FROM indexes WHERE indisprimary)::bigint,
        (SELECT sum(size) FROM indexes WHERE NOT indisprimary)::bigint
"""
# With their indexes.
ROLLUPS: Final = """
    SELECT sum(pg_total_relation_size(name::regclass))::bigint
    FROM unnest(ARRAY['attempts', 'unit_days', 'connector_days', 'routes', 'environments', 'failures'])
        AS name
"""


def demo_events(users: int, days: int) -> Iterator[FleetEvent]:
    """Return the demo's events, in the order in which they were sent."""
    return generate_events(shipped_connectors(), users=users, days=days, seed=7, until=UNTIL)


async def store(url: str, events: Iterable[FleetEvent], batch: int) -> tuple[int, int]:
    """Judge and insert, `batch` events a transaction; how many were stored, and the bytes of their bodies."""
    verdict_context = VerdictContext(shipped_connectors(), Pseudonyms(HASH_KEY))
    engine = open_write_engine(url)
    stored = body_bytes = 0
    remaining = iter(events)
    async with engine.connect() as connection:
        while chosen := list(islice(remaining, batch)):
            arrivals = [Arrival(dt.datetime.fromtimestamp(each.at, dt.UTC), 1, b"key") for each in chosen]
            verdicts = [
                judge(ParsedEvent(each.body), at, verdict_context)
                for each, at in zip(chosen, arrivals, strict=True)
            ]
            outcomes = await insert(connection, Batch(verdicts))
            sizes = [
                len(json.dumps(each.body))
                for each, outcome in zip(chosen, outcomes, strict=True)
                if outcome == "accepted"
            ]
            stored += len(sizes)
            body_bytes += sum(sizes)
    await engine.dispose()
    return stored, body_bytes


def sizes_on_disk(url: str, *, reindexed: bool) -> tuple[int, int, int]:
    """Return bytes of the partitions of `events` that hold any: tables, primary keys, other indexes."""
    engine = open_admin_engine(url)
    with engine.connect() as connection:
        if reindexed:
            reindex(connection, threading.Event(), dt.datetime.fromtimestamp(UNTIL, dt.UTC))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as vacuum:
            vacuum.exec_driver_sql("VACUUM ANALYZE events")
        table, primary, other = connection.exec_driver_sql(SIZES).one()
    return table, primary, other


def size_of_rollups(url: str) -> int:
    """Return bytes of what the reports read, made of all that is stored."""
    with open_admin_engine(url).connect() as connection:
        rebuild(connection, None, lambda _done, _total: None)
        with connection.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as vacuum:
            vacuum.exec_driver_sql("VACUUM FULL attempts, unit_days, connector_days")
        return int(connection.exec_driver_sql(ROLLUPS).scalar_one())


def main(
    users: Annotated[int, typer.Option(help="Users of the demo's fleet.", min=1)] = 10_000,
    days: Annotated[int, typer.Option(help="Days that they send.", min=1)] = 60,
    batch: Annotated[int, typer.Option(help="Events a transaction.", min=1)] = 50,
) -> None:
    """Measure what the demo's events take on disk, as they came and once the
    weeks that are over were reindexed."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, open_server(Path(folder)) as database:
        migrations.migrate(database.url)
        stored, body_bytes = asyncio.run(store(database.url, demo_events(users, days), batch))
        bloated = sizes_on_disk(database.url, reindexed=False)
        reindexed = sizes_on_disk(database.url, reindexed=True)
        rollups = size_of_rollups(database.url)
    console = Console(width=120)
    console.print(f"{stored:,} events, {batch} a transaction, after VACUUM; bytes an event:", highlight=False)
    table = Table("what", "as they came", "weeks that are over reindexed")
    for number, name in enumerate(("table", "primary key", "index on session_key")):
        table.add_row(name, f"{bloated[number] / stored:.1f}", f"{reindexed[number] / stored:.1f}")
    table.add_row("all of it", f"{sum(bloated) / stored:.1f}", f"{sum(reindexed) / stored:.1f}")
    table.add_row("JSON body as sent", *[f"{body_bytes / stored:.1f}"] * 2)
    ratios = (f"{sum(sizes) / body_bytes:.3f}" for sizes in (bloated, reindexed))
    table.add_row(f"disk to body (goal {GOAL})", *ratios)
    table.add_row("rollups beside them", *[f"{rollups / stored:.1f}"] * 2)
    ratios = (f"{(sum(sizes) + rollups) / body_bytes:.3f}" for sizes in (bloated, reindexed))
    table.add_row("disk to body, rollups counted", *ratios)
    console.print(table)
    console.print(f"command: python -m benchmarks.storage {shlex.join(sys.argv[1:])}", highlight=False)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command(epilog=EXAMPLE)(main)
    app()
