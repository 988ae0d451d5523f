"""A database whose events came in through the real write statement, and what was rolled up of them."""

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from app.privacy.projection import NO_ROW
from app.privacy.verdict import Verdict
from app.rollups.recomputation import prepare
from app.rollups.worker import Worker
from app.store.database import open_write_engine, parse_url
from app.store.events import Batch, insert
from app.store.tables.rollups import DURATION_SHIFT, OUTCOMES, TRAITS
from tests.reports.rows import Stored
from tests.rollups.oracle import ROUTE, TOLD, Key, Known, Sums

EMPTIED = (
    *(
        "events",
        "rejections",
        "outcomes",
        "tallies",
        "dirty_sessions",
        "attempts",
        "unit_days",
        "units",
        "connector_days",
    ),
    *("dropped_ranges", "tombstones", "quarantined_sessions"),
)
SUMS = (
    "open",
    "succeeded",
    "failed",
    "canceled",
    "orphans",
    "from_ledger",
    "first_runs",
    "corrected",
    "timed",
    "durations",
    "records",
)
# `timed` is NULL where it is what `succeeded` is.
STORED = {"timed": "coalesce(timed, succeeded)"}
# `unit_days` with its words.
TOLD_APART = f"""
    SELECT day, bucket, unit, application_hash, {", ".join(ROUTE)}, ci, {", ".join(TOLD)},
           exception_class, {", ".join(STORED.get(name, name) for name in SUMS)}
    FROM unit_days
    JOIN routes ON routes.id = route
    JOIN environments ON environments.id = environment
    LEFT JOIN failures ON failures.id = failure
"""


def as_verdict(row: Stored) -> Verdict:
    """The verdict that leaves a row behind."""
    values = {"configured": 0, **row}
    reason, path = values.pop("reason", None), values.pop("path", None)
    return Verdict("", NO_ROW | values, reason=reason, path=path)


class Ledger:
    """A migrated database with one worker."""

    def __init__(self, url: str) -> None:
        self.engine = create_engine(parse_url(url), poolclass=NullPool)
        self.url = url
        self.worker = Worker(url)
        self.connection = self.open()

    def open(self) -> Connection:
        """A connection with the worker's tables."""
        connection = self.worker.engine.connect()
        prepare(connection)
        return connection

    def close(self) -> None:
        """Let go of the connections."""
        self.connection.close()
        self.engine.dispose()

    def clear(self) -> None:
        """Forget every event."""
        with self.engine.begin() as connection:
            for table in EMPTIED:
                connection.execute(text(f"DELETE FROM {table}"))

    def write(self, batches: Iterable[Sequence[Stored]]) -> None:
        """Commit batches of rows through the write statement."""
        asyncio.run(self.insert(batches))

    async def insert(self, batches: Iterable[Sequence[Stored]]) -> None:
        """Commit batches."""
        engine = open_write_engine(self.url)
        async with engine.connect() as connection:
            for batch in batches:
                await insert(connection, Batch([as_verdict(row) for row in batch]))
        await engine.dispose()

    def roll_up(self) -> int:
        """Roll up what is marked; how many steps that took."""
        steps = 0
        while self.worker.step(self.connection):
            self.worker.cooling.clear()
            steps += 1
        return steps

    def query(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement), values)]

    def unit_days(self) -> dict[Key, Sums]:
        """`unit_days` as the oracle has them."""
        found: dict[Key, Sums] = {}
        for row in self.query(TOLD_APART):
            route, environment = tuple(row[4:11]), tuple(row[11:18])
            sums = Counter({name: number for name, number in zip(SUMS, row[19:], strict=True) if number})
            found[row[0], row[1], row[2], row[3], route, environment, row[18]] = sums
        return found

    def units(self) -> dict[tuple[int, int], Known]:
        """`units` as the oracle has them."""
        rows = self.query(
            "SELECT bucket, unit, first_hour, last_day, setup, lasting, crowded, write_keys, settled "
            "FROM units"
        )
        return {row[:2]: (row[2].astimezone(dt.UTC), *row[3:]) for row in rows}

    def attempts(self) -> dict[tuple[Any, ...], tuple[int, ...]]:
        """The sums of `attempts`, in the order of `SUMS`, by what the row of `unit_days` is about."""
        grain = "day, bucket, unit, route, environment, failure, application_hash"
        counted = [
            f"kind & 3 = {OUTCOMES[name]}" if name in OUTCOMES else f"kind & {TRAITS[name]} > 0"
            for name in (*OUTCOMES, *TRAITS)
        ]
        counted.append(f"kind >> {DURATION_SHIFT} > 0")
        sums = ", ".join(f"coalesce(sum(coalesce(times, 1)) FILTER (WHERE {each}), 0)" for each in counted)
        rows = self.query(f"""
            SELECT {grain}, {sums}, sum(coalesce(times, 1) * (kind >> {DURATION_SHIFT})),
                coalesce(CAST(sum(a.records) AS bigint), 0)
            FROM attempts AS a JOIN unit_days USING (day, bucket, day_key) GROUP BY {grain}
        """)
        return {row[:7]: row[7:] for row in rows}
