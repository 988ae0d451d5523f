"""The command line `pyairbyte-telemetry`: every verb is a function, here or in the module of its area."""

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.admin.cli import connectors_app, doctor, import_, rotate_hash
from app.demo.cli import demo
from app.erasure.cli import forget
from app.problems import Problem, TelemetryError
from app.reports.cli import report
from app.rollups.cli import rebuild
from app.serving import server
from app.settings import load_settings
from app.store import keys, migrations, secrets
from app.store.database import hold, open_admin_engine

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Receives PyAirbyte's anonymous usage events and reports which connectors to fix first.",
)
keys_app = typer.Typer(no_args_is_help=True, help="Write keys: who may send events.")
app.add_typer(keys_app, name="keys")
app.add_typer(connectors_app, name="connectors")
keys_app.command("rotate-hash")(rotate_hash)
app.command()(report)
app.command()(demo)
app.command()(forget)
app.command()(doctor)
app.command()(rebuild)
app.command("import")(import_)


@app.command()
def serve() -> None:
    """Start the service, with the embedded Postgres unless TELEMETRY_DATABASE_URL names another.

    Example: TELEMETRY_PORT=9000 pyairbyte-telemetry serve
    """
    server.serve(load_settings())


@app.command()
def migrate() -> None:
    """Bring the database's schema up to date; `serve` does it too.

    Example: TELEMETRY_DATABASE_URL=postgresql://user@host/telemetry pyairbyte-telemetry migrate
    """
    with hold(load_settings(), create=True) as database:
        migrations.migrate(database.url)
    typer.echo(f"The schema is at revision {migrations.head()}.")


@keys_app.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key is for, for example `staging`.")],
) -> None:
    """Make a write key and print it: it cannot be shown again.

    Example: pyairbyte-telemetry keys create staging
    """
    settings = load_settings()
    with hold(settings) as database, open_admin_engine(database.url).begin() as connection:
        pseudonyms = secrets.resolve(settings).pseudonyms()
        keys.check_hash_key(connection, pseudonyms)
        typer.echo(keys.create(connection, pseudonyms, name))


@keys_app.command("list")
def list_keys() -> None:
    """Show the names of all write keys, never the keys."""
    with hold(load_settings()) as database, open_admin_engine(database.url).begin() as connection:
        table = Table("name", "created", "revoked")
        for key in keys.listing(connection):
            revoked = f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else ""
            table.add_row(key.name, f"{key.created_at:%Y-%m-%d %H:%M}", revoked)
    Console().print(table)


@keys_app.command("revoke")
def revoke_key(name: Annotated[str, typer.Argument(help="The key's name in `keys list`.")]) -> None:
    """Stop accepting a write key; running servers notice within seconds.

    Example: pyairbyte-telemetry keys revoke staging
    """
    with hold(load_settings()) as database, open_admin_engine(database.url).begin() as connection:
        keys.revoke(connection, name)
    typer.echo("Revoked.")


def main() -> None:
    """Run the command line; a problem is one line on stderr and exit status 1."""
    try:
        app()
    except (TelemetryError, Problem) as error:
        message = error.detail if isinstance(error, Problem) else str(error)
        typer.echo(f"Error: {message}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
