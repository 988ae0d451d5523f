"""The command `import`."""

import datetime as dt
import secrets as random
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, TaskID
from rich.table import Column, Table
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from app.admin import archives, history
from app.contract.vocabulary import shipped_connectors
from app.privacy.projection import Arrival
from app.privacy.pseudonyms import Pseudonyms
from app.privacy.verdict import VerdictContext
from app.problems import TelemetryError
from app.settings import Settings, load_settings
from app.store import connectors, keys, preparation, secrets
from app.store.database import hold, open_admin_engine, open_write_engine

MOST_REFUSED: Final = 0.1
TOO_MANY_REFUSED: Final = 2  # exit status


def import_(  # Size: one argument an option, as typer wants them
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Files of JSON lines, gzipped or not; folders of them; `-` is standard input.",
            metavar="FILE…",
        ),
    ],
    write_key: Annotated[
        str | None,
        typer.Option(
            help="The write key that the events were sent with, to recognise what came in over HTTP, too."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would become of the events, and change nothing.")
    ] = False,
    max_refused: Annotated[
        float,
        typer.Option(
            help="The share of events that may be refused; more make the exit status 2.", min=0, max=1
        ),
    ] = MOST_REFUSED,
) -> None:
    """Import history: times are kept as they are. What was stored before is recognised.

    A line is a track event, an archived one as Segment exports it, or a captured request (with
    `path` and `body`). What Segment wrote into its archives by itself (`context`, `integrations`)
    is dropped without being read.

    It ends with what was refused: rule, path of the field, lines. All other events are stored nevertheless,
    those ahead of the damage of a file that cannot be read to its end, too; that makes the exit status 1.

    Example: pyairbyte-telemetry import --dry-run archive/*.gz
    """
    settings, summary = load_settings(), history.Summary()
    files = [found for file in files for found in archives.list_files(file)]
    with Progress(console=Console(stderr=True)) as bar:
        run = dry_run_files if dry_run else import_files
        run(settings, files, summary, FileProgress(bar, files), write_key)
    show(summary, dry_run=dry_run)
    for cause in summary.unread:
        typer.echo(f"Error: {cause}", err=True)
    if summary.share_refused > max_refused:
        typer.echo(
            f"Refused: {summary.share_refused:.1%} of the events, more than {max_refused:.1%}.", err=True
        )
        raise typer.Exit(TOO_MANY_REFUSED)
    if summary.unread:
        raise typer.Exit(1)


class FileProgress:
    """Moves a progress bar by the bytes of some files."""

    def __init__(self, bar: Progress, files: list[Path]) -> None:
        """Begin at nothing."""
        sizes = [file.stat().st_size for file in files]
        self.bar = bar
        self.task: TaskID = bar.add_task("Importing", total=sum(sizes))
        self.before = list(accumulate(sizes, initial=0))

    def __call__(self, number: int, position: int) -> None:
        """Move to a position within a file."""
        self.bar.update(self.task, completed=self.before[number] + position)


def import_files(
    settings: Settings,
    files: list[Path],
    summary: history.Summary,
    progress: FileProgress,
    write_key: str | None,
) -> None:
    """Store the events of files."""
    with hold(settings, create=True) as database, open_admin_engine(database.url).connect() as connection:
        pseudonyms = secrets.resolve(settings).pseudonyms()
        first_key = preparation.prepare(settings, database, pseudonyms)
        number, key = find_key(connection, pseudonyms, settings, write_key or first_key)
        verdict_context = VerdictContext({*connectors.load(connection), *shipped_connectors()}, pseudonyms)
        arrival = Arrival(dt.datetime.now(dt.UTC), number, key.encode(), historical=True)
        connection.commit()
        found = history.judge_files(files, arrival, verdict_context, summary, progress)
        history.load(found, connection, open_write_engine(database.url), summary)


def dry_run_files(
    settings: Settings,
    files: list[Path],
    summary: history.Summary,
    progress: FileProgress,
    _write_key: str | None,
) -> None:
    """Count what would become of the events of files. Makes no database, no key, nothing."""
    names = shipped_connectors() | load_connectors(settings)
    verdict_context = VerdictContext(names, Pseudonyms(random.token_hex(32)))
    arrival = Arrival(dt.datetime.now(dt.UTC), 0, b"", historical=True)
    history.pretend(history.judge_files(files, arrival, verdict_context, summary, progress), summary)


def load_connectors(settings: Settings) -> frozenset[str]:
    """Return the names of connectors that the database knows, none where there is no database yet."""
    try:
        with hold(settings) as database, open_admin_engine(database.url).connect() as connection:
            return frozenset(connectors.load(connection))
    except (TelemetryError, SQLAlchemyError):
        return frozenset()


def find_key(
    connection: Connection, pseudonyms: Pseudonyms, settings: Settings, write_key: str | None
) -> tuple[int, str]:
    """Return number and text of the write key to import under: the given one, else the first that is
    configured."""
    candidates = (
        [write_key] if write_key else [*settings.extra_write_keys, secrets.first_write_key(settings)[0]]
    )
    known = keys.load(connection)
    for key in candidates:
        grant = known.get(pseudonyms.write_key(key))
        if grant is not None and grant.is_in_force:
            return grant.number, key
    raise TelemetryError("That write key is not in force: `keys list` shows the names of those that are.")


def show(summary: history.Summary, *, dry_run: bool) -> None:
    """Print what became of the events."""
    console = Console()
    outcomes = Table("outcome", "events", title="Would be imported" if dry_run else "Imported")
    for outcome, number in summary.outcomes.most_common():
        outcomes.add_row(outcome, str(number))
    if summary.envelopes:
        outcomes.add_row("with transport keys, dropped", str(summary.envelopes))
    for path, number in summary.withheld.most_common():
        outcomes.add_row(f"withheld: {path}", str(number))
    if summary.skipped:
        outcomes.add_row("requests to other paths", str(summary.skipped))
    console.print(outcomes)
    if summary.refusals:
        console.print(tabulate_refusals(summary))


def tabulate_refusals(summary: history.Summary) -> Table:
    """Return the refusals by rule and path, most frequent first, with the first lines of each."""
    table = Table("rule", Column("path", overflow="fold"), "events", "lines", title="Refused")
    for (rule, path), refusals in sorted(
        summary.refusals.items(), key=lambda item: (-item[1].number, item[0])
    ):
        lines = ", ".join(f"{position.path.name}:{position.line}" for position in refusals.positions)
        more = ", …" if refusals.number > len(refusals.positions) else ""
        name = "lines that are not JSON" if (rule, path) == history.NOT_JSON else rule
        table.add_row(name, path, str(refusals.number), escape(lines + more))
    return table
