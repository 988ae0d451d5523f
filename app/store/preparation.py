"""Makes a database ready to be written: schema, partitions, hash key, write keys. Any number of processes may do it."""

from app.privacy.pseudonyms import Pseudonyms
from app.settings import Settings
from app.store import keys, migrations, secrets
from app.store.database import Database, open_admin_engine


def prepare(settings: Settings, database: Database, pseudonyms: Pseudonyms) -> str | None:
    """Migrate, check the hash key, accept the configured write keys, make the first one; that one if it is new.

    Raises TelemetryError, or sqlalchemy.exc.OperationalError while the database cannot be reached.
    """
    migrations.migrate(database.url)
    engine = open_admin_engine(database.url)
    with engine.begin() as connection:
        keys.check_hash_key(connection, pseudonyms)
        keys.register(connection, pseudonyms, settings.extra_write_keys)
        if settings.database_url is not None and keys.load(connection):
            return None
        first_key, is_new = secrets.first_write_key(settings)
        keys.add(connection, pseudonyms, "first", first_key)
        return first_key if is_new else None
