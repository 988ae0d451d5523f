"""The worker: bounded work, rest for long sessions, several at once, frozen days."""

import datetime as dt
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import text

from app.erasure.sweeps import Sweeps
from app.problems import TelemetryError
from app.rollups import worker as rollups
from app.rollups.rebuild import rebuild, rebuild_session
from app.rollups.recomputation import BY_INDEX, MANY, UNKNOWN_ROWS, fill
from app.rollups.worker import Worker
from app.store.tables import NOBODY
from app.upkeep import expiry
from tests.faults.ledger import wait_until
from tests.reports.rows import NOON, NOW, pseudonym, refuse, sync
from tests.rollups import oracle
from tests.rollups.ledger import Ledger


def fleet(people: int) -> list[dict[str, object]]:
    """Two syncs of each of some people."""
    names = [f"user {number}" for number in range(people)]
    return [
        sync(state, unit=name, session=f"session of {name}")
        for name in names
        for state in ("started", "started", "failed", "succeeded")
    ]


def test_workers_share_the_work_and_never_meet(ledger: Ledger) -> None:
    rows = fleet(400)
    ledger.write([rows[part::7] for part in range(7)])
    failures: list[BaseException] = []

    def work() -> None:
        try:
            rollups.drain(ledger.url)
        except BaseException as error:  # noqa: BLE001 -- shown by the test below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger.roll_up()
    assert not failures
    assert ledger.unit_days() == oracle.recompute(rows)


def test_a_session_that_takes_long_rests_while_others_go_on(ledger: Ledger) -> None:
    long = [sync("started", session="daemon") for _ in range(MANY)]
    ledger.write([long])
    worker = Worker(ledger.url)
    assert worker.step(ledger.connection) == 1
    worker.cool_down([(pseudonym("daemon"), 1.0)], seconds=100.0, sessions=1)
    ledger.write([[sync("failed", session="daemon")], [sync("failed", session="short")]])
    assert worker.step(ledger.connection) == 1
    [(failed,)] = ledger.query("SELECT sum(failed) FROM unit_days")
    assert failed == 1
    assert worker.step(ledger.connection) == 0
    worker.cooling.clear()
    assert worker.step(ledger.connection) == 1
    assert ledger.query("SELECT CAST(sum(failed) AS int), CAST(sum(open) AS int) FROM unit_days") == [
        (2, MANY - 1)
    ]


@pytest.mark.one_server  # what goes over shards is planned anew each time
def test_steps_are_planned_once(ledger: Ledger) -> None:
    plans = text(
        "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE 'INSERT "
        "INTO signals%'"
    )

    def roll_up() -> tuple[int, int]:
        ledger.write([[sync("started", session="again and again")]])
        assert ledger.worker.step(ledger.connection) == 1
        assert ledger.worker.step(ledger.connection) == 0
        rollups.observe_lag(ledger.connection)
        found = tuple(ledger.connection.execute(plans).one_or_none() or (0, 0))
        ledger.connection.commit()
        return found

    for _ in range(12):  # psycopg prepares after 5, Postgres plans 5 times more
        generic, custom = roll_up()
    assert roll_up() == (generic + 1, custom)


def test_nothing_moves_in_a_frozen_range(ledger: Ledger) -> None:
    rows = [sync("started", session="one"), sync("failed", session="one")]
    ledger.write([rows])
    ledger.roll_up()
    before = ledger.unit_days()
    with ledger.engine.begin() as connection:  # as retention leaves it: the week's events are gone
        connection.exec_driver_sql(
            "INSERT INTO dirty_sessions SELECT received_at, occurred_at, bucket, session_key, NULL FROM "
            "events"
        )
        connection.exec_driver_sql(
            "INSERT INTO dropped_ranges SELECT min(occurred_at) - interval '1 day', max(occurred_at), "
            "now() FROM events"
        )
        connection.exec_driver_sql("DELETE FROM events")
    ledger.roll_up()
    assert ledger.unit_days() == before


def test_contributions_of_frozen_days_go_and_the_sums_stay(ledger: Ledger) -> None:
    ledger.write([[sync("failed", session="one")]])
    ledger.roll_up()
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO dropped_ranges SELECT min(occurred_at) - interval '1 day', max(occurred_at) + "
            "interval '1 day', now()"
            " FROM events"
        )
    with ledger.engine.connect() as connection:
        assert expiry.expire(connection, threading.Event(), NOW + dt.timedelta(days=100)) == 0
    assert ledger.query("SELECT count(*) FROM attempts") == [(0,)]
    assert ledger.query("SELECT CAST(sum(failed) AS int) FROM unit_days") == [(1,)]


def test_days_over_400_old_leave_busy_connectors_of_settled_users_behind(ledger: Ledger) -> None:
    week_before = [
        sync("succeeded", NOON - dt.timedelta(days=8), unit=f"user {n}", session=f"before {n}")
        for n in range(12)
    ]
    new = [sync("failed", unit=f"new {n}", session=f"new {n}", source="source-new") for n in range(30)]
    crowd = [sync("failed", unit=f"user {n}", session=f"s {n}") for n in range(12)]
    few = [sync("failed", unit=f"user {n}", session=f"s {n}", source="source-rare") for n in range(9)]
    ci = [sync("failed", unit=f"ci {n}", session=f"ci {n}", ci=True) for n in range(5)]
    ledger.write([week_before + new + crowd + few + ci])
    ledger.roll_up()
    later = NOON + dt.timedelta(days=402)
    with ledger.engine.connect() as connection:
        assert expiry.expire(connection, threading.Event(), later) == 2
    assert ledger.query("SELECT count(*) FROM unit_days") == [(0,)]
    assert ledger.query("SELECT count(*) FROM attempts") == [(0,)]
    kept = "SELECT role, connector, units, affected_units FROM connector_days ORDER BY day"
    assert ledger.query(kept) == [("source", "source-faker", 12, 0), ("source", "source-faker", 12, 12)]
    assert ledger.query("SELECT count(*) FROM units") == [(0,)]


def test_a_forgotten_id_leaves_the_rollups(ledger: Ledger) -> None:
    rows = fleet(3)
    ledger.write([rows])
    ledger.roll_up()
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO tombstones (requested_at, bucket, anonymous_id) SELECT now(), bucket, "
            "anonymous_id FROM events"
            " WHERE anonymous_id = %(id)s LIMIT 1",
            {"id": pseudonym("user 1")},
        )
    with ledger.engine.connect() as connection:
        Sweeps().sweep(connection, threading.Event())
    remaining = [row for row in rows if row["anonymous_id"] != pseudonym("user 1")]
    assert ledger.unit_days() == oracle.recompute(remaining)
    sessions = {row["session_key"] for row in remaining}
    assert {key for (key,) in ledger.query("SELECT session_key FROM attempts")} == sessions
    ledger.roll_up()
    assert ledger.unit_days() == oracle.recompute(remaining)


def run_in_its_thread(url: str, is_done: Callable[[], bool]) -> None:
    worker = Worker(url)
    worker.start()
    wait_until(is_done, "the worker has looked")
    worker.stop()


def rebuild_all(url: str, _is_done: Callable[[], bool]) -> None:
    with Worker(url).engine.connect() as connection:
        rebuild(connection, None, lambda _done, _total: None)


@pytest.mark.one_server  # each node has the statistics of its shards, and its own autovacuum
@pytest.mark.parametrize("roll_up", [run_in_its_thread, rebuild_all])
def test_a_new_partition_is_analyzed_and_its_sessions_are_read_by_their_index(
    ledger: Ledger, roll_up: Callable[[str, Callable[[], bool]], None]
) -> None:
    """Before, the primary key of two weeks looks as good as the index on session keys."""
    ledger.write([fleet(500)])
    [(partition,)] = ledger.query("SELECT DISTINCT CAST(CAST(tableoid AS regclass) AS text) FROM events")
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {partition} SET (autovacuum_enabled = false)")
        connection.exec_driver_sql(f"DELETE FROM pg_statistic WHERE starelid = '{partition}'::regclass")
    rows = "SELECT pg_stat_get_live_tuples(CAST(:name AS regclass))"
    wait_until(lambda: ledger.query(rows, name=partition)[0][0] > UNKNOWN_ROWS, "the rows are counted")

    def is_known() -> bool:
        columns = ledger.query("SELECT attname FROM pg_stats WHERE tablename = :name", name=partition)
        return ("session_key",) in columns

    assert not is_known()
    roll_up(ledger.url, is_known)
    assert is_known()
    with ledger.connection.begin():
        ledger.connection.exec_driver_sql(
            "INSERT INTO marks SELECT bucket, session_key, NULL, min(occurred_at), max(occurred_at), false"
            " FROM events GROUP BY 1, 2"
        )
        ledger.connection.execute(text(BY_INDEX))
        signals = fill("signals", "wanted", "accepted", "refused").text
        plan = list(ledger.connection.execute(text(f"EXPLAIN {signals}"), {"nobody": NOBODY}).scalars())
    assert any(f"Index Scan using {partition}_session_key_idx" in line for line in plan)
    assert not [line for line in plan if "Bitmap" in line and f"on {partition}" in line]


def forbid(ledger: Ledger, session: str) -> int:
    """A session whose recomputation Postgres refuses, as a defect of ours would make it; its key."""
    key = pseudonym(session)
    assert key is not None
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(
            f"ALTER TABLE attempts ADD CONSTRAINT forbidden CHECK (session_key <> {key})"
        )
    return key


def allow(ledger: Ledger) -> None:
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE attempts DROP CONSTRAINT forbidden")


def test_a_session_that_fails_is_quarantined_and_everybody_elses_goes_on(ledger: Ledger) -> None:
    rows = fleet(300)
    poisoned = [sync("failed", unit="mallory", session="poison") for _ in range(3)]
    key = forbid(ledger, "poison")
    try:
        ledger.write([[*rows[:600], poisoned[0]], [*rows[600:], *poisoned[1:]]])
        assert ledger.roll_up() < 30
        assert ledger.unit_days() == oracle.recompute(rows)
        assert ledger.query("SELECT session_key, sqlstate FROM quarantined_sessions") == [(key, "23514")]
        assert ledger.query("SELECT count(*) FROM dirty_sessions") == [(0,)]
        # It meets more events, and again nobody waits for it.
        ledger.write(
            [[sync("failed", unit="mallory", session="poison"), sync("failed", unit="zoe", session="last")]]
        )
        assert ledger.roll_up() == 1
        assert ledger.query("SELECT met_at > quarantined_at FROM quarantined_sessions") == [(True,)]
        with ledger.engine.connect() as connection, pytest.raises(TelemetryError, match="fails still"):
            rebuild_session(connection, key)
    finally:
        allow(ledger)
    with ledger.engine.connect() as connection:
        assert rebuild_session(connection, key) == 1
        with pytest.raises(TelemetryError, match="No session"):
            rebuild_session(connection, key)
    assert ledger.query(
        "SELECT CAST(sum(failed) AS int) FROM unit_days WHERE unit = :unit", unit=pseudonym("mallory")
    ) == [(4,)]


def test_marks_without_a_session_read_their_own_row_each(ledger: Ledger) -> None:
    """Thousands of rows of one instant: what is read grows with the marks, not with their square."""
    count = 1_000
    rows = [
        refuse(sync("failed", NOON, unit=None, session=None, cache=None, destination="destination-csv"))
        for _ in range(count)
    ]
    ledger.write([rows])
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE rejections")
    reads = (
        "SELECT CAST(sum(idx_tup_read) AS int) FROM pg_stat_user_indexes WHERE indexrelname LIKE "
        "'rejections%'"
    )
    ledger.query("SELECT pg_stat_force_next_flush()")
    [(before,)] = ledger.query(reads)
    ledger.roll_up()
    ledger.connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")
    ledger.connection.commit()
    [(after,)] = ledger.query(reads)
    assert ledger.query("SELECT CAST(sum(failed) AS int) FROM unit_days") == [(count,)]
    assert after - before <= 10 * count


def test_ledger_rows_that_no_report_uses_are_not_marked(ledger: Ledger) -> None:
    nothing = dict.fromkeys(("event", "state", "number_of_records", "source_name", "source_version"))
    empty = refuse(
        sync(None, session=None, unit=None, cache=None)
        | nothing
        | {"source_executor_type": None, "setup": None}
    )
    telling = refuse(sync("failed", session=None, unit=None))
    ledger.write([[empty | {"message_key": pseudonym(f"empty {n}")} for n in range(50)], [telling]])
    assert ledger.query("SELECT count(*) FROM dirty_sessions") == [(1,)]
