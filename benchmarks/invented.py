"""What 100,000 invented versions do to reports: their CPU before and after a stranger sends them."""

import base64
import datetime as dt
import json
import shlex
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, text

from app.postgres import open_server
from app.reports import registry
from app.reports.parsing import parse
from app.reports.run import reading, run
from app.rollups.worker import drain
from app.store.database import open_engine
from benchmarks.reports import CALLS, settle
from benchmarks.servers import WRITE_KEY, Server, run_service

TIMES: Final = 3
BATCH: Final = 500
GOAL: Final = 1.3
EXAMPLE: Final = (
    "Example: python3 dev.py bench invented --data-dir DIR, of a DIR that bench reports has filled"
)


def invent(events: int) -> Iterator[bytes]:
    """Yield batches of syncs, each by a user of its own with versions that nobody has."""
    now = dt.datetime.now(dt.UTC)
    for first in range(0, events, BATCH):
        batch = [
            {
                "type": "track",
                "anonymousId": f"00000000-0000-4000-8000-{number:012x}",
                "event": "sync",
                "timestamp": (now - dt.timedelta(milliseconds=number)).isoformat(),
                "properties": {
                    "session_id": f"01M8{number:022d}",
                    "state": "failed",
                    "application_hash": "1ca1a99b5402cadc0832d624ce05678fd106be2c486617b1d4568b52ade12430",
                    "version": f"{number % 100}.{number // 100 % 100}.{number // 10_000}",
                    "source": {
                        "name": "source-faker",
                        "version": f"{number // 1_000}.{number // 10 % 100}.{number % 10}",
                    },
                    "cache": {"type": "DuckDBCache"},
                    "exception": {"class": "AirbyteConnectorFailedError"},
                },
            }
            for number in range(first, min(first + BATCH, events))
        ]
        yield json.dumps({"batch": batch}).encode()


def attack(server: Server, events: int) -> None:
    """Post them all."""
    credentials = base64.b64encode(f"{WRITE_KEY}:".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
    for body in invent(events):
        request = urllib.request.Request(f"{server.url}/v1/batch", body, headers)  # noqa: S310 -- our own URL
        while not post(request):
            time.sleep(0.5)  # as it is told to, while it has enough to do


def post(request: urllib.request.Request) -> bool:
    """Return whether the service took it; not, if it is to be sent again."""
    try:
        urllib.request.urlopen(request, timeout=60).close()  # noqa: S310
    except urllib.error.HTTPError as refusal:
        if refusal.code not in (429, 503):
            raise
        return False
    return True


def measure(engine: Engine) -> dict[str, float]:
    """Return the ms of CPU of each report, of the backend and its own, the least of several."""
    found: dict[str, float] = {}
    for name, given in CALLS:
        report = registry.find(name)
        # Of today, on which the stranger came.
        asked = {**given, **({"until": "today"} if "until" in report.parameters else {})}
        times = []
        for _ in range(TIMES):
            now = dt.datetime.now(dt.UTC)
            with reading(engine) as connection:
                status = Path(
                    f"/proc/{connection.execute(text('SELECT pg_backend_pid()')).scalar()}/schedstat"
                )
                backend, own = int(status.read_text("ascii").split()[0]), time.thread_time_ns()
                run(report, parse(report, asked.items(), now), connection, now)
                spent = int(status.read_text("ascii").split()[0]) - backend + time.thread_time_ns() - own
            times.append(spent / 1e6)
        found[" ".join([name, *given.values()])] = min(times)
    return found


def look(data_dir: Path) -> tuple[dict[str, float], dict[str, int]]:
    """Return what reports take, and how many words there are."""
    tables = ("routes", "environments", "words", "unit_days")
    with open_server(data_dir, create=False) as database:
        drain(database.url)
        settle(database.url)
        engine = open_engine(database.url)
        with reading(engine) as connection:
            words = {
                name: int(connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one())
                for name in tables
            }
        found = measure(engine)
        engine.dispose()
    return found, words


def main(
    data_dir: Annotated[Path, typer.Option(help="What bench reports has filled; it is changed.")],
    events: Annotated[int, typer.Option(help="How many events, each with versions of its own.")] = 100_000,
) -> None:
    """Measure the reports, send events with invented versions, and measure the reports again."""
    before, words_before = look(data_dir)
    with run_service(data_dir, {"TELEMETRY_LIMIT_LOOPBACK": "false"}) as server:
        attack(server, events)
    after, words_after = look(data_dir)
    table = Table("", "before", "after", "ratio", title=f"{events:,} events; CPU of reports in ms")
    for name, spent in before.items():
        table.add_row(name, f"{spent:,.0f}", f"{after[name]:,.0f}", f"{after[name] / spent:.2f}")
    for name, number in words_before.items():
        table.add_row(f"rows of {name}", f"{number:,}", f"{words_after[name]:,}", "")
    console = Console(width=100)
    console.print(table)
    console.print(f"Goal: every report at most {GOAL}", highlight=False)
    console.print(f"command: python -m benchmarks.invented {shlex.join(sys.argv[1:])}", highlight=False)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command(epilog=EXAMPLE)(main)
    app()
