"""The rollups beside a service at full rate: how far behind they are; and how fast they
are alone, against that rate."""

import shlex
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from app.postgres import open_server
from app.privacy.projection import BUCKETS
from app.rollups.recomputation import BY_INDEX, fill, prepare, query
from app.rollups.worker import MARKS, Worker
from app.store.tables import NOBODY
from benchmarks.load import find_wrk, measure, write_templates
from benchmarks.servers import run_service

CONNECTIONS: Final = 64
LOOK_SECONDS: Final = 0.2
GOAL_LAG: Final = 5.0
EXAMPLE: Final = "Example: python3 dev.py bench rollups --seconds 20"
LAG: Final = "SELECT extract(epoch FROM now() - min(received_at)) FROM dirty_sessions"
# Every session once more, as if nothing were rolled up.
MARK_ALL: Final = """
    INSERT INTO dirty_sessions (received_at, occurred_at, bucket, session_key, message_key)
    SELECT min(received_at), min(occurred_at), bucket, session_key, alone
    FROM (SELECT *, CASE WHEN session_key IS NULL THEN message_key END AS alone FROM events) AS events
    GROUP BY bucket, session_key, alone
"""


class Watch(threading.Thread):
    """Looks at the lag of the rollups until stopped."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self.ending = threading.Event()
        self.lags: list[float] = []

    def run(self) -> None:
        """Look every fifth of a second."""
        with self.engine.connect() as connection:
            while not self.ending.wait(LOOK_SECONDS):
                self.lags.append(float(connection.execute(text(LAG)).scalar() or 0.0))


def wait_until_caught_up(connection: Connection) -> float:
    """Return seconds until nothing is marked any more."""
    began = time.perf_counter()
    while connection.execute(text("SELECT EXISTS (SELECT 1 FROM dirty_sessions)")).scalar():
        time.sleep(LOOK_SECONDS / 4)
    return time.perf_counter() - began


def drain_alone(url: str) -> tuple[int, int, float]:
    """Roll everything up once more; how many events, sessions and seconds that were."""
    worker = Worker(url)
    with worker.engine.connect() as connection:
        prepare(connection)
        connection.execute(text(MARK_ALL))
        connection.commit()
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("VACUUM ANALYZE"))
    with worker.engine.connect() as connection:
        prepare(connection)
        began = time.perf_counter()
        sessions = 0
        while step := worker.step(connection):
            sessions += step
            worker.cooling.clear()
        seconds = time.perf_counter() - began
        events: int = connection.execute(text("SELECT count(*) FROM events")).scalar_one()
    return events, sessions, seconds


def scans(url: str) -> list[str]:
    """Sequential scans of events or ledger in the plan of one step."""
    worker = Worker(url)
    with worker.engine.connect() as connection:
        prepare(connection)
        connection.execute(text(MARK_ALL))
        buckets = list(range(BUCKETS))
        connection.execute(query("take_marks"), {"buckets": buckets, "postponed": [], "marks": MARKS})
        connection.execute(text(BY_INDEX))
        signals = fill("signals", "wanted", "accepted", "refused").text
        plan = connection.execute(text(f"EXPLAIN {signals}"), {"nobody": NOBODY}).scalars()
        found = [
            line.strip() for line in plan if "Seq Scan on events" in line or "Seq Scan on rejections" in line
        ]
        connection.rollback()
    return found


def main(seconds: Annotated[int, typer.Option(help="Seconds of load.", min=1)] = 20) -> None:
    """Measure lag and throughput of the rollups."""
    find_wrk()
    console = Console(width=120)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        templates = Path(folder) / "templates"
        write_templates(templates)
        with run_service(Path(folder)) as server, open_server(Path(folder)) as database:
            watch = Watch(database.url)
            watch.start()
            load = measure(server, templates, CONNECTIONS, seconds, "/v1/track")
            watch.ending.set()
            watch.join()
            with create_engine(database.url, isolation_level="AUTOCOMMIT").connect() as connection:
                behind = wait_until_caught_up(connection)
        with open_server(Path(folder)) as database:
            events, sessions, alone = drain_alone(database.url)
            found = scans(database.url)
    table = Table(
        title=f"Rollups, one worker, {CONNECTIONS} connections, a session of its own for every event"
    )
    table.add_column("what")
    table.add_column("", justify="right")
    rate = load.events_per_second
    for what, value in (
        ("ingestion, events/s, rollups beside it", f"{rate:,.0f}"),
        ("lag, median, s", f"{sorted(watch.lags)[len(watch.lags) // 2]:.1f}"),
        (f"lag, most, s (goal: {GOAL_LAG})", f"{max(watch.lags):.1f}"),
        ("caught up after the load, s", f"{behind:.1f}"),
        ("rollups alone, events/s", f"{events / alone:,.0f}"),
        ("rollups alone, sessions/s", f"{sessions / alone:,.0f}"),
        ("rollups alone / ingestion (goal: 1)", f"{events / alone / rate:.2f}"),
        ("sequential scans of events in the plan (goal: 0)", str(len(found))),
    ):
        table.add_row(what, value)
    console.print(table)
    console.print(f"command: python -m benchmarks.rollups {shlex.join(sys.argv[1:])}", highlight=False)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command(epilog=EXAMPLE)(main)
    app()
