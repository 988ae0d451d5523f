"""Write keys: who may send. The database holds their HMAC, a server the ones in force in memory."""

import datetime as dt
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from app.privacy.pseudonyms import Pseudonyms
from app.problems import ConfigurationError, TelemetryError
from app.store.tables.events import hash_key_check, write_keys


@dataclass(frozen=True, slots=True)
class WriteKey:
    """A write key as the database knows it."""

    id: int
    name: str
    created_at: dt.datetime
    revoked_at: dt.datetime | None


def create(connection: Connection, pseudonyms: Pseudonyms, name: str) -> str:
    """Make a new write key under a name of the operator's; the key, which cannot be shown again.

    Raises TelemetryError if the name is taken.
    """
    key = secrets.token_urlsafe(24)
    if not add(connection, pseudonyms, name, key):
        raise TelemetryError("There is a write key of that name already; choose another, or revoke it first.")
    return key


def add(connection: Connection, pseudonyms: Pseudonyms, name: str, key: str) -> bool:
    """Accept a given key; whether it was new."""
    now = dt.datetime.now(dt.UTC)
    result = connection.execute(
        insert(write_keys)
        .values(name=name, key_hash=pseudonyms.write_key(key), created_at=now)
        .on_conflict_do_nothing()
        .returning(write_keys.c.id)
    )
    return result.first() is not None


def register(connection: Connection, pseudonyms: Pseudonyms, keys: Iterable[str]) -> None:
    """Accept the keys of `TELEMETRY_WRITE_KEYS`. A key is named by its pseudonym: its text is a secret."""
    for key in keys:
        add(connection, pseudonyms, f"setting-{pseudonyms.write_key(key).hex()[:8]}", key)


def listing(connection: Connection) -> list[WriteKey]:
    """All write keys, oldest first, revoked ones too."""
    columns = (write_keys.c.id, write_keys.c.name, write_keys.c.created_at, write_keys.c.revoked_at)
    return [WriteKey(*row) for row in connection.execute(select(*columns).order_by(write_keys.c.id))]


def revoke(connection: Connection, name: str) -> None:
    """Stop accepting a key; servers notice within seconds. Raises TelemetryError for an unknown name."""
    result = connection.execute(
        update(write_keys)
        .where(write_keys.c.name == name, write_keys.c.revoked_at.is_(None))
        .values(revoked_at=dt.datetime.now(dt.UTC))
        .returning(write_keys.c.id)
    )
    if result.first() is None:
        raise TelemetryError("There is no write key of that name in force; `keys list` shows them.")


def load(connection: Connection) -> dict[bytes, int]:
    """Pseudonym and number of the keys in force."""
    rows = connection.execute(
        select(write_keys.c.key_hash, write_keys.c.id).where(write_keys.c.revoked_at.is_(None))
    )
    return {bytes(key_hash): number for key_hash, number in rows}


def check_hash_key(connection: Connection, pseudonyms: Pseudonyms) -> None:
    """Remember the hash key of a new database; refuse another key for an old one.

    A wrong key would split every user in two. Raises ConfigurationError.
    """
    check = pseudonyms.check()
    connection.execute(insert(hash_key_check).values(key_check=check).on_conflict_do_nothing())
    stored = connection.execute(select(hash_key_check.c.key_check)).scalar_one()
    if bytes(stored) != check:
        raise ConfigurationError(
            "TELEMETRY_HASH_KEY (with TELEMETRY_HASH_KEY_ROTATIONS, if it was rotated) is not the key that this database "
            "was written with. Set that one again; or, if you were about to rotate it, run `keys rotate-hash`."
        )
