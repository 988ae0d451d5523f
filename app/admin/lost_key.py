"""After the hash key was lost for good: what identifies nobody is kept, the rest is
deleted, and a new key begins.

Without the key no pseudonym can be found again: nobody could have their rows deleted on request, nobody's
tombstone holds, no duplicate is recognised. So every row that bears a pseudonym goes. What stays are
counts: outcomes, tallies, days of connectors with 10 users or more (those of the last 400 days are added up
first), published months, alerts.
"""

from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.engine import Connection

from app.admin.quiet import check_quiet
from app.admin.rotation import pseudonym_columns
from app.problems import TelemetryError
from app.settings import Settings
from app.store import journal, keys, secrets
from app.store.tables import NOBODY
from app.store.tables.events import events, hash_key_check
from app.upkeep.expiry import ARCHIVE_DAY

REMEMBERED = ("write-keys.json", journal.NAME)  # what the data directory knows under the lost key


@dataclass(frozen=True, slots=True)
class Replaced:
    """How many events were deleted, and how many days of connectors are kept."""

    events: int
    days: int


def replace(connection: Connection, settings: Settings) -> Replaced:
    """Begin anew under the hash key that is set, in one transaction, commit, and return what was replaced.

    Raises TelemetryError where that is the key of the database, while a service runs,
    or while its spool holds events.
    """
    pseudonyms = secrets.resolve(settings).pseudonyms()
    stored = connection.execute(select(hash_key_check.c.key_check)).scalar()
    if stored is None or bytes(stored) == pseudonyms.check():
        raise TelemetryError("Nothing is lost: the hash key that is set is the one of this database.")
    check_quiet(connection, settings)
    number = connection.execute(select(func.count()).select_from(events)).scalar_one()
    archive(connection)
    tables = sorted({column.table.name for column in pseudonym_columns()})
    connection.execute(text(f"TRUNCATE {', '.join(tables)}"))
    keys.check_hash_key(connection, pseudonyms)
    days = connection.execute(text("SELECT count(DISTINCT day) FROM connector_days")).scalar_one()
    connection.commit()
    for name in REMEMBERED:
        (settings.data_dir / name).unlink(missing_ok=True)
    return Replaced(number, days)


def archive(connection: Connection) -> None:
    """Add up the past days of busy connectors, as their expiry would."""
    past = text("SELECT DISTINCT day FROM unit_days WHERE day < CAST(now() AT TIME ZONE 'UTC' AS date)")
    for day in connection.execute(past).scalars().all():
        connection.execute(text(ARCHIVE_DAY), {"day": day, "nobody": NOBODY})
