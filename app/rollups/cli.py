"""The command `rebuild`."""

import datetime as dt
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.problems import TelemetryError
from app.rollups import rebuild as rebuilding
from app.settings import load_settings
from app.store.database import hold, open_admin_engine


def rebuild(
    from_: Annotated[
        str | None,
        typer.Option(
            "--from", help="The first UTC day to make anew, YYYY-MM-DD; default all.", metavar="DATE"
        ),
    ] = None,
) -> None:
    """Make attempts and daily sums anew from the stored events; the service may go on meanwhile.

    Days whose events were dropped are frozen and stay as they are.

    Example: pyairbyte-telemetry rebuild --from 2026-11-01
    """
    since = None if from_ is None else read_day(from_)
    with hold(load_settings()) as database, open_admin_engine(database.url).connect() as connection:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("Reading events", total=None)

            def advance(done: int, total: int) -> None:
                progress.update(task, description="Rebuilding buckets", completed=done, total=total)

            rows = rebuilding.rebuild(connection, since, advance)
    typer.echo(f"Rebuilt from {since or 'the first event on'}: {rows:,} rows of attempts.")


def read_day(given: str) -> dt.date:
    """A day as YYYY-MM-DD. Raises TelemetryError."""
    try:
        return dt.datetime.strptime(given, "%Y-%m-%d").replace(tzinfo=dt.UTC).date()
    except ValueError:
        raise TelemetryError("--from takes a day as YYYY-MM-DD, such as 2026-11-01.") from None
