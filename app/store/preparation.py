"""Makes a database ready to be written: schema, partitions, hash key, write keys. Any
number of processes may do it."""

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from app.privacy.pseudonyms import Pseudonyms
from app.scopes import EVERY_SCOPE
from app.settings import Settings
from app.store import keys, migrations, secrets
from app.store.causes import DatabaseError, cause_of
from app.store.database import Database, open_admin_engine
from app.store.sessions import refuse_transaction_pooling


def prepare(settings: Settings, database: Database, pseudonyms: Pseudonyms) -> str | None:
    """Migrate, check the hash key, accept the configured write keys, make the first one; return that one if
    it is new.

    Raises TelemetryError; of a database that cannot be used DatabaseError, which names the cause.
    """
    try:
        return prepare_database(settings, database, pseudonyms)
    except (SQLAlchemyError, psycopg.Error) as error:
        raise DatabaseError(cause_of(error)) from None


def prepare_database(settings: Settings, database: Database, pseudonyms: Pseudonyms) -> str | None:
    """Return what `prepare` does; the driver's own exceptions come through."""
    if settings.database_url is not None:
        refuse_transaction_pooling(database.url)
    migrations.migrate(database.url)
    engine = open_admin_engine(database.url)
    with engine.begin() as connection:
        keys.check_hash_key(connection, pseudonyms)
        keys.register(connection, pseudonyms, settings.extra_write_keys)
        if settings.database_url is not None and keys.any_in_force(connection):
            return None
        first_key, is_new = secrets.first_write_key(settings)
        keys.add(connection, pseudonyms, "first", first_key, EVERY_SCOPE)
        return first_key if is_new else None
