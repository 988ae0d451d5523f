"""This version against an older one, in one run on one machine: CPU of storing, rolling up, reporting,
`/v1/track` and `/v1/batch`."""

import shlex
import statistics
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sqlalchemy import create_engine, text

from app.postgres import open_server
from benchmarks.baseline import Checkout, check_out, our_own, postmaster, tree_cpu
from benchmarks.batch import measure_copies, measure_posts
from benchmarks.load import find_wrk, measure, write_templates
from benchmarks.servers import run_service

FIRST: Final = "1f4fd3e"  # before the narrow store, the pages, and all else of 2026-11-27 and later
WHAT: Final = ("store", "reports", "track", "batch")
CONNECTIONS: Final = (64, 256)
SEGMENTS: Final = 70  # of 4 MB: more than min_wal_size keeps
OURS, THEIRS = "now", "then"
EXAMPLE: Final = "Example: python3 dev.py bench versus --what store --what track --rounds 3"

Sides = dict[str, Checkout]
Cpu = tuple[float, float]  # seconds: in all, and without what the kernel did
Found = dict[str, dict[str, list[float]]]  # by measure and side, a figure a round


def in_turns(number: int) -> tuple[str, str]:
    """Return the two sides, in an order that alternates by round."""
    return (THEIRS, OURS) if number % 2 else (OURS, THEIRS)


def compare_store(sides: Sides, found: Found, rounds: int, events: Path) -> None:
    """CPU of Postgres an event: of the write statement at 1,000 rows, and of rolling all of it up in large
    steps; and COPY of the rows into the same table."""
    for number in range(rounds):
        for side in in_turns(number):
            with (
                tempfile.TemporaryDirectory(prefix="bench-") as folder,
                open_server(Path(folder)) as database,
            ):
                sides[side].ask("migrate", database.url, events)
                write_ahead(database.url)
                server = postmaster(Path(folder))
                began = tree_cpu(server)
                stored = sides[side].ask("store", database.url, events, 1_000)
                written = tree_cpu(server)
                sides[side].ask("drain", database.url)
                note(found, side, "write statement, 1,000 rows: Postgres", (began, written), stored)
                note(found, side, "rollups, large steps: Postgres", (written, tree_cpu(server)), stored)
                rate = next(iter(measure_copies(database.url))).rows_per_second
                found["COPY, one transaction: rows/s"][side].append(rate)


def note(found: Found, side: str, name: str, looks: tuple[Cpu, Cpu], events: int) -> None:
    """Note the CPU an event between two looks; the kernel's part depends on the file system and its day."""
    for kind, begin, end in zip(("", ", without the kernel"), *looks, strict=True):
        found[f"{name}, us of CPU an event{kind}"][side].append(1e6 * (end - begin) / events)


def write_ahead(url: str) -> None:
    """Make the segments of WAL that are written again from then on: a new cluster makes each
    of them as it goes, which on some file systems costs more than what is written."""
    with create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        for _ in range(SEGMENTS):
            connection.execute(text("SELECT pg_logical_emit_message(false, '', ''), pg_switch_wal()"))
        connection.execute(text("CHECKPOINT"))


def compare_reports(sides: Sides, found: Found, rounds: int, events: Path) -> None:
    """CPU of every report that both have, cold, of backend and caller; the same events."""
    with ExitStack() as stack:
        urls = {}
        for side, checkout in sides.items():
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
            urls[side] = stack.enter_context(open_server(Path(folder))).url
            checkout.ask("migrate", urls[side], events)
            checkout.ask("store", urls[side], events, 2_000)
            checkout.ask("drain", urls[side])
            checkout.ask("settle", urls[side])
        for number in range(rounds):
            answers = {side: sides[side].ask("report", urls[side]) for side in in_turns(number)}
            for name in answers[OURS].keys() & answers[THEIRS].keys():
                for side in sides:
                    clock, spent = answers[side][name]
                    found[f"report {name}: ms of CPU"][side].append(spent)
                    found[f"report {name}: ms"][side].append(clock)


def compare_track(sides: Sides, found: Found, rounds: int, seconds: int) -> None:
    """Events a second of `/v1/track`, and the CPU of service and Postgres for one."""
    find_wrk()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        templates = Path(folder) / "templates"
        write_templates(templates)
        for number in range(rounds):
            for side in in_turns(number):
                data_dir = Path(folder) / side
                with run_service(data_dir, console=sides[side].console) as server:
                    measure(server, templates, CONNECTIONS[0], 1, "/v1/track")
                    for connections in CONNECTIONS:
                        before = tree_cpu(server.pid, postmaster(data_dir))
                        load = measure(server, templates, connections, seconds, "/v1/track")
                        after = tree_cpu(server.pid, postmaster(data_dir))
                        name = f"/v1/track, {connections} connections: "
                        found[f"{name}events/s"][side].append(load.events_per_second)
                        note(found, side, f"{name}service and Postgres", (before, after), load.answered)


def compare_batch(sides: Sides, found: Found, rounds: int, seconds: int) -> None:
    """Events a second of `/v1/batch`, 500 each over 8 connections, and the CPU of service and Postgres."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for number in range(rounds):
            for side in in_turns(number):
                data_dir = Path(folder) / side
                with run_service(data_dir, console=sides[side].console) as server:
                    plain = measure_posts(server, 8, seconds, 10_000_000 * number)
                    before = tree_cpu(server.pid, postmaster(data_dir))
                    load = next(iter(plain))
                    after = tree_cpu(server.pid, postmaster(data_dir))
                    name = "/v1/batch, 8 connections: "
                    found[f"{name}events/s"][side].append(load.rows_per_second)
                    note(found, side, f"{name}service and Postgres", (before, after), load.rows)


def render(found: Found, rounds: int) -> Table:
    """Return one row a measure: medians, their ratio, and the ratio of each round."""
    table = Table(title=f"{rounds} rounds in turns; medians")
    for column in ("measure", THEIRS, OURS, "ratio", "by round"):
        table.add_column(column, justify="left" if column == "measure" else "right")
    for name, sides in found.items():
        then, now = (statistics.median(sides[side]) for side in (THEIRS, OURS))
        each = [ours / theirs for ours, theirs in zip(sides[OURS], sides[THEIRS], strict=True)]
        table.add_row(
            name, f"{then:,.1f}", f"{now:,.1f}", f"{now / then:.2f}", ", ".join(f"{x:.2f}" for x in each)
        )
    return table


def main(  # noqa: PLR0913, PLR0917 -- a command line
    commit: Annotated[str, typer.Option(help="The older version; the default is the first one.")] = FIRST,
    what: Annotated[list[str] | None, typer.Option(help=f"Only these of {', '.join(WHAT)}.")] = None,
    rounds: Annotated[int, typer.Option(help="Times that each is measured, in turns.", min=1)] = 3,
    seconds: Annotated[int, typer.Option(help="Seconds of load, of track and batch.", min=1)] = 4,
    users: Annotated[int, typer.Option(help="Users of the demo's fleet, of store and reports.")] = 1_000,
    days: Annotated[int, typer.Option(help="Days of it.", min=1)] = 60,
) -> None:
    """Measure both versions in turns, so that what else the machine does meets both."""
    if unknown := set(what or ()) - set(WHAT):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: not one of {', '.join(WHAT)}")
    sides = {THEIRS: check_out(commit), OURS: our_own()}
    found: Found = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Progress(transient=True) as progress:
        events = Path(folder) / "events"
        chosen = [name for name in WHAT if not what or name in what]
        if {"store", "reports"} & set(chosen):
            sides[THEIRS].ask("draw", events, users, days)
        for name in progress.track(chosen):
            if name == "store":
                compare_store(sides, found, rounds, events)
            elif name == "reports":
                compare_reports(sides, found, rounds, events)
            elif name == "track":
                compare_track(sides, found, rounds, seconds)
            else:
                compare_batch(sides, found, rounds, seconds)
    console = Console(width=150)
    console.print(render(found, rounds))
    console.print(f"command: python -m benchmarks.versus {shlex.join(sys.argv[1:])}", highlight=False)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command(epilog=EXAMPLE)(main)
    app()
