"""The commands that keep a service in order: import, doctor, `keys rotate-hash`, `connectors refresh`."""

import datetime as dt
from itertools import accumulate
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table
from sqlalchemy.engine import Connection

from app.admin import history, registry, rotation
from app.admin.doctor import examine
from app.contract.vocabulary import shipped_connectors
from app.privacy.projection import Arrival
from app.privacy.pseudonyms import Pseudonyms
from app.privacy.verdict import Installation
from app.problems import TelemetryError
from app.settings import Settings, load_settings
from app.store import connectors, keys, preparation, secrets
from app.store.connected import connected
from app.store.database import hold, open_admin_engine, open_write_engine


def import_(
    files: Annotated[
        list[Path], typer.Argument(help="Files of JSON lines, gzipped or not.", metavar="FILE…")
    ],
    write_key: Annotated[
        str | None,
        typer.Option(
            help="The write key that the events were sent with, to recognise what came in over HTTP, too."
        ),
    ] = None,
) -> None:
    """Import history: times are kept as they are. What was stored before is recognised.

    A line is a track event, an archived one as Segment exports it, or a captured request (with `path` and `body`).

    Example: pyairbyte-telemetry import archive/*.gz
    """
    settings, summary = load_settings(), history.Summary()
    for file in files:
        if not file.is_file():
            raise TelemetryError(f"{file} is no file.")
    with hold(settings, create=True) as database, open_admin_engine(database.url).connect() as connection:
        pseudonyms = secrets.resolve(settings).pseudonyms()
        first_key = preparation.prepare(settings, database, pseudonyms)
        number, key = find_key(connection, pseudonyms, settings, write_key or first_key)
        installation = Installation(connectors.load(connection) | shipped_connectors(), pseudonyms)
        now = dt.datetime.now(dt.UTC)
        connection.commit()
        with Progress(console=Console(stderr=True)) as bar:
            task = bar.add_task("Importing", total=sum(file.stat().st_size for file in files))
            before = list(accumulate((file.stat().st_size for file in files), initial=0))
            found = history.verdicts(
                files,
                lambda sent_at: Arrival(now, number, key.encode(), sent_at=sent_at, historical=True),
                installation,
                summary,
                lambda index, position: bar.update(task, completed=before[index] + position),
            )
            history.load(found, connection, open_write_engine(database.url), summary)
    show(summary)


def find_key(
    connection: Connection, pseudonyms: Pseudonyms, settings: Settings, write_key: str | None
) -> tuple[int, str]:
    """Number and text of the write key to import under: the given one, else the first that is configured."""
    candidates = (
        [write_key] if write_key else [*settings.extra_write_keys, secrets.first_write_key(settings)[0]]
    )
    in_force = keys.load(connection)
    for key in candidates:
        number = in_force.get(pseudonyms.write_key(key))
        if number is not None:
            return number, key
    raise TelemetryError("That write key is not in force: `keys list` shows the names of those that are.")


def show(summary: history.Summary) -> None:
    """Print what became of the events."""
    table = Table("outcome", "events", title="Imported")
    for outcome, number in summary.outcomes.most_common():
        table.add_row(outcome, str(number))
    for reason, number in summary.reasons.most_common():
        table.add_row(f"  {reason}", str(number))
    if summary.unreadable:
        table.add_row("lines that are no JSON", str(summary.unreadable))
    if summary.skipped:
        table.add_row("requests to other paths", str(summary.skipped))
    Console().print(table)


def rotate_hash() -> None:
    """Wrap everything that is stored with a further hash key. Stop every instance first.

    For when the hash key may have become known. Nothing is lost: users are counted as before, ids that were forgotten
    stay forgotten, write keys stay in force, duplicates are still recognised.

    A generated key is followed by another one in the data dir. Where TELEMETRY_HASH_KEY is set, leave it as it is and
    add a new key to the end of TELEMETRY_HASH_KEY_ROTATIONS, on every instance; then run this once.

    It is one transaction. Interrupted, run it again.

    Example: pyairbyte-telemetry keys rotate-hash
    """
    settings = load_settings()
    with hold(settings) as database, open_admin_engine(database.url).connect() as connection:
        number = rotation.rotate(connection, settings)
    typer.echo(f"Rotated: {number} pseudonyms are wrapped with the new key. Start the service again.")


connectors_app = typer.Typer(no_args_is_help=True, help="Names of public connectors, which may be stored.")


@connectors_app.command("refresh")
def refresh_connectors(
    where: Annotated[
        str, typer.Argument(help="An Airbyte registry: a JSON file or its URL.", metavar="FILE-OR-URL")
    ],
) -> None:
    """Learn the names of public connectors from an Airbyte registry.

    Running servers know them within seconds. A name that was withheld becomes visible for later events only.

    Example: pyairbyte-telemetry connectors refresh oss_registry.json
    """
    found = registry.read(where)
    with connected(create=True) as (connection, _):
        known = connectors.load(connection) | shipped_connectors()
        connectors.add(connection, found.names - known)
        connection.commit()
    typer.echo(
        f"Connectors in the registry: {len(found.names)}. New: {len(found.names - known)}. "
        f"Left out: {found.private} private, {found.unusable} without a proper name."
    )


def doctor() -> None:
    """Look at settings, data dir, database and clock, and say what is wrong. Exit status 1 if anything is.

    Example: pyairbyte-telemetry doctor
    """
    table = Table("", "", "")
    findings = list(examine(load_settings()))
    for finding in findings:
        table.add_row(
            finding.what, "[green]ok[/green]" if finding.well else "[red]fault[/red]", escape(finding.said)
        )
    Console().print(table)
    if not all(finding.well for finding in findings):
        raise typer.Exit(1)
