"""Indexes of a week that is over are rebuilt once, while others write; an interrupted
reindexing leaves nothing behind."""

import datetime as dt
import threading

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from app.store import partitions
from app.store.advisory_lock import only_one
from app.upkeep import reindexing
from tests.look import Look

pytestmark = pytest.mark.one_server  # the indexes are on the nodes, and are theirs: docs/scale.md
NOW = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
PAST, CURRENT = "events_p20261109", "events_p20261123"
FILL = """
    INSERT INTO {} (occurred_at, received_at, bucket, write_key, first_run, message_key, session_key, event,
        state)
    SELECT CAST(:day AS date) + mod(n * 7919, 80000) * interval '1 second', now(), 7, 1, false,
        hashtextextended(CAST(gen_random_uuid() AS text), 0),
           hashtextextended(CAST(gen_random_uuid() AS text), 0), 'sync', 'started'
    FROM generate_series(1, 40000) AS n
"""
SIZE = "SELECT pg_indexes_size(CAST(:name AS regclass))"


@pytest.fixture
def filled(bare: Look) -> Look:
    """A past and the current week, each filled in no order."""
    with bare.engine.connect() as connection:
        partitions.make_due(connection, NOW)
    for name, day in ((PAST, "2026-11-10"), (CURRENT, "2026-11-24")):
        bare.run(FILL.format(name), day=dt.date.fromisoformat(day))
        bare.run(f"ANALYZE {name}")
    return bare


def reindex(look: Look) -> int:
    with look.engine.connect() as connection:
        connection.exec_driver_sql("SET lock_timeout = '100ms'")
        connection.commit()
        reindexed = reindexing.reindex(connection, threading.Event(), NOW)
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "100ms"
        assert not connection.connection.driver_connection.autocommit  # type: ignore[union-attr]
        return reindexed


def test_a_week_that_is_over_is_reindexed_once(filled: Look) -> None:
    before = {name: filled.value(SIZE, name=name) for name in (PAST, CURRENT)}
    with (
        filled.engine.connect() as writer
    ):  # one that writes does not wait, and is not waited for once it has ended
        writer.exec_driver_sql(f"SELECT count(*) FROM {PAST}")
        writer.rollback()
        assert reindex(filled) == 1
    assert filled.value(SIZE, name=PAST) < 0.85 * before[PAST]
    assert filled.value(SIZE, name=CURRENT) == before[CURRENT]
    assert filled.value(f"SELECT count(*) FROM {PAST}") == 40_000
    assert reindex(filled) == 0
    assert filled.value(SIZE, name=PAST) < 0.85 * before[PAST]


def test_who_keeps_the_lock_fails_the_job_and_nothing_else(
    filled: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the driver's own would end the thread that all upkeep runs in."""
    monkeypatch.setattr(reindexing, "LOCK_WAIT", "50ms")
    with filled.engine.connect() as other, filled.engine.connect() as connection:
        other.exec_driver_sql(f"LOCK TABLE {PAST} IN SHARE UPDATE EXCLUSIVE MODE")
        with pytest.raises(DBAPIError):
            reindexing.reindex(connection, threading.Event(), NOW)
        other.rollback()
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == partitions.LOCK_WAIT


def test_what_an_interrupted_reindexing_left_is_cleared_away(filled: Look) -> None:
    with filled.engine.connect() as reader:
        reader.exec_driver_sql(f"INSERT INTO {PAST} SELECT * FROM {PAST} LIMIT 0")  # an open transaction
        with psycopg.connect(
            filled.engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
            autocommit=True,
        ) as interrupted:
            interrupted.execute("SET lock_timeout = '100ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                interrupted.execute(f"REINDEX TABLE CONCURRENTLY {PAST}".encode())
        reader.rollback()
    half_built = f"SELECT count(*) FROM pg_index WHERE indrelid = '{PAST}'::regclass AND NOT indisvalid"
    assert filled.value(half_built) > 0
    assert reindex(filled) == 1
    assert filled.value(half_built) == 0
    assert filled.value(f"SELECT count(*) FROM pg_index WHERE indrelid = '{PAST}'::regclass") == 2


def test_whoever_waits_for_the_upkeep_lock_does_not_hold_reindexing_up(filled: Look) -> None:
    """A wait inside a transaction and `REINDEX CONCURRENTLY`, which waits for
    transactions, would be a deadlock."""
    held = threading.Event()

    def wait_for_lock() -> None:
        with filled.engine.connect() as connection, only_one(connection, wait=True):
            held.set()

    with filled.engine.connect() as connection, only_one(connection, wait=False):
        waiting = threading.Thread(target=wait_for_lock)
        waiting.start()
        assert reindexing.reindex(connection, threading.Event(), NOW) == 1
        assert not held.is_set()
    waiting.join(10)
    assert held.is_set()
