"""The command `forget`."""

import datetime as dt
import threading
from typing import Annotated

import typer

from app.erasure import forget as forgetting
from app.erasure.sweeps import Sweeps
from app.problems import TelemetryError
from app.settings import load_settings
from app.store.advisory_lock import only_one
from app.store.connected import connected
from app.store.journal import Journal


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
            "That is no id of one installation: it takes a ULID or a lower-case UUID. "
            "`airbyte-lib-user`, which old "
            "versions shared, is nobody's."
        )
    with connected() as (connection, pseudonyms):
        journal = Journal(load_settings().data_dir, pseudonyms)
        receipt = forgetting.request(connection, pseudonyms, anonymous_id, dt.datetime.now(dt.UTC), journal)
        with only_one(connection, wait=True):
            deleted = Sweeps().sweep(connection, threading.Event())
    typer.echo(f"Forgotten. Rows deleted: {deleted}. Receipt: {receipt}")
