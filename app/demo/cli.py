"""The verb `demo`: fills a service with a made-up fleet, so that every report has something to show."""

import asyncio
import datetime as dt
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.contract.vocabulary import shipped_connectors
from app.demo import publish
from app.demo.draw import DAY
from app.demo.fleet import FleetEvent, generate_events, list_versions
from app.demo.host import open_target
from app.demo.send import Batch, Summary, Target, send_events
from app.problems import TelemetryError
from app.settings import find_launcher, load_settings

HOUR_FORMAT: Final = "%Y-%m-%dT%H"


# Size: half of it says what it takes.
def demo(  # noqa: PLR0913, PLR0917 -- one argument an option
    users: Annotated[int, typer.Option(help="How many people use PyAirbyte.", min=1, max=200_000)] = 3000,
    days: Annotated[int, typer.Option(help="How many days back they did.", min=1, max=365)] = 60,
    seed: Annotated[int, typer.Option(help="The same seed gives the same fleet.")] = 7,
    url: Annotated[str | None, typer.Option(help="A running service, else the one configured.")] = None,
    write_key: Annotated[str | None, typer.Option(help="A write key of that service.")] = None,
    until: Annotated[
        dt.datetime | None, typer.Option(formats=[HOUR_FORMAT], help="The last hour (UTC); now by default.")
    ] = None,
) -> None:
    """Post a made-up fleet of PyAirbyte users through the HTTP API.

    Goes to the service on the configured port; if none runs, to one of its own.

    Twice within an hour adds nothing: the same events are recognised.

    Made-up users count like real ones: use a database without real events.

    A service without any event before gets its last month published, so that there is a public page to see.

    The failure rates are invented and say nothing about the real connectors.

    Example: pyairbyte-telemetry demo --users 500 --days 28
    """
    if url is not None and not url.startswith(("http://", "https://")):
        raise TelemetryError("--url takes an address such as http://127.0.0.1:8000")
    end = (until.replace(tzinfo=dt.UTC) if until else this_hour()).timestamp()
    events = generate_events(shipped_connectors(), users=users, days=days, seed=seed, until=end)
    console = Console()
    settings = load_settings()
    with open_target(settings, url, write_key) as target:
        is_ours = url is None and publish.ask(settings, publish.is_untouched)
        if is_ours:
            versions = list_versions(shipped_connectors(), days=days, seed=seed, until=end)
            publish.ask(settings, lambda connection: publish.bring_versions(connection, versions))
        summary = send_with_progress(console, events, target, end - days * DAY, end)
        is_published = is_ours and publish.ask(settings, publish.publish_last_month)
    rate = summary.events / summary.seconds if summary.seconds else 0.0
    console.print(f"{summary.events:,} events in {summary.seconds:.1f} s ({rate:,.0f}/s):", highlight=False)
    console.print(render(summary))
    if is_published:
        console.print("Last month's public figures are published: see [bold]/public[/bold]")
    console.print(f"What to fix first: [bold]{escape(called_as())} report connectors[/bold]", soft_wrap=True)


def called_as() -> str:
    """Return how the person at the terminal calls us: `dev.py` says so, else it is the program that runs."""
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        return "python3 -m app"
    at_hand = shutil.which(program.name) is not None
    return find_launcher() or (program.name if at_hand else str(program))


def this_hour() -> dt.datetime:
    """Return the beginning of the current hour, UTC."""
    return dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)


def send_with_progress(
    console: Console, events: Iterable[FleetEvent], target: Target, start: float, end: float
) -> Summary:
    """Send the events while a bar shows how far through the days they are; return the answers' counts."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"Posting to {target.url}", total=end - start)
        sent, reached = 0, 0.0

        def report(batch: Batch) -> None:
            nonlocal sent, reached
            sent += len(batch.events)
            reached = max(reached, batch.events[-1].at - start)
            progress.update(task, completed=reached, description=f"Posting to {target.url}: {sent:,} events")

        summary = asyncio.run(send_events(events, target, report))
        progress.update(task, completed=end - start)
    return summary


def render(summary: Summary) -> Table:
    """Return what became of the events, and what was refused or withheld in them."""
    table = Table("outcome", "why", box=box.SIMPLE_HEAD)
    table.add_column("events", justify="right")
    for outcome, count in summary.outcomes.most_common():
        table.add_row(outcome, "", f"{count:,}")
        if outcome == "rejected":
            for reason, part in summary.reasons.most_common():
                table.add_row("", reason, f"{part:,}", style="dim")
    if summary.unexpected:
        table.add_row(
            "not the outcome that the fleet was made for", "", f"{summary.unexpected:,}", style="red"
        )
    for path, count in summary.withheld.most_common():
        table.add_row("field withheld", path, f"{count:,}", style="dim")
    return table
