"""Stored rows, made up: what the write path would have left of a sync, straight into the tables."""

import datetime as dt
import hashlib
import itertools
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, delete

from app.privacy.projection import BUCKETS, SOURCE_CONFIGURED
from app.privacy.pseudonyms import to_key
from app.reports import registry
from app.reports.model import Row, Table
from app.reports.parsing import parse
from app.reports.run import reading, run
from app.rollups.recomputation import prepare
from app.rollups.worker import Worker
from app.store.tables.events import events, rejections
from app.store.tables.rollups import attempts, dirty_sessions, unit_days, units

Stored = dict[str, Any]

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)  # a Monday
NOON = NOW - dt.timedelta(days=4)  # long enough ago for open attempts to be abandoned
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
RELEASED = NOW - 10 * DAY  # 2026-11-13
OLD, NEW = "1.0.0", "1.1.0"

numbers = itertools.count()


def pseudonym(text: str | None) -> int | None:
    """64 bits for a name, as the HMAC would be."""
    return None if text is None else to_key(hashlib.blake2s(text.encode(), digest_size=8).digest())


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
    """One row. Terminals come with what PyAirbyte sends: a number of records, and
    failures with an exception."""
    number = next(numbers)
    row: Stored = dict.fromkeys(column.name for column in events.columns)
    # A clock that is off is told by the arrival: what is corrected came in at its corrected time.
    moment = at or NOON + dt.timedelta(seconds=number % 86_400 / 10)
    row |= {
        "occurred_at": moment,
        "received_at": others.get("corrected_at") or moment,
        "bucket": zlib.crc32((unit or session or str(number)).encode()) % BUCKETS,
        "write_key": 1,
        "first_run": False,
        "imported": False,
        "crowded": False,
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
        "setup": pseudonym(source),
        "destination_name": destination,
        "cache_type": cache,
        "number_of_records": {"succeeded": 20, "failed": 3}.get(state or ""),
        "exception_class": "AirbyteConnectorFailedError" if state == "failed" else None,
    }
    if error is not None:
        row["exception_class"] = error
    return row | others


def refuse(row: Stored, path: str = "properties.*", reason: str = "unknown_key", **spoiled: Any) -> Stored:
    """The ledger's row of an event that was refused: its projection with the refused fields as given.

    The configuration hash is the source's, unless there is no `setup`.
    """
    left = row | {"reason": reason, "path": path} | spoiled
    return {"configured": 0 if left["setup"] is None else SOURCE_CONFIGURED} | left


def mark(row: Stored) -> Stored:
    """The mark that the write statement would have left of a row."""
    alone = row["message_key"] if row["session_key"] is None else None
    return {name: row[name] for name in ("received_at", "occurred_at", "bucket", "session_key")} | {
        "message_key": alone
    }


def use(unit: str, at: dt.datetime, state: str, version: str, **fields: object) -> Stored:
    return sync(state, at, unit=unit, session=f"{unit} {at}", source_version=version, **fields)  # type: ignore[arg-type]


def upgrade(users: int, failing: int, source: str = "source-faker", failing_before: int = 0) -> list[Stored]:
    """Users who worked with the old version for two months, and with the new one since its release."""
    # The history begins with the first day that is not next to empty.
    rows = [
        use(f"first {n}", NOW - 100 * DAY, "succeeded", "0.9.0", source=source)
        for n in range(1 + users // 10)
    ]
    for number in range(users):
        unit = f"{source} {number}"
        rows += [use(unit, NOW - days * DAY, "succeeded", "0.9.0", source=source) for days in (80, 65)]
        state = "failed" if number < failing_before else "succeeded"
        rows.append(use(unit, NOW - 55 * DAY, state, OLD, source=source))
        rows += [use(unit, NOW - days * DAY, "succeeded", OLD, source=source) for days in (30, 15)]
        state = "failed" if number < failing else "succeeded"
        rows.append(use(unit, RELEASED + number % 3 * DAY, state, NEW, source=source))
    return rows


def copy_rows(connection: Connection, table: sa.Table, rows: Sequence[Stored]) -> None:
    """Add rows, all with the same columns, but for what the table has no column of: on a
    cluster one statement a row would take seconds."""
    if rows:
        names = [name for name in rows[0] if name in table.columns]
        driver: Any = connection.connection.driver_connection
        with driver.cursor().copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row([row[name] for name in names])


class Store:
    """A migrated database, and the reports over it as of NOW."""

    def __init__(self, writer: Engine, reader: Engine, worker: Worker) -> None:
        self.writer = writer
        self.reader = reader
        self.worker = worker
        self.connection = worker.engine.connect()
        prepare(self.connection)

    def write(self, rows: Sequence[Stored]) -> None:
        """Commit rows, those with a reason to the ledger, the others to events, and roll them up."""
        with self.writer.begin() as connection:
            for table in (events, rejections):
                chosen = [row for row in rows if ("reason" in row) == (table is rejections)]
                copy_rows(connection, table, chosen)
            copy_rows(connection, dirty_sessions, [mark(row) for row in rows])
        while self.worker.step(self.connection):
            self.worker.cooling.clear()

    def clear(self) -> None:
        """Forget every event."""
        with self.writer.begin() as connection:
            for table in (events, rejections, attempts, unit_days, units):
                connection.execute(delete(table))

    def close(self) -> None:
        """Let go of the connections."""
        self.connection.close()

    def ask(
        self,
        given: Mapping[str, str],
        now: dt.datetime = NOW,
        report: str = "connectors",
        denied: Sequence[int] = (),
    ) -> Table:
        """A report with parameters as a URL has them; of a window that ends with
        today unless told otherwise."""
        asked = registry.find(report)
        few = {"few": "show"} if "few" in asked.parameters else {}
        given = {"until": "today", **few, **given}
        with reading(self.reader) as connection:
            return run(asked, parse(asked, given.items(), now), connection, now, denied)

    def table(self, **given: str) -> Table:
        """The report as of NOW."""
        return self.ask(given, NOW)

    def report(self, *, now: dt.datetime = NOW, **given: str) -> dict[str, Row]:
        """The rows of the report by connector."""
        return {str(row["connector"]): row for row in self.ask(given, now).rows}


def query_report(engine: Engine, name: str, **given: str) -> list[Row]:
    """The rows of a report over any database as of NOW."""
    asked = registry.find(name)
    with reading(engine) as connection:
        return run(asked, parse(asked, given.items(), NOW), connection, NOW).rows


def source_of(*words: object) -> str:
    """A connector named after something, spelled as the names of connectors are:
    the columns take no others."""
    return "source-" + re.sub("[^a-z0-9]+", "-", "-".join(map(str, words)).lower())
