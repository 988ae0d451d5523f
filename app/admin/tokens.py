"""The commands `tokens create`, `tokens list` and `tokens revoke`."""

import datetime as dt
from typing import Annotated

import typer

from app.admin.keys import EXPIRES, read_expiry, show
from app.admin.listings import print_listing
from app.store import tokens
from app.store.connected import connected

tokens_app = typer.Typer(
    no_args_is_help=True, help="Report tokens: who may read reports, beside TELEMETRY_REPORT_TOKEN."
)


@tokens_app.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="Whose it is, for example `grafana`.")],
    expires: Annotated[str | None, typer.Option(help=EXPIRES, show_default=False)] = None,
) -> None:
    """Make a report token and print it: it cannot be shown again.

    Example: pyairbyte-telemetry tokens create grafana --expires 2027-06-30
    """
    expires_at = read_expiry(expires, dt.datetime.now(dt.UTC))
    with connected() as (connection, pseudonyms):
        token = tokens.create(connection, pseudonyms, name, expires_at)
        connection.commit()
    typer.echo(token)


@tokens_app.command("list")
def list_tokens() -> None:
    """Show the names of all report tokens, never the tokens."""
    with connected() as (connection, _):
        found = tokens.listing(connection)
    rows = [
        {
            "name": token.name,
            "created": show(token.created_at),
            "ends": show(token.expires_at),
            "revoked": show(token.revoked_at),
        }
        for token in found
    ]
    print_listing(("name", "created", "ends", "revoked"), rows)


@tokens_app.command("revoke")
def revoke_token(name: Annotated[str, typer.Argument(help="The token's name in `tokens list`.")]) -> None:
    """Stop accepting a report token; running servers notice within seconds, and its logins end.

    Example: pyairbyte-telemetry tokens revoke grafana
    """
    with connected() as (connection, _):
        tokens.revoke(connection, name)
        connection.commit()
    typer.echo("Revoked.")
