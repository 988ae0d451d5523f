"""The commands `keys create`, `keys list`, `keys revoke` and `keys rotate-hash`."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.admin.cli import rotate_hash
from app.settings import load_settings
from app.store import keys, secrets
from app.store.database import hold, open_admin_engine

keys_app = typer.Typer(no_args_is_help=True, help="Write keys: who may send events.")
keys_app.command("rotate-hash")(rotate_hash)


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
