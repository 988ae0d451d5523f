"""The command `rebuild`."""

import datetime as dt
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.privacy.pseudonyms import from_text
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
    session: Annotated[
        str | None,
        typer.Option(
            help="Recompute one quarantined session, by its key in `doctor`, and let it go.", metavar="KEY"
        ),
    ] = None,
) -> None:
    """Make attempts and daily sums anew from the stored events; the service may go on meanwhile.

    Days whose events were dropped are frozen and stay as they are.

    Example: pyairbyte-telemetry rebuild --from 2026-11-01
    """
    if session is not None:
        rebuild_one(session, from_)
        return
    since = None if from_ is None else read_day(from_)
    with hold(load_settings()) as database, open_admin_engine(database.url).connect() as connection:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("Reading events", total=None)

            def advance(done: int, total: int) -> None:
                progress.update(task, description="Rebuilding buckets", completed=done, total=total)

            rows = rebuilding.rebuild(connection, since, advance)
    typer.echo(f"Rebuilt from {since or 'the first event on'}: {rows:,} rows of attempts.")


def rebuild_one(session: str, from_: str | None) -> None:
    """Recompute one session. Raises TelemetryError for a key that is none, or with --from."""
    if from_ is not None:
        raise TelemetryError("--session and --from do not go together: a session is recomputed as a whole.")
    try:
        key = from_text(session)
    except ValueError:
        raise TelemetryError("--session takes a key as `doctor` prints it.") from None
    with hold(load_settings()) as database, open_admin_engine(database.url).connect() as connection:
        rows = rebuilding.rebuild_session(connection, key)
    typer.echo(f"Recomputed: {rows:,} rows of attempts.")


def read_day(given: str) -> dt.date:
    """Return a day as YYYY-MM-DD. Raises TelemetryError."""
    try:
        return dt.datetime.strptime(given, "%Y-%m-%d").replace(tzinfo=dt.UTC).date()
    except ValueError:
        raise TelemetryError("--from takes a day as YYYY-MM-DD, such as 2026-11-01.") from None
