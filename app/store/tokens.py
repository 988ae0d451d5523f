"""Report tokens: who may read reports, beside the token of the settings. The database holds their HMAC."""

import datetime as dt
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from app.privacy.pseudonyms import Pseudonyms
from app.problems import TelemetryError
from app.store.tables.events import report_tokens

COLUMNS: Final = ("name", "created_at", "expires_at", "revoked_at")


@dataclass(frozen=True, slots=True)
class ReportToken:
    """A report token as the database knows it."""

    name: str
    created_at: dt.datetime
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None


def create(
    connection: Connection, pseudonyms: Pseudonyms, name: str, expires_at: dt.datetime | None = None
) -> str:
    """Return a new report token under a name of the operator's; it cannot be shown again.

    Raises TelemetryError if the name is taken.
    """
    token = secrets.token_urlsafe(32)
    made = connection.execute(
        insert(report_tokens)
        .values(
            name=name,
            token_hash=pseudonyms.report_token(token),
            created_at=dt.datetime.now(dt.UTC),
            expires_at=expires_at,
        )
        .on_conflict_do_nothing()
        .returning(report_tokens.c.id)
    )
    if made.first() is None:
        raise TelemetryError("There is a report token of that name already; choose another name.")
    return token


def listing(connection: Connection) -> list[ReportToken]:
    """Return all report tokens of the database, oldest first, revoked ones too."""
    columns = [report_tokens.c[name] for name in COLUMNS]
    return [ReportToken(*row) for row in connection.execute(select(*columns).order_by(report_tokens.c.id))]


def revoke(connection: Connection, name: str) -> None:
    """Stop accepting a token; servers notice within seconds. Raises TelemetryError for an unknown name."""
    result = connection.execute(
        update(report_tokens)
        .where(report_tokens.c.name == name, report_tokens.c.revoked_at.is_(None))
        .values(revoked_at=dt.datetime.now(dt.UTC))
        .returning(report_tokens.c.id)
    )
    if result.first() is None:
        raise TelemetryError("There is no report token of that name in force; `tokens list` shows them.")


def load(connection: Connection) -> Mapping[bytes, tuple[int, float]]:
    """Return number and end (seconds since the epoch, or infinite) of each token that
    is not revoked, by its HMAC."""
    columns = [report_tokens.c[name] for name in ("token_hash", "id", "expires_at")]
    rows = connection.execute(select(*columns).where(report_tokens.c.revoked_at.is_(None)))
    return {
        bytes(token_hash): (number, expires_at.timestamp() if expires_at else math.inf)
        for token_hash, number, expires_at in rows
    }
