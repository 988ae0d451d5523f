"""The commands that keep a service in order: doctor, `keys rotate-hash`, `connectors refresh`."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from app.admin import registry, rotation
from app.admin.doctor import examine
from app.contract.vocabulary import shipped_connectors
from app.settings import load_settings
from app.store import connectors, listed
from app.store.connected import connected
from app.store.database import hold, open_admin_engine


def rotate_hash() -> None:
    """Wrap everything that is stored with a further hash key. Stop every instance first.

    For when the hash key may have become known. Nothing is lost: users are counted as before, ids that were
    forgotten stay forgotten, write keys stay in force, duplicates are still recognised.

    A generated key is followed by another one in the data dir. Where TELEMETRY_HASH_KEY is set, leave it as
    it is and add a new key to the end of TELEMETRY_HASH_KEY_ROTATIONS, on every instance; then run this once.

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
        str,
        typer.Argument(
            help="An Airbyte registry, or a package index's JSON about `airbyte` or a connector: a file "
            "or its URL.",
            metavar="FILE-OR-URL",
        ),
    ],
) -> None:
    """Learn the names and versions of public connectors from an Airbyte registry, or of
    a package from a package index.

    Versions that a list names are stored under their own name; of others only a few new ones a day are.

    Running servers know them within seconds; pages then link a connector's documentation and issues. A name
    that was withheld becomes visible for later events only.

    Example: pyairbyte-telemetry connectors refresh oss_registry.json
    """
    found = registry.read(where)
    with connected(create=True) as (connection, _):
        known = {*connectors.load(connection), *shipped_connectors()}
        connectors.save(connection, found.entries)
        new = listed.save(connection, found.versions)
        connection.commit()
    typer.echo(
        f"Connectors in the registry: {len(found.entries)}. New: {len(found.entries.keys() - known)}. "
        f"Left out: {found.private} private, {found.unusable} without a proper name. "
        f"Versions: {len(found.versions)}, {new} of them new."
    )


def doctor() -> None:
    """Look at settings, data dir, database and clock, and say what is wrong. Exit status 1 if anything is.

    Example: pyairbyte-telemetry doctor
    """
    table = Table("", "", Column("", overflow="fold"))  # a path is shown as a whole
    findings = list(examine(load_settings()))
    for finding in findings:
        table.add_row(
            finding.what, "[green]ok[/green]" if finding.well else "[red]fault[/red]", escape(finding.said)
        )
    Console().print(table)
    if not all(finding.well for finding in findings):
        raise typer.Exit(1)
