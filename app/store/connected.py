"""A connection for one command, with the pseudonyms that its database was written with."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import Connection

from app.privacy.pseudonyms import Pseudonyms
from app.settings import load_settings
from app.store import keys, migrations, secrets
from app.store.database import hold, open_admin_engine


@contextmanager
def connected(*, create: bool = False) -> Iterator[tuple[Connection, Pseudonyms]]:
    """Yield a connection to the configured database that may write, and the
    pseudonyms that it was written with.

    `create` makes and migrates it where that was not done yet. Raises
    TelemetryError, also for a wrong hash key.
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
