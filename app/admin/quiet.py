"""Whether nothing else uses a database: asked by commands that change all of it at once."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.engine import Connection

from app.problems import TelemetryError
from app.settings import Settings
from app.store.stream_look import check_empty

SERVICES: Final = "pyairbyte-telemetry %"  # application names of a service's connections


def check_quiet(connection: Connection, settings: Settings) -> None:
    """Raise TelemetryError while a service uses the database, or events wait in the spool of this machine or
    in the stream."""
    spool = settings.data_dir / "spool"
    others = connection.execute(
        text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name LIKE :services AND pid <> pg_backend_pid()"
        ),
        {"services": SERVICES},
    ).scalar_one()
    if others:
        raise TelemetryError("A service is using this database: stop every instance first.")
    if any(spool.glob("*.sqlite")):
        raise TelemetryError(
            f"Events wait in the spool {spool}: start the service, let it drain, stop it, and run this again."
        )
    check_empty(settings)
