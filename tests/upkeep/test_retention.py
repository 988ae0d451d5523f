"""Weeks that arrived long ago are dropped, their ranges are closed, and counts are
added up without changing a sum."""

import asyncio
import datetime as dt
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection

from app.contract.document import ParsedEvent
from app.contract.vocabulary import shipped_connectors
from app.privacy.projection import Arrival
from app.privacy.pseudonyms import Pseudonyms
from app.privacy.verdict import VerdictContext, judge
from app.rollups.worker import drain
from app.store import partitions
from app.store.database import open_write_engine
from app.store.events import Batch, insert
from app.upkeep import retention
from tests.conftest import ServiceFactory
from tests.look import Look, wait_until
from tests.samples import clean_event, spoil

VERDICT_CONTEXT = VerdictContext(
    shipped_connectors(), Pseudonyms("a hash key of thirty-two characters or more")
)
STOP = threading.Event()
DAY = dt.timedelta(days=1)
NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
LONG_AGO = dt.datetime(2026, 8, 5, 12, tzinfo=dt.UTC)  # a Wednesday


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        partitions.make_all(connection, [partitions.monday(LONG_AGO)])
        yield connection
    engine.dispose()


def write(url: str, occurred_at: dt.datetime, received_at: dt.datetime, **changes: Any) -> str:
    """Insert one event, refused if `changes` spoil it, and roll it up; its outcome."""
    outcome = write_only(url, occurred_at, received_at, **changes)
    drain(url)
    return outcome


def write_only(url: str, occurred_at: dt.datetime, received_at: dt.datetime, **changes: Any) -> str:
    """Insert one event; its outcome."""

    async def run() -> str:
        event = clean_event() | {"timestamp": occurred_at.isoformat()}
        for path, value in changes.items():
            event = spoil(path.replace("__", "."), value, event)
        engine = open_write_engine(url)
        verdict = judge(ParsedEvent(event), Arrival(received_at, 1, b"key", historical=True), VERDICT_CONTEXT)
        async with engine.connect() as opened:
            [outcome] = await insert(opened, Batch([verdict]))
        await engine.dispose()
        return outcome

    return asyncio.run(run())


def test_a_week_that_arrived_long_ago_is_dropped_and_closed(
    bare: Look, database_url: str, connection: Connection
) -> None:
    assert write(database_url, LONG_AGO, LONG_AGO) == "accepted"
    assert write(database_url, LONG_AGO, LONG_AGO) == "duplicate"
    assert retention.apply(connection, STOP, 90, LONG_AGO + 89 * DAY) == 0
    assert retention.apply(connection, STOP, 90, LONG_AGO + 91 * DAY) == 1
    assert bare.value("SELECT count(*) FROM events") == 0
    monday = partitions.start(partitions.monday(LONG_AGO))
    assert bare.rows("SELECT lower, upper FROM dropped_ranges") == [(monday, monday + 7 * DAY)]
    assert f"events_p{monday:%Y%m%d}" not in partitions.existing(connection)
    assert partitions.detached(connection) == []
    for margin, outcome in (
        (0, "expired"),
        (-9, "expired"),
        (-10, "accepted"),
        (11, "expired"),
        (12, "accepted"),
    ):
        assert write(database_url, LONG_AGO + margin * DAY, NOW) == outcome, margin
    spoiled = {"properties__application_hash": "short"}
    assert write(database_url, LONG_AGO, NOW, **spoiled) == "expired"
    assert bare.value("SELECT count(*) FROM rejections") == 0
    bare.check_law()
    assert partitions.make_due(connection, LONG_AGO) > 0  # the weeks around it, but never the closed one
    assert f"events_p{monday:%Y%m%d}" not in partitions.existing(connection)


@pytest.mark.parametrize("away", [-6, 0, 6])
def test_a_week_waits_until_everything_around_it_is_rolled_up(
    bare: Look, database_url: str, connection: Connection, away: int
) -> None:
    assert write(database_url, LONG_AGO, LONG_AGO) == "accepted"
    partitions.make_all(connection, [partitions.monday(LONG_AGO + away * DAY)])
    around = LONG_AGO + away * DAY + DAY / 24
    assert write_only(database_url, around, max(around, LONG_AGO)) == "accepted"
    assert retention.apply(connection, STOP, 90, LONG_AGO + 98 * DAY) == 0
    drain(database_url)
    assert retention.apply(connection, STOP, 90, LONG_AGO + 98 * DAY) >= 1
    assert bare.value("SELECT sum(succeeded) FROM unit_days") == 2


def test_a_week_that_is_held_open_loses_what_arrived_long_ago(
    bare: Look, database_url: str, connection: Connection
) -> None:
    assert write(database_url, LONG_AGO, LONG_AGO) == "accepted"
    assert write(database_url, LONG_AGO + DAY, NOW - DAY) == "accepted"
    assert retention.apply(connection, STOP, 90, NOW) == 0
    assert bare.rows("SELECT received_at FROM events") == [(NOW - DAY,)]


def test_a_refused_event_keeps_its_week_too(bare: Look, database_url: str, connection: Connection) -> None:
    assert write(database_url, LONG_AGO, LONG_AGO) == "accepted"
    assert write(database_url, LONG_AGO, NOW - DAY, properties__application_hash="short") == "rejected"
    assert retention.apply(connection, STOP, 90, NOW) == 0


def test_an_empty_week_leaves_no_closed_range(bare: Look, database_url: str, connection: Connection) -> None:
    assert retention.apply(connection, STOP, 90, NOW) > 0
    assert bare.rows("SELECT * FROM dropped_ranges") == []
    assert write(database_url, LONG_AGO, NOW) == "accepted"  # into the default partition


def test_a_clock_that_is_ahead_never_closes_a_week_in_use(
    bare: Look, database_url: str, connection: Connection
) -> None:
    ahead = LONG_AGO + 100 * DAY
    assert write(database_url, ahead, LONG_AGO) == "accepted"
    partitions.make_all(connection, [partitions.monday(ahead)])
    retention.apply(connection, STOP, 90, ahead)
    assert bare.rows("SELECT * FROM dropped_ranges") == []
    assert write(database_url, ahead + dt.timedelta(hours=1), ahead) == "accepted"


def test_the_default_partition_is_emptied_by_the_time_of_arrival(
    bare: Look, database_url: str, connection: Connection
) -> None:
    off = dt.datetime(2031, 5, 5, tzinfo=dt.UTC)
    assert write(database_url, off, LONG_AGO) == "accepted"
    assert write(database_url, off, NOW - DAY, properties__number_of_records=7) == "accepted"
    retention.apply(connection, STOP, 90, NOW)
    assert bare.rows("SELECT received_at FROM events_default") == [(NOW - DAY,)]


def test_a_row_that_came_in_at_the_last_moment_survives(
    bare: Look, database_url: str, connection: Connection
) -> None:
    """As when the process is killed between detaching and dropping."""
    assert write(database_url, LONG_AGO, LONG_AGO) == "accepted"
    assert write(database_url, LONG_AGO + DAY, NOW - DAY) == "accepted"
    partitions.detach(connection, partitions.monday(LONG_AGO), record=True)
    assert len(partitions.detached(connection)) == 2
    retention.apply(connection, STOP, 90, NOW)
    assert partitions.detached(connection) == []
    assert bare.rows("SELECT received_at FROM events") == [(NOW - DAY,)]


def test_counts_of_yesterday_are_added_up(bare: Look, database_url: str, connection: Connection) -> None:
    for number in range(5):
        write(database_url, LONG_AGO, NOW, properties__number_of_records=number)
        write(database_url, LONG_AGO, NOW, properties__source__name="source-private")
    before = bare.outcomes()
    tallies = bare.rows("SELECT kind, reason, sum(count) FROM tallies GROUP BY 1, 2")
    assert retention.compact(connection, STOP) == 0
    tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(hours=25)
    # Ten events are 20 counts; a field was withheld of five, of which four are duplicates.
    assert retention.compact(connection, STOP, tomorrow) == 21
    assert bare.outcomes() == before
    assert bare.value("SELECT count(*) FROM outcomes") == 3
    assert bare.rows("SELECT kind, reason, sum(count) FROM tallies GROUP BY 1, 2") == tallies
    write(database_url, LONG_AGO, NOW, properties__number_of_records=9)
    assert retention.compact(connection, STOP, tomorrow) == 2
    assert bare.value("SELECT count(*) FROM outcomes") == 3
    bare.check_law()


def test_the_service_does_it_by_itself(make_service: ServiceFactory, database_url: str, bare: Look) -> None:
    old = dt.datetime.now(dt.UTC) - 40 * DAY
    assert write(database_url, old, old) == "accepted"
    ahead = f"{partitions.due(dt.datetime.now(dt.UTC))[-1]:%Y%m%d}"
    bare.run(f"DROP TABLE events_p{ahead}, rejections_p{ahead}")
    now = dt.datetime.now(dt.UTC)
    assert write(database_url, now, now) == "accepted"
    settings = {"TELEMETRY_RAW_RETENTION_DAYS": "30", "TELEMETRY_RETENTION_GRACE_MINUTES": "0"}
    make_service(settings | {"TELEMETRY_WORKERS": "2"})
    wait_until(lambda: bare.value("SELECT count(*) FROM dropped_ranges") == 1, "nothing is dropped")
    wait_until(lambda: bare.value("SELECT count(*) FROM events") == 1, "nothing is dropped")
    wait_until(
        lambda: bare.value("SELECT to_regclass(:name) IS NOT NULL", name=f"events_p{ahead}"),
        "no partition is made",
    )
