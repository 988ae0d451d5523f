"""A batch that is committed again, whole, changes nothing; whichever of its counts Postgres writes first,
and however it calls the table.
"""

import asyncio
import datetime as dt
from collections import Counter

import psycopg
import pytest

from app.contract.document import ParsedEvent
from app.contract.vocabulary import shipped_connectors
from app.privacy.projection import Arrival
from app.privacy.pseudonyms import Pseudonyms
from app.privacy.verdict import VerdictContext, judge
from app.store.database import open_write_engine
from app.store.events import Batch, Tally, insert
from tests.samples import clean_event

NOW = dt.datetime(2026, 11, 25, 12, 30, tzinfo=dt.UTC)


# As a distributed Postgres does, which writes to shards of its own names.
HIDE = """
    ALTER TABLE {0} RENAME TO {0}_102008;
    CREATE VIEW {0} AS SELECT * FROM {0}_102008;
    ALTER VIEW {0} ALTER COLUMN reason SET DEFAULT '', ALTER COLUMN written_at SET DEFAULT now()
"""


@pytest.mark.parametrize("missed", [None, "outcomes", "tallies"])
@pytest.mark.parametrize("hidden", [False, pytest.param(True, marks=pytest.mark.one_server)])
def test_a_batch_that_is_committed_already_is_recognised_by_either_count(
    database_url: str, missed: str | None, *, hidden: bool
) -> None:
    if hidden:
        with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
            for table in ("outcomes", "tallies"):
                connection.execute(HIDE.format(table).encode())
    verdict_context = VerdictContext(
        shipped_connectors(), Pseudonyms("a hash key of thirty-two characters or more")
    )
    verdicts = [
        judge(ParsedEvent(clean_event(number_of_records=n)), Arrival(NOW, 1, b"key"), verdict_context)
        for n in range(3)
    ]
    batch = Batch(verdicts, Counter({Tally(NOW.replace(minute=0), 1, "refused", "malformed"): 1}))

    async def commit() -> list[str]:
        engine = open_write_engine(database_url)
        async with engine.connect() as connection:
            outcomes = await insert(connection, batch)
        await engine.dispose()
        return outcomes

    def count(table: str) -> int:
        with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
            row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
            assert row is not None
            return int(row[0])

    assert asyncio.run(commit()) == ["accepted"] * 3
    if missed:  # as if its key were looked at later
        with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
            connection.execute(f"DELETE FROM {missed}".encode())
    before = {
        table: count(table) for table in ("events", "rejections", "outcomes", "tallies", "dirty_sessions")
    }
    assert asyncio.run(commit()) == ["accepted"] * 3
    assert {table: count(table) for table in before} == before
    assert before["rejections"] == 0
