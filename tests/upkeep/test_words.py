"""Words that nothing refers to are deleted, and never under the hands of a
writer who is about to use them."""

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection, Engine

from app.store.lexicon import LOCK
from app.upkeep import words
from app.upkeep.clock import Guard
from tests import citus
from tests.conftest import Service, ServiceFactory
from tests.look import Look, wait_until
from tests.samples import basic, clean_event

STOP = threading.Event()
NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = ANY(:kinds)"
# Who writes to a reference table of a cluster waits for an advisory lock of Citus.
FOR_A_ROW = ["transactionid", "advisory"] if citus.DSN else ["transactionid"]
TABLES = ("routes", "environments", "words")
DANGLING = """
    SELECT count(*) FROM unit_days AS u
    WHERE NOT EXISTS (SELECT FROM routes AS r WHERE r.id = u.route)
       OR NOT EXISTS (SELECT FROM environments AS e WHERE e.id = u.environment)
"""


@pytest.fixture
def service(make_service: ServiceFactory, database_url: str) -> Service:
    """One that has met no word yet, and takes its time."""
    return make_service({"TELEMETRY_DEADLINE_MS": "10000"})


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        yield connection


def post(service: Service, number: int, version: str = "1.2.3") -> str:
    """Post a sync with a version of its own of everything that is free; what became of it."""
    event = clean_event(version=f"0.99.{number % 2}", source={"name": "source-faker", "version": version})
    reply = httpx.post(
        f"{service.url}/v1/track",
        json=event | {"messageId": f"m-{number}", "anonymousId": f"01M831Y67Z4Z89BH0DG{number:07d}"},
        headers=basic(service.write_key),
        timeout=30,
    )
    return str(reply.json()["outcome"])


def is_rolled_up(look: Look) -> bool:
    return not look.value("SELECT count(*) FROM dirty_sessions")


def roll_up(look: Look) -> None:
    wait_until(lambda: is_rolled_up(look), "all is rolled up")


def age(look: Look, days: int) -> None:
    """Let the last use of every word be so many days ago."""
    for table in TABLES:
        look.run(f"UPDATE {table} SET last_day = CAST(now() AT TIME ZONE 'UTC' AS date) - {days}")


def let_go(look: Look) -> None:
    """Delete every daily sum, as expiry and `forget` do."""
    for table in ("events", "attempts", "unit_days"):
        look.run(f"DELETE FROM {table}")


def counts(look: Look) -> dict[str, int]:
    return {table: look.value(f"SELECT count(*) FROM {table}") for table in TABLES}


VERSIONS = "SELECT word FROM words WHERE subject NOT IN ('route', 'environment') ORDER BY 1"


def test_what_nothing_refers_to_goes_after_two_days(
    service: Service, database_url: str, look: Look, connection: Connection
) -> None:
    post(service, 0)
    roll_up(look)
    # Two versions, and what the budget remembers of the route and the environment.
    assert counts(look) == {"routes": 1, "environments": 1, "words": 4}
    age(look, 30)
    assert not any(words.collect(connection, STOP, NOW).values())  # a daily sum refers to all of it
    let_go(look)
    age(look, 2)
    assert not any(words.collect(connection, STOP, NOW).values())  # a writer may be about to use it
    age(look, 3)
    assert words.collect(connection, STOP, NOW) == {"routes": 1, "environments": 1, "words": 2}
    assert counts(look) == {"routes": 0, "environments": 0, "words": 2}
    age(look, 31)  # a combination is remembered for a month
    assert words.collect(connection, STOP, NOW) == {"routes": 0, "environments": 0, "words": 2}


def test_only_what_is_not_referred_to_goes(
    service: Service, database_url: str, look: Look, connection: Connection
) -> None:
    post(service, 0)
    roll_up(look)
    let_go(look)
    post(service, 1, "4.5.6")
    roll_up(look)
    age(look, 3)
    words.collect(connection, STOP, NOW)
    assert look.rows("SELECT source_version FROM routes") == [("4.5.6",)]
    assert look.rows("SELECT version FROM environments") == [("0.99.1",)]
    assert look.rows(VERSIONS) == [("0.99.1",), ("4.5.6",)]


def test_who_uses_a_word_again_notes_it_before(service: Service, database_url: str, look: Look) -> None:
    post(service, 0)
    roll_up(look)
    age(look, 3)
    ids = look.rows("SELECT id FROM routes")
    service.stop()
    service.start()  # what a process remembers ends with it
    post(service, 2)
    roll_up(look)
    assert look.rows("SELECT id FROM routes") == ids
    for table in TABLES:
        stale = f"SELECT count(*) FROM {table} WHERE last_day < CAST(now() AT TIME ZONE 'UTC' AS date)"
        assert look.value(stale) == 0, table


def in_background(action: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread


@pytest.mark.parametrize("table", ["routes", "environments"])
def test_a_rollup_meets_a_word_that_is_being_deleted(
    service: Service, database_url: str, look: Look, connection: Connection, table: str
) -> None:
    """It waits, and makes the word anew: no daily sum is left without its words."""
    post(service, 0)
    roll_up(look)
    let_go(look)
    age(look, 3)
    ids = [row[0] for row in look.rows(f"SELECT id FROM {table}")]
    taken = {"before": NOW.date() - 2 * DAY, "ids": ids}
    assert connection.execute(text(words.DELETE.format(table)), taken).rowcount == 1
    post(service, 2)
    wait_until(lambda: look.value(WAITING, kinds=FOR_A_ROW) > 0, "the rollup waits")
    connection.commit()
    roll_up(look)
    assert look.value("SELECT count(*) FROM unit_days") == 1
    assert look.value(DANGLING) == 0


def test_a_collector_meets_a_word_that_a_rollup_has_noted(
    service: Service, database_url: str, look: Look, engine: Engine, connection: Connection
) -> None:
    """The rollup noted it and has not committed yet: the delete waits, looks again, and lets it be."""
    post(service, 0)
    roll_up(look)
    let_go(look)
    age(look, 3)
    connection.execute(text("LOCK TABLE unit_days IN SHARE ROW EXCLUSIVE MODE"))
    post(service, 2)
    wait_until(lambda: look.value(WAITING, kinds=["relation"]) > 0, "the rollup is about to write its sums")

    def collect() -> None:
        with engine.connect() as own:
            words.collect(own, STOP, NOW)

    collecting = in_background(collect)
    wait_until(lambda: look.value(WAITING, kinds=FOR_A_ROW) > 0, "the collector waits")
    connection.commit()
    collecting.join()
    roll_up(look)
    assert look.value("SELECT count(*) FROM unit_days") == 1
    assert look.value(DANGLING) == 0


def test_an_event_meets_a_version_that_is_being_deleted(
    service: Service, database_url: str, look: Look, connection: Connection
) -> None:
    post(service, 0)
    roll_up(look)
    let_go(look)
    age(look, 3)
    words.collect(connection, threading.Event(), NOW - DAY)  # nothing yet
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    connection.execute(text("DELETE FROM routes"))
    connection.execute(text("DELETE FROM environments"))
    taken = {
        "before": NOW.date() - 2 * DAY,
        "subjects": ["pyairbyte", "source-faker"],
        "words": ["0.99.0", "1.2.3"],
    }
    assert connection.execute(text(words.DELETE_WORDS), taken).rowcount == 2
    service.stop()
    service.start()  # what a process remembers ends with it
    posting = in_background(lambda: post(service, 2))
    wait_until(lambda: look.value(WAITING, kinds=["advisory"]) > 0, "the writer waits")
    connection.commit()
    posting.join()
    wait_until(lambda: look.value("SELECT count(*) FROM events") == 1, "the event is stored")
    assert look.rows("SELECT version, source_version FROM events") == [("0.99.0", "1.2.3")]
    assert look.rows(VERSIONS) == [("0.99.0",), ("1.2.3",)]
    roll_up(look)
    assert look.value(DANGLING) == 0


def test_whose_budget_it_was_is_known_for_a_day(
    service: Service, database_url: str, look: Look, connection: Connection
) -> None:
    post(service, 0)
    job = words.Collector(Guard(grace=0))
    job.keep(connection, STOP)
    assert look.value("SELECT count(slot) FROM words") == 4
    look.run("UPDATE words SET first_day = first_day - 1")
    job.keep(connection, STOP)
    assert look.value("SELECT count(slot) FROM words") == 0
