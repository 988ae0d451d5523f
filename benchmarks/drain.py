"""How long a spool takes to be drained: entry by entry, as before, and merged; real
spool files, a real Postgres."""

import asyncio
import datetime as dt
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from app.contract.document import ParsedEvent
from app.contract.vocabulary import shipped_connectors
from app.demo.fleet import generate_events
from app.ingest.circuit import Circuit
from app.ingest.committer import Committer
from app.ingest.drain import MOST_ROWS, Drain
from app.ingest.entries import dump
from app.ingest.spool import Spool
from app.ingest.spool_file import SpoolFile
from app.postgres import open_server
from app.privacy.projection import Arrival
from app.privacy.pseudonyms import Pseudonyms
from app.privacy.verdict import VerdictContext, judge
from app.store import migrations
from app.store.database import open_write_engine
from app.store.events import Batch
from app.store.lexicon import Lexicon
from benchmarks.load import UNTIL

EXAMPLE: Final = "Example: python3 dev.py bench drain --entries 401 --rows 25"
QUOTA: Final = 2**30
PATIENCE_SECONDS: Final = 600.0


def fill(folder: Path, entries: int, rows: int) -> None:
    """Leave a spool of a dead process with so many entries of so many events of the demo."""
    verdict_context = VerdictContext(
        shipped_connectors(), Pseudonyms("the hash key of a benchmark, not of anybody")
    )
    arrival = Arrival(dt.datetime.fromtimestamp(UNTIL, dt.UTC), 1, b"key")
    events = generate_events(shipped_connectors(), users=3000, days=60, seed=7, until=UNTIL)
    verdicts = (judge(ParsedEvent(event.body), arrival, verdict_context) for event in events)
    spool = SpoolFile.create(folder, QUOTA)
    for _ in range(entries):
        spool.append(dump(Batch(list(islice(verdicts, rows)))))
    spool.close()


async def drain(url: str, folder: Path, rows: int) -> float:
    """Return the seconds that draining takes, `rows` at a time."""
    engine = open_write_engine(url)
    committer = Committer(engine, Circuit(), Lexicon())
    spool = Spool(folder, QUOTA, committer.circuit)
    emptying = Drain(spool, committer, lambda: None, lambda _batch: None)
    emptying.most_rows = emptying.rows = rows
    await spool.tend()
    began = time.monotonic()
    await emptying.finish(PATIENCE_SECONDS)
    took = time.monotonic() - began
    await spool.close()
    await committer.close()
    await engine.dispose()
    return took


def main(
    entries: Annotated[int, typer.Option(help="Entries in the spool.")] = 401,
    rows: Annotated[int, typer.Option(help="Events in each.")] = 25,
    rounds: Annotated[int, typer.Option(help="How often, one way and the other by turns.")] = 3,
) -> None:
    """Drain the same spool entry by entry and merged, by turns; fsync is on."""
    ways = {"entry by entry": 1, "merged": MOST_ROWS}
    table = Table("way", "seconds", "best", title=f"{entries} entries of {rows} events")
    measured: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, at_most in ways.items():
            with tempfile.TemporaryDirectory(prefix="drain-") as home, open_server(Path(home)) as server:
                migrations.migrate(server.url)
                folder = Path(home) / "spool"
                fill(folder, entries, rows)
                measured[name].append(asyncio.run(drain(server.url, folder, at_most)))
    for name, seconds in measured.items():
        table.add_row(name, "  ".join(f"{each:.2f}" for each in seconds), f"{min(seconds):.2f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
