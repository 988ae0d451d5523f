"""Partitions are made while others write, also for a range that has rows in the default partition."""

import asyncio
import datetime as dt
import threading

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from app.contract.document import ParsedEvent
from app.contract.vocabulary import shipped_connectors
from app.privacy.projection import Arrival
from app.privacy.pseudonyms import Pseudonyms
from app.privacy.verdict import VerdictContext, judge
from app.store import partitions
from app.store.database import open_write_engine
from app.store.events import Batch, insert
from tests.samples import clean_event, spoil

VERDICT_CONTEXT = VerdictContext(
    shipped_connectors(), Pseudonyms("a hash key of thirty-two characters or more")
)
FIRST = dt.datetime(2025, 1, 6, tzinfo=dt.UTC)  # a Monday
WEEKS = 12
WRITERS = 3


async def write_until(stop: threading.Event, url: str, writer: int, outcomes: list[str]) -> None:
    """Write batches that span all weeks, refused events among them, one after another."""
    engine = open_write_engine(url)
    number = 0
    async with engine.connect() as connection:
        while not stop.is_set():
            verdicts = []
            for week in range(WEEKS):
                number += 1
                at = FIRST + dt.timedelta(days=7 * week, hours=number % 160)
                event = clean_event() | {"timestamp": at.isoformat(), "messageId": f"{writer}-{number}"}
                if number % 5 == 0:
                    event = spoil("properties.application_hash", "short", event)
                verdicts.append(
                    judge(ParsedEvent(event), Arrival(at, 1, b"key", historical=True), VERDICT_CONTEXT)
                )
            outcomes += await insert(connection, Batch(verdicts))
            outcomes += await insert(connection, Batch(verdicts[:1]))  # alone in its batch, and a duplicate
    await engine.dispose()


def test_partitions_are_made_under_the_feet_of_writers(database_url: str) -> None:
    stop = threading.Event()
    outcomes: list[str] = []
    writers = [
        threading.Thread(target=lambda n=n: asyncio.run(write_until(stop, database_url, n, outcomes)))
        for n in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    engine = create_engine(database_url)
    try:
        with engine.connect() as connection, engine.connect() as other:
            for week in range(WEEKS):
                while len(outcomes) < 200 * (week + 1):
                    assert writers[0].is_alive()
                    writers[0].join(0.005)
                wanted = [FIRST.date() + week * partitions.WEEK]
                assert partitions.make_all(connection, wanted) == 1
                assert partitions.make_all(other, wanted) == 0
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    with engine.connect() as connection:
        stored = connection.execute(text("SELECT count(*) FROM events")).scalar_one()
        ledger = connection.execute(
            text("SELECT count(*), count(*) FILTER (WHERE reason = 'internal') FROM rejections")
        ).one()
        left = connection.execute(
            text("SELECT (SELECT count(*) FROM events_default) + (SELECT count(*) FROM rejections_default)")
        ).scalar_one()
        counts = connection.execute(text("SELECT outcome, sum(count)::bigint FROM outcomes GROUP BY 1")).all()
    law: dict[str, int] = {outcome: number for outcome, number in counts}  # noqa: C416 -- rows are no pairs to mypy
    engine.dispose()
    assert set(outcomes) == {"accepted", "rejected", "duplicate"}
    assert stored == outcomes.count("accepted") == law["accepted"]
    assert ledger[1] == 0  # nothing was refused for our sake
    assert left == 0
    assert law["received"] == law["accepted"] + law["rejected"] + law["duplicate"] == len(outcomes)


def test_a_reader_delays_a_partition_and_is_not_disturbed(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.connect() as reader, engine.connect() as maker:
        reader.execute(text("SELECT count(*) FROM events"))  # holds its lock until the end of its transaction
        made = threading.Thread(target=lambda: partitions.make_all(maker, [FIRST.date()]))
        made.start()
        made.join(0.3)
        assert made.is_alive()
        with engine.connect() as writer:
            writer.execute(text("SET statement_timeout = '5s'"))
            writer.execute(text("INSERT INTO events_default SELECT * FROM events_default"))
        reader.rollback()
        made.join(20)
        assert not made.is_alive()
        assert f"events_p{FIRST:%Y%m%d}" in partitions.existing(maker)
    engine.dispose()


def test_a_fault_that_does_not_pass_is_raised_at_once(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        calls = 0

        def fail() -> None:
            nonlocal calls
            calls += 1
            connection.execute(text("SET LOCAL statement_timeout = 1"))
            connection.execute(text("SELECT pg_sleep(1)"))

        with pytest.raises(OperationalError):
            partitions.patiently(connection, fail)
        assert calls == 1
    engine.dispose()
