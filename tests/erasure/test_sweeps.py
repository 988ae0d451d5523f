"""A sweep serves all requests that came, and reads what may hold something of
them, not everything each time."""

import datetime as dt
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import Connection

from app.erasure import forget
from app.erasure.sweeps import COOLDOWN, Sweeps
from app.privacy.projection import BUCKETS
from app.store import partitions
from app.store.journal import Journal
from app.store.tables.events import events, tombstones
from tests import citus
from tests.erasure.test_forget import INSERTED, NOW, PSEUDONYMS
from tests.look import Look, wait_until
from tests.reports.rows import sync
from tests.samples import USER

MINUTE, HOUR, WEEK = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=7)
READ = re.compile(r"SELECT occurred_at, bucket, message_key, \w+ FROM (\w+)")
USERS = [f"01M831Y67Z4Z89BH0DGHDMT1{number:02}" for number in range(3)]


class Clock:
    """Every look at it takes so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.now = 0.0
        self.seconds = seconds

    def __call__(self) -> float:
        self.now += self.seconds
        return self.now


@pytest.fixture
def engine(bare: Look, database_url: str) -> Iterator[Engine]:
    """A database with three weeks' partitions, an event of each user in each."""
    engine = create_engine(database_url)
    with engine.connect() as connection:
        partitions.make_all(connection, [partitions.monday(NOW - WEEK * number) for number in range(3)])
        for user in USERS:
            store(connection, user, *(NOW - WEEK * number for number in range(3)))
    if not citus.DSN:  # the rows of shards are counted on their nodes
        wait_until(lambda: bare.value(INSERTED) == 9, "Postgres never counts the rows")
    yield engine
    engine.dispose()


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path, PSEUDONYMS)


def store(connection: Connection, user: str, *moments: dt.datetime) -> None:
    """Store events as the write statement would for an id without a tombstone."""
    bucket, unit = forget.key_of(PSEUDONYMS, user)
    rows = [
        sync("started", at, session=f"{user} {at}") | {"anonymous_id": unit, "bucket": bucket}
        for at in moments
    ]
    connection.execute(events.insert(), rows)
    connection.commit()


@contextmanager
def reading(engine: Engine) -> Iterator[list[str]]:
    """The partitions that are read, one by one."""
    read: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        read.extend(READ.findall(statement))

    event.listen(engine, "before_cursor_execute", note)
    yield read
    event.remove(engine, "before_cursor_execute", note)


def count(connection: Connection) -> int:
    return len(list(connection.execute(events.select())))


def test_what_is_asked_for_during_a_rest_is_swept_together(engine: Engine, journal: Journal) -> None:
    clock, stop = Clock(10.0), threading.Event()
    sweeps = Sweeps(clock)
    with engine.connect() as connection, reading(engine) as read:
        every = {*partitions.leaves(connection, "events"), *partitions.leaves(connection, "rejections")}
        forget.request(connection, PSEUDONYMS, USERS[0], NOW, journal)
        assert sweeps.sweep(connection, stop, NOW) == 3
        assert sorted(read) == sorted(every)
        read.clear()
        for user in USERS[1:]:
            forget.request(connection, PSEUDONYMS, user, NOW + MINUTE / 2, journal)
            assert sweeps.sweep(connection, stop, NOW + MINUTE / 2) == 0
        assert read == []
        clock.now += COOLDOWN * 20
        assert sweeps.sweep(connection, stop, NOW + MINUTE / 2) == 6
        assert sorted(read) == sorted(every)
        assert count(connection) == 0


def test_a_rest_is_over_when_it_says_so(engine: Engine, journal: Journal) -> None:
    clock, stop = Clock(0.0), threading.Event()
    sweeps = Sweeps(clock)
    assert sweeps.rest_left() == 0
    clock.seconds = 0.5
    with engine.connect() as connection:
        for number, user in enumerate(USERS[:2]):
            forget.request(connection, PSEUDONYMS, user, NOW + MINUTE / 10 * number, journal)
            assert sweeps.sweep(connection, stop, NOW + MINUTE / 10 * number) == 3
            clock.seconds, left = 0.0, sweeps.rest_left()
            assert 0 < left <= COOLDOWN
            clock.now += left
            clock.seconds = 0.5


@pytest.mark.one_server  # a cluster's partitions are all read again: what came in is not counted here
def test_a_later_sweep_reads_only_where_something_came_in(
    engine: Engine, journal: Journal, bare: Look
) -> None:
    sweeps, stop = Sweeps(lambda: 0.0), threading.Event()
    with engine.connect() as connection, reading(engine) as read:
        forget.request(connection, PSEUDONYMS, USERS[0], NOW, journal)
        assert sweeps.sweep(connection, stop, NOW) == 3
        before = bare.value(INSERTED)
        store(connection, USERS[0], NOW - WEEK)  # by a statement that had begun before
        wait_until(lambda: bare.value(INSERTED) == before + 1, "Postgres never counts the row")
        read.clear()
        assert sweeps.sweep(connection, stop, NOW + MINUTE) == 1
        filled = {f"events_p{partitions.monday(NOW - WEEK * number):%Y%m%d}" for number in (0, 2)}
        assert f"events_p{partitions.monday(NOW - WEEK):%Y%m%d}" in read
        assert not filled & set(read)
        assert count(connection) == 6
        # One who asks anew is looked for everywhere.
        forget.request(connection, PSEUDONYMS, USERS[0], NOW + HOUR, journal)
        read.clear()
        assert sweeps.sweep(connection, stop, NOW + HOUR) == 0
        assert filled < set(read)


def test_another_user_of_the_same_number_is_left_alone(engine: Engine, journal: Journal, bare: Look) -> None:
    """A pseudonym is unique within its bucket only."""
    own, unit = forget.key_of(PSEUDONYMS, USER)
    rows = [
        sync("started", NOW, session=str(bucket)) | {"anonymous_id": unit, "bucket": bucket}
        for bucket in (own, (own + 1) % BUCKETS)
    ]
    with engine.connect() as connection:
        connection.execute(events.insert(), rows)
        forget.request(connection, PSEUDONYMS, USER, NOW, journal)
        assert Sweeps().sweep(connection, threading.Event(), NOW) == 1
        assert connection.execute(tombstones.select()).one().met_at is not None
    assert bare.rows("SELECT bucket FROM events WHERE anonymous_id = :unit", unit=unit) == [
        ((own + 1) % BUCKETS,)
    ]
