"""Write keys: who may send. The database holds their HMAC, a server the ones in force in memory."""

import datetime as dt
import math
import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Update, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from app.privacy.pseudonyms import Pseudonyms
from app.problems import ConfigurationError, TelemetryError
from app.scopes import INGEST, SCOPES
from app.store.tables.events import hash_key_check, write_keys

FROM_SETTING: Final = "setting-"  # begins the names of the keys of `TELEMETRY_WRITE_KEYS`
ONLY_INGEST: Final = frozenset({INGEST})


@dataclass(frozen=True, slots=True)
class WriteKey:
    """A write key as the database knows it."""

    id: int
    name: str
    scopes: list[str]
    created_at: dt.datetime
    last_used_at: dt.datetime | None
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Grant:
    """What a write key may do: `until`, in seconds since the epoch, is 0 for one that is revoked, else
    infinite or when it expires."""

    number: int
    scopes: frozenset[str]
    until: float = math.inf

    @property
    def is_in_force(self) -> bool:
        """Return whether it may do anything now."""
        return time.time() < self.until


def create(
    connection: Connection,
    pseudonyms: Pseudonyms,
    name: str,
    scopes: Collection[str] = ONLY_INGEST,
    expires_at: dt.datetime | None = None,
) -> str:
    """Return a new write key under a name of the operator's; it cannot be shown again.

    Raises TelemetryError if the name is taken.
    """
    key = secrets.token_urlsafe(24)
    if not add(connection, pseudonyms, name, key, scopes, expires_at):
        raise TelemetryError("There is a write key of that name already; choose another, or revoke it first.")
    return key


def add(  # noqa: PLR0913, PLR0917 -- a column each
    connection: Connection,
    pseudonyms: Pseudonyms,
    name: str,
    key: str,
    scopes: Collection[str],
    expires_at: dt.datetime | None = None,
) -> bool:
    """Accept a given key; return whether it was new."""
    result = connection.execute(
        insert(write_keys)
        .values(
            name=name,
            key_hash=pseudonyms.write_key(key),
            created_at=dt.datetime.now(dt.UTC),
            expires_at=expires_at,
            scopes=in_order(scopes),
        )
        .on_conflict_do_nothing()
        .returning(write_keys.c.id)
    )
    return result.first() is not None


def in_order(scopes: Collection[str]) -> list[str]:
    """Return scopes in the order in which they are always named."""
    return [scope for scope in SCOPES if scope in scopes]


def register(connection: Connection, pseudonyms: Pseudonyms, keys: Mapping[str, Collection[str]]) -> None:
    """Accept the keys of `TELEMETRY_WRITE_KEYS` with their scopes. A key is named by its
    pseudonym: its text is a secret.

    The setting decides on the scopes of the keys that came by it, at every start;
    not on those of `keys create`.
    """
    for key, scopes in keys.items():
        key_hash = pseudonyms.write_key(key)
        if add(connection, pseudonyms, f"{FROM_SETTING}{key_hash.hex()[:8]}", key, scopes):
            continue
        connection.execute(
            update(write_keys)
            .where(
                write_keys.c.key_hash == key_hash,
                write_keys.c.name.startswith(FROM_SETTING),
                write_keys.c.scopes != in_order(scopes),
            )
            .values(scopes=in_order(scopes))
        )


def listing(connection: Connection) -> list[WriteKey]:
    """Return all write keys, oldest first, revoked ones too."""
    names = ("id", "name", "scopes", "created_at", "last_used_at", "expires_at", "revoked_at")
    columns = [write_keys.c[name] for name in names]
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


def load(connection: Connection) -> dict[bytes, Grant]:
    """Return every key's grant by its pseudonym; those no longer in force, too: the spool
    may have events under them."""
    columns = [write_keys.c[name] for name in ("key_hash", "id", "scopes", "expires_at", "revoked_at")]
    grants = {}
    for key_hash, number, scopes, expires_at, revoked_at in connection.execute(select(*columns)):
        until = 0.0 if revoked_at else expires_at.timestamp() if expires_at else math.inf
        grants[bytes(key_hash)] = Grant(number, frozenset(scopes), until)
    return grants


def any_in_force(connection: Connection) -> bool:
    """Return whether anybody may send."""
    return any(grant.is_in_force for grant in load(connection).values())


def note_use(numbers: Collection[int], used_at: dt.datetime) -> Update:
    """Return the statement that notes when keys were last used; it touches none
    that was noted as late already."""
    return (
        update(write_keys)
        .where(
            write_keys.c.id.in_(sorted(numbers)),
            or_(write_keys.c.last_used_at.is_(None), write_keys.c.last_used_at < used_at),
        )
        .values(last_used_at=func.date_trunc("minute", used_at))
    )


def check_hash_key(connection: Connection, pseudonyms: Pseudonyms) -> None:
    """Remember the hash key of a new database; refuse another key for an old one.

    A wrong key would split every user in two. Raises ConfigurationError.
    """
    check = pseudonyms.check()
    connection.execute(insert(hash_key_check).values(key_check=check).on_conflict_do_nothing())
    stored = connection.execute(select(hash_key_check.c.key_check)).scalar_one()
    if bytes(stored) != check:
        raise ConfigurationError(
            "TELEMETRY_HASH_KEY (with TELEMETRY_HASH_KEY_ROTATIONS, if it was rotated) is not the key "
            "that this database "
            "was written with. Set that one again; or, if you were about to rotate it, run `keys "
            "rotate-hash`; or, if it is lost for "
            "good, `keys replace-lost-hash`."
        )
