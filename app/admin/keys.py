"""The commands under `keys`."""

import datetime as dt
import re
from typing import Annotated, Final

import typer

from app.admin import lost_key
from app.admin.cli import rotate_hash
from app.admin.listings import print_listing
from app.problems import TelemetryError
from app.scopes import EVERY_SCOPE, INGEST, SCOPES
from app.settings import load_settings
from app.store import keys, secrets
from app.store.database import hold, open_admin_engine

keys_app = typer.Typer(no_args_is_help=True, help="Write keys: who may send events.")
keys_app.command("rotate-hash")(rotate_hash)

MOST_DAYS: Final = 36_500
EXPIRES: Final = (
    "When it ends: a UTC date such as 2027-06-30, the last day that it works; or days from now, such as 90d."
)


@keys_app.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key is for, for example `staging`.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help=f"What it may do, of {', '.join(SCOPES)}; may stand several times. Else ingest."),
    ] = None,
    expires: Annotated[str | None, typer.Option(help=EXPIRES, show_default=False)] = None,
) -> None:
    """Make a write key and print it: it cannot be shown again.

    `import` is for /v1/import, whose times are believed; `relay` for senders whose
    batches hold events of many people.

    Example: pyairbyte-telemetry keys create archive --scope ingest --scope import --expires 90d
    """
    scopes = {part for each in scope or [INGEST] for part in re.split("[+,]", each)}
    if not scopes <= EVERY_SCOPE:
        raise TelemetryError(f"--scope takes {', '.join(SCOPES)}.")
    expires_at = read_expiry(expires, dt.datetime.now(dt.UTC))
    settings = load_settings()
    with hold(settings) as database, open_admin_engine(database.url).begin() as connection:
        pseudonyms = secrets.resolve(settings).pseudonyms()
        keys.check_hash_key(connection, pseudonyms)
        typer.echo(keys.create(connection, pseudonyms, name, scopes, expires_at))


def read_expiry(given: str | None, now: dt.datetime) -> dt.datetime | None:
    """Return the moment from which on a key works no more; None for never.

    Takes a date, whose day is included, or a number of days. Raises TelemetryError, also for what is past.
    """
    if given is None:
        return None
    days = re.fullmatch("([1-9][0-9]{0,4})d", given)
    if days is not None and int(days[1]) <= MOST_DAYS:
        return now + dt.timedelta(days=int(days[1]))
    try:
        found = dt.datetime.strptime(given, "%Y-%m-%d").replace(tzinfo=dt.UTC) + dt.timedelta(days=1)
    except (ValueError, OverflowError):
        raise TelemetryError("--expires takes a date such as 2027-06-30, or days such as 90d.") from None
    if found <= now:
        raise TelemetryError("--expires lies in the past.")
    return found


@keys_app.command("list")
def list_keys() -> None:
    """Show the names of all write keys, what they may do and when they were last used; never the keys."""
    with hold(load_settings()) as database, open_admin_engine(database.url).begin() as connection:
        rows = [
            {
                "name": key.name,
                "scopes": ", ".join(key.scopes),
                "created": show(key.created_at),
                "last used": show(key.last_used_at),
                "ends": show(key.expires_at),
                "revoked": show(key.revoked_at),
            }
            for key in keys.listing(connection)
        ]
    print_listing(("name", "scopes", "created", "last used", "ends", "revoked"), rows)


@keys_app.command("replace-lost-hash")
def replace_lost_hash(
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; else it is only said what would happen.")
    ] = False,
) -> None:
    """Go on without the hash key that was lost for good, under the one that is set
    now. Stop every instance first.

    Without the key nobody's rows can be found, so nobody could have theirs deleted: all events,
    ledger rows, attempts, daily sums of users, tombstones, write keys and report tokens are deleted.
    Counts, days of connectors with 10 users or more, published months and alerts stay. Who was
    forgotten and sends again has to ask again.

    Restore the key from wherever it may be kept before you do this: `keys rotate-hash` loses nothing.

    Example: pyairbyte-telemetry keys replace-lost-hash --yes
    """
    settings = load_settings()
    if not yes:
        raise TelemetryError(
            "This deletes every event and everything else that bears a pseudonym; counts and days of "
            "connectors stay. "
            "To do it, say --yes."
        )
    with hold(settings) as database, open_admin_engine(database.url).connect() as connection:
        replaced = lost_key.replace(connection, settings)
    typer.echo(
        f"Events deleted: {replaced.events:,}. Days of connectors that are kept: {replaced.days:,}. "
        f"Start the service, and make "
        "write keys and report tokens anew."
    )


def show(moment: dt.datetime | None) -> str:
    """Return a moment to the minute, nothing for none."""
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


@keys_app.command("revoke")
def revoke_key(name: Annotated[str, typer.Argument(help="The key's name in `keys list`.")]) -> None:
    """Stop accepting a write key; running servers notice within seconds.

    Example: pyairbyte-telemetry keys revoke staging
    """
    with hold(load_settings()) as database, open_admin_engine(database.url).begin() as connection:
        keys.revoke(connection, name)
    typer.echo("Revoked.")
