"""The commands that keep a service in order: `forget`, `keys rotate-hash`, `connectors refresh`."""

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from sqlalchemy.engine import Connection

from app.contract.vocabulary import shipped_connectors
from app.operations import forget as forgetting
from app.operations import registry, rotation
from app.operations.maintenance import only_one
from app.privacy.pseudonyms import Pseudonyms
from app.problems import TelemetryError
from app.settings import load_settings
from app.store import connectors, keys, migrations, secrets
from app.store.database import hold, open_admin_engine


@contextmanager
def connected(*, create: bool = False) -> Iterator[tuple[Connection, Pseudonyms]]:
    """A connection to the configured database that may write, and the pseudonyms that it was written with.

    `create` makes and migrates it where that was not done yet. Raises TelemetryError, also for a wrong hash key.
    """
    settings = load_settings()
    pseudonyms = secrets.resolve(settings).pseudonyms()
    with hold(settings, create=create) as database:
        if create:
            migrations.migrate(database.url)
        with open_admin_engine(database.url).connect() as connection:
            keys.check_hash_key(connection, pseudonyms)
            connection.commit()
            yield connection, pseudonyms


def forget(
    anonymous_id: Annotated[
        str, typer.Argument(help="The anonymous id: a ULID or a lower-case UUID.", metavar="ID")
    ],
) -> None:
    """Delete everything under an anonymous id, and store nothing under it any more.

    PyAirbyte keeps a person's id in ~/.airbyte/analytics.yml.

    Example: pyairbyte-telemetry forget 01M831Y67Z4Z89BH0DGHDMT1M9
    """
    if not forgetting.is_forgettable(anonymous_id):
        raise TelemetryError(
            "That is no id of one installation: it takes a ULID or a lower-case UUID. `airbyte-lib-user`, which old "
            "versions shared, is nobody's."
        )
    with connected() as (connection, pseudonyms):
        receipt = forgetting.request(connection, pseudonyms, anonymous_id, dt.datetime.now(dt.UTC))
        with only_one(connection, wait=True):
            deleted = forgetting.sweep(connection, threading.Event())
    typer.echo(f"Forgotten. Rows deleted: {deleted}. Receipt: {receipt}")


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
