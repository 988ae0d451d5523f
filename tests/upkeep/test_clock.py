"""Nothing that cannot be undone trusts one reading of one clock."""

import datetime as dt
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection

from app.store import partitions
from app.upkeep import clock, expiry, retention
from tests.conftest import ServiceFactory
from tests.look import Look, wait_until
from tests.upkeep.test_retention import DAY, STOP, write, write_only

NOW = dt.datetime.now(dt.UTC)
YEARS = 5_000 * DAY


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_the_lesser_of_two_clocks_counts(connection: Connection) -> None:
    assert clock.trusted_now(connection, NOW - DAY) == NOW - DAY
    ahead = clock.trusted_now(connection, NOW + DAY)
    assert ahead is not None
    assert ahead < NOW + DAY


def test_a_clock_that_leaps_is_not_trusted_and_comes_back(connection: Connection, bare: Look) -> None:
    # The database's clock is right, or both are wrong; here both are said to be ahead by a mark in the past.
    bare.run(
        "INSERT INTO upkeep_clock (single, marked_at, distrusted) VALUES (true, now() - interval "
        "'50 hours', false)"
    )
    assert clock.trusted_now(connection, NOW) is None
    assert bare.value("SELECT distrusted FROM upkeep_clock")
    # It moves on an hour at each reading: some readings later the installation works again by itself.
    assert clock.trusted_now(connection, NOW) is None
    assert clock.trusted_now(connection, NOW) is not None
    assert not bare.value("SELECT distrusted FROM upkeep_clock")


def test_arrivals_vouch_for_the_time(connection: Connection, bare: Look, database_url: str) -> None:
    bare.run(
        "INSERT INTO upkeep_clock (single, marked_at, distrusted) VALUES (true, now() - interval "
        "'90 days', false)"
    )
    assert clock.trusted_now(connection, NOW) is None
    assert write(database_url, NOW, NOW) == "accepted"
    assert clock.trusted_now(connection, NOW) is not None


def test_nothing_is_deleted_in_the_first_hour_of_a_process(connection: Connection) -> None:
    assert clock.Guard(3600.0).read(connection) is None
    assert clock.Guard(0.0).read(connection) is not None


def test_two_weeks_a_day_at_most(connection: Connection, bare: Look, database_url: str) -> None:
    for weeks in range(5):
        moment = NOW - 200 * DAY + weeks * 7 * DAY
        partitions.make_all(connection, [partitions.monday(moment)])
        assert write(database_url, moment, moment) == "accepted"
    closed = "SELECT count(*) FROM dropped_ranges"
    for day, number in enumerate((2, 4, 5, 5)):
        for _ in range(2):  # a second run on a day drops nothing more
            retention.apply(connection, STOP, 90, NOW + day * DAY)
        assert bare.value(closed) == number


def test_one_start_with_a_wrong_clock_keeps_the_live_events(
    connection: Connection, bare: Look, database_url: str
) -> None:
    for weeks in range(4):
        moment = NOW - (weeks * 7 + 1) * DAY
        assert write(database_url, moment, moment) == "accepted"
    retention.apply(connection, STOP, 90, NOW + YEARS)
    assert bare.value("SELECT count(*) FROM dropped_ranges") <= clock.WEEKS_A_DAY
    # Whatever was dropped, an event of now is stored.
    assert write(database_url, NOW, NOW) == "accepted"
    assert write(database_url, NOW - 6 * DAY, NOW, properties__number_of_records=3) == "accepted"


def test_the_service_does_not_delete_by_a_clock_that_leapt(
    make_service: ServiceFactory, database_url: str, bare: Look
) -> None:
    """As after a start whose clock is years ahead: seen from there, everything arrived long ago."""
    old = NOW - 40 * DAY
    assert write(database_url, old, old) == "accepted"
    bare.run("INSERT INTO upkeep_clock (single, marked_at, distrusted) VALUES (true, :mark, false)", mark=old)
    service = make_service({"TELEMETRY_RAW_RETENTION_DAYS": "30", "TELEMETRY_RETENTION_GRACE_MINUTES": "0"})
    wait_until(lambda: "clock_not_trusted" in service.output(), "the clock is not trusted")
    assert bare.value("SELECT count(*) FROM events") == 1
    assert bare.rows("SELECT * FROM dropped_ranges") == []


def test_a_sender_that_never_stops_keeps_nobody(
    connection: Connection, bare: Look, database_url: str
) -> None:
    """One event a week, and one a month, of old and of coming times: after 5,000 days
    nothing else of then is left."""
    honest = "01M831Y67Z4Z89BH0DGHDMT1M8"
    for moment in (
        NOW,
        NOW - 300 * DAY,
        NOW - 1_000 * DAY,
        NOW + 10_000 * DAY,
        dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
    ):
        write(database_url, moment, NOW, anonymousId=honest)
        write(database_url, moment, NOW, anonymousId=honest, properties__state="x")
    bare.run(
        "INSERT INTO tombstones (requested_at, met_at, bucket, sweeps, anonymous_id) VALUES (:now, "
        ":now, 1, 3, hashtextextended(CAST(gen_random_uuid() AS text), 0))",
        now=NOW,
    )
    bare.run(
        "INSERT INTO tombstones (requested_at, bucket, sweeps, anonymous_id) VALUES (:now, 2, 3, "
        "hashtextextended(CAST(gen_random_uuid() AS text), 0))",
        now=NOW,
    )
    bare.run(
        "INSERT INTO quarantined_sessions VALUES (:now, :now, 1, "
        "hashtextextended(CAST(gen_random_uuid() AS text), 0), '22003')",
        now=NOW,
    )
    held = NOW  # the week that the steady sender tries to hold open
    for day in (*range(7, 700, 7), *range(700, 5_000, 30)):
        later = NOW + day * DAY
        write_steadily(database_url, held, later, day)
        if day % 30 < 7 or day > 690:
            retention.apply(connection, STOP, 90, later)
            expiry.expire(connection, threading.Event(), later)
    last = NOW + 5_000 * DAY
    retention.apply(connection, STOP, 90, last)
    expiry.expire(connection, threading.Event(), last)
    line = last - 91 * DAY
    for table in ("events", "rejections"):
        assert bare.value(f"SELECT count(*) FROM {table} WHERE received_at < :line", line=line) == 0
    for table in ("attempts", "unit_days"):
        assert bare.value(f"SELECT count(*) FROM {table} WHERE day < :line", line=last - 401 * DAY) == 0
    assert bare.value("SELECT count(*) FROM units") == 1  # the one that never stops
    for table in ("tombstones", "quarantined_sessions", "dirty_sessions"):
        assert bare.value(f"SELECT count(*) FROM {table}") == 0


def write_steadily(url: str, held: dt.datetime, now: dt.datetime, number: int) -> None:
    """Two events of one sender: one of the week that it holds, one of now."""
    sender = "01M831Y67Z4Z89BH0DGHDMT1M7"
    write_only(url, held, now, anonymousId=sender, properties__number_of_records=number)
    write(url, now, now, anonymousId=sender, properties__number_of_records=number)


def test_ids_that_were_never_met_are_forgotten_after_30_days(connection: Connection, bare: Look) -> None:
    rows = {"never met": None, "met": NOW - 100 * DAY}
    for number, met_at in enumerate(rows.values()):
        connection.execute(
            text(
                "INSERT INTO tombstones VALUES (:asked, :met, :bucket, 3, "
                "hashtextextended(CAST(gen_random_uuid() AS text), 0))"
            ),
            {"asked": NOW - 31 * DAY, "met": met_at, "bucket": number},
        )
    connection.commit()
    expiry.expire(connection, threading.Event(), NOW)
    assert bare.rows("SELECT met_at FROM tombstones") == [(rows["met"],)]
