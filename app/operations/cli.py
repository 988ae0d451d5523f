"""The commands that keep a service in order: `forget`."""

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from sqlalchemy.engine import Connection

from app.operations import forget as forgetting
from app.operations.maintenance import only_one
from app.privacy.pseudonyms import Pseudonyms
from app.problems import TelemetryError
from app.settings import load_settings
from app.store import keys, migrations, secrets
from app.store.database import hold, open_admin_engine


@contextmanager
def connected(*, create: bool = False) -> Iterator[tuple[Connection, Pseudonyms]]:
    """A connection to the configured database that may write, and the pseudonyms that it was written with.

    `create` makes and migrates it where that was not done yet. Raises TelemetryError, also for a wrong hash key.
    """
    settings = load_settings()
    pseudonyms = Pseudonyms(secrets.resolve(settings).hash_key)
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
