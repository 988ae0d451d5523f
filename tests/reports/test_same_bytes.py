"""The same events give the same bytes of every report: whatever the order of
rows, the plan and the memory, and on one server as on a cluster."""

from collections.abc import Iterator, Sequence

import psycopg
import pytest
from sqlalchemy import Connection, create_engine, text

from app.reports import render
from app.reports.parsing import parse
from app.reports.registry import REPORTS
from app.reports.run import run
from app.rollups.worker import Worker
from app.store import migrations
from app.store.database import open_engine, parse_url
from tests import citus
from tests.conftest import name_database
from tests.reports.rows import DAY, HOUR, NEW, NOON, NOW, RELEASED, Store, Stored, refuse, sync, upgrade, use

PARALLEL = (
    ("max_parallel_workers_per_gather", "2"),
    ("parallel_setup_cost", "0"),
    ("parallel_tuple_cost", "0"),
    ("min_parallel_table_scan_size", "0"),
    ("min_parallel_index_scan_size", "0"),
)
PLANS = {
    "as it comes": (),
    "sorted, in little memory": (("enable_hashagg", "off"), ("work_mem", "64kB")),
    "hashed, in little memory": (("enable_sort", "off"), ("work_mem", "64kB")),
    "merged": (("enable_hashjoin", "off"), ("enable_nestloop", "off"), ("enable_hashagg", "off")),
    "by loops and indexes": (
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("enable_seqscan", "off"),
    ),
    "by two workers": PARALLEL,
    "by two workers, sorted": (*PARALLEL, ("enable_hashagg", "off"), ("enable_hashjoin", "off")),
}
CALLS: list[tuple[str, dict[str, str]]] = [(name, {}) for name in REPORTS if not REPORTS[name].required]
CALLS += [("connector", {"name": name}) for name in ("source-0", "source-faker")]
CALLS += [("versions", {"connector": "source-faker"}), ("connectors", {"window": "7d", "ci": "include"})]


def fleet() -> list[Stored]:
    """Users whose shares of failures are thirds, sevenths, elevenths: sums of them as
    floats depend on their order."""
    rows = upgrade(30, 11, failing_before=3)
    for number in range(150):
        unit = f"user {number}"
        names = {"unit": unit, "source": f"source-{number % 7}", "version": ("0.71.3", "0.70.0")[number % 2]}
        for turn in range((3, 7, 11, 13, 29)[number % 5]):
            state = "failed" if turn < number % 4 else "succeeded"
            moment = NOON - (turn % 30 + 1) * DAY
            rows.append(sync(state, moment + turn * HOUR / 40, session=f"{unit} {turn}", **names))
    for number in range(30):
        unit = f"source-faker {number}"
        rows += [use(unit, RELEASED + day * DAY, "succeeded", NEW) for day in range(3, 3 + number % 7)]
    return rows


def shuffle(connection: Connection, seed: int) -> None:
    """Store the daily sums and the attempts anew in another order."""
    for table in ("unit_days", "attempts"):
        connection.execute(text(f"CREATE TEMPORARY TABLE kept ON COMMIT DROP AS SELECT * FROM {table}"))
        connection.execute(text(f"DELETE FROM {table}"))
        order = f"md5(CAST(kept AS text) || {seed})"
        connection.execute(text(f"INSERT INTO {table} SELECT * FROM kept ORDER BY {order}"))
        connection.execute(text("DROP TABLE kept"))


def answers(
    connection: Connection,
    settings: tuple[tuple[str, str], ...],
    calls: Sequence[tuple[str, dict[str, str]]] = CALLS,
) -> Iterator[tuple[str, bytes]]:
    """Every report as JSON and CSV, under settings of the planner."""
    for name, given in calls:
        nested = connection.begin_nested()
        for setting, value in settings:
            connection.execute(text(f"SET LOCAL {setting} = '{value}'"))
        report = REPORTS[name]
        table = run(report, parse(report, given.items(), NOW), connection, NOW)
        assert table.rows, name
        yield f"{name} {given}", render.to_json(table) + render.to_csv(table).encode()
        nested.rollback()


@pytest.fixture
def connection(store: Store) -> Iterator[Connection]:
    store.write(fleet())
    with store.writer.connect() as connection:
        # More records than floats tell apart, as many syncs of the most that one may report would have.
        connection.execute(
            text("UPDATE unit_days SET records = 1234567890123457 + records WHERE succeeded > 0")
        )
        yield connection
        connection.rollback()


@pytest.mark.one_server  # these settings do not reach the shards
def test_every_report_has_the_same_bytes_under_every_plan_and_order(connection: Connection) -> None:
    first = dict(answers(connection, ()))
    for seed, (plan, settings) in enumerate(PLANS.items()):
        shuffle(connection, seed)
        found = dict(answers(connection, settings))
        different = [call for call, answer in first.items() if found[call] != answer]
        assert not different, plan


def test_a_cluster_says_what_one_server_says(
    store: Store, cluster_url: str, administer: "psycopg.Connection[tuple[object, ...]]"
) -> None:
    """Every report, with its series by day, of a distributed database and of a plain one with these."""
    if not citus.DSN:
        pytest.skip("needs CITUS_DSN")
    refused = [refuse(sync("failed", unit=f"user {number}", session=f"{number}")) for number in range(20)]
    rows = [*fleet(), *refused, sync("started", NOW - HOUR, session="now")]
    citus.drop(administer, "plain")
    administer.execute("CREATE DATABASE plain")
    url = name_database(cluster_url, "plain")
    migrations.migrate(url)
    plain = Store(create_engine(parse_url(url)), open_engine(url), Worker(url))
    answered = []
    for each in (plain, store):
        each.write(rows)
        with each.writer.connect() as connection:
            # Nobody else does, in so short a time; reports take minutes without.
            connection.execute(text("ANALYZE events, rejections, attempts, unit_days, units"))
            is_sharded = connection.execute(text("SELECT to_regclass('pg_dist_partition')")).scalar()
            assert bool(is_sharded) == (each is store)
            calls = [
                *CALLS,
                *((name, {"series": "day"}) for name, report in REPORTS.items() if report.series),
            ]
            answered.append(dict(answers(connection, (), calls)))
    plain.close()
    citus.drop(administer, "plain")
    assert len(answered[0]) == len(calls)
    assert [call for call, answer in answered[0].items() if answered[1][call] != answer] == []
