"""Stored rows, made up: what the write path would have left of a sync, straight into the tables."""

import datetime as dt
import hashlib
import itertools
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, delete

from app.reports import registry
from app.reports.parameters import parse
from app.reports.run import Table, reading, run
from app.store.tables import events, rejections

Stored = dict[str, Any]

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)  # a Monday
NOON = NOW - dt.timedelta(days=4)  # long enough ago for open attempts to be abandoned
HOUR = dt.timedelta(hours=1)

numbers = itertools.count()


def pseudonym(text: str | None) -> UUID | None:
    """128 bits for a name, as the HMAC would be."""
    return None if text is None else UUID(bytes=hashlib.blake2s(text.encode(), digest_size=16).digest())


def sync(
    state: str | None,
    at: dt.datetime | None = None,
    *,
    unit: str | None = "ann",
    session: str | None = "morning",
    source: str | None = "source-faker",
    destination: str | None = None,
    cache: str | None = "DuckDBCache",
    version: str | None = "0.71.3",
    error: str | None = None,
    **others: Any,
) -> Stored:
    """One row. Terminals come with what PyAirbyte sends: a number of records, and failures with an exception."""
    number = next(numbers)
    row: Stored = dict.fromkeys(column.name for column in events.columns)
    moment = at or NOON + dt.timedelta(seconds=number % 86_400 / 10)
    row |= {
        "occurred_at": moment,
        "received_at": moment,
        "bucket": zlib.crc32((unit or session or str(number)).encode()) % 256,
        "write_key": 1,
        "first_run": False,
        "message_key": pseudonym(f"message {number}"),
        "anonymous_id": pseudonym(unit),
        "session_key": pseudonym(session),
        "application_hash": pseudonym("application"),
        "event": "sync",
        "state": state,
        "version": version,
        "python_version": "3.11.7 (CPython)",
        "os": "Linux",
        "source_name": source,
        "source_executor_type": source and "VenvExecutor",
        "source_version": source and "1.2.3",
        "source_config_hash": pseudonym(source),
        "destination_name": destination,
        "cache_type": cache,
        "number_of_records": {"succeeded": 20, "failed": 3}.get(state or ""),
        "exception_class": "AirbyteConnectorFailedError" if state == "failed" else None,
    }
    if error is not None:
        row["exception_class"] = error
    return row | others


def refuse(row: Stored, path: str = "properties.*", reason: str = "unknown_key", **spoiled: Any) -> Stored:
    """The ledger's row of an event that was refused: its projection with the refused fields as given."""
    return row | {"reason": reason, "path": path} | spoiled


class Store:
    """A migrated database, and the report over it as of NOW."""

    def __init__(self, writer: Engine, reader: Engine) -> None:
        self.writer = writer
        self.reader = reader

    def write(self, rows: Sequence[Stored]) -> None:
        """Commit rows: those with a reason to the ledger, the others to events."""
        with self.writer.begin() as connection:
            for table in (events, rejections):
                chosen = [row for row in rows if ("reason" in row) == (table is rejections)]
                if chosen:
                    connection.execute(table.insert(), chosen)

    def clear(self) -> None:
        """Forget every event."""
        with self.writer.begin() as connection:
            connection.execute(delete(events))
            connection.execute(delete(rejections))

    def ask(self, given: Mapping[str, str], now: dt.datetime) -> Table:
        """The report `connectors` with parameters as a URL has them."""
        with reading(self.reader) as connection:
            return run(registry.CONNECTORS, parse(registry.CONNECTORS, given.items(), now), connection, now)

    def table(self, **given: str) -> Table:
        """The report as of NOW."""
        return self.ask(given, NOW)

    def report(self, *, now: dt.datetime = NOW, **given: str) -> dict[str, registry.Row]:
        """The rows of the report by connector."""
        return {str(row["connector"]): row for row in self.ask(given, now).rows}


def source_of(*words: object) -> str:
    """A connector named after something, spelled as the names of connectors are: the columns take no others."""
    return "source-" + re.sub("[^a-z0-9]+", "-", "-".join(map(str, words)).lower())
