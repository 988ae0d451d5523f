"""Every statement of ingest, rollups, retention, forget and reports is one that a
distributed Postgres takes, too."""

import datetime as dt
import re
import threading
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest
from alembic import command
from pglast import ast, parse_sql
from sqlalchemy import Engine, PrimaryKeyConstraint, UniqueConstraint, create_engine, event

from app.admin import rotation
from app.erasure import forget
from app.erasure.sweeps import Sweeps
from app.privacy.pseudonyms import Pseudonyms
from app.public import publication
from app.reports import registry
from app.reports.parsing import parse
from app.reports.run import reading, run, statement
from app.rollups import recomputation
from app.rollups.rebuild import rebuild, rebuild_session
from app.store import migrations, placement
from app.store.journal import Journal
from app.store.replay import replay
from app.store.schema import METADATA
from app.upkeep import expiry, retention
from tests.look import Look
from tests.reports.rows import NOW, refuse, sync
from tests.rollups.ledger import Ledger
from tests.store.distribution import find_faults, to_sql
from tests.store.rare import find_bare_reads

ROOT = Path(__file__).parents[2]
QUERY = (ast.SelectStmt, ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt)
STAGED = {"accepted", "refused", "wanted", "signalled", "signals", "attempts", "contributions"}
PSEUDONYMS = Pseudonyms("a hash key of thirty-two characters or more")
USER = "01M831Y67Z4Z89BH0DGHDMT1M9"


def read_folder(package: str) -> dict[str, str]:
    """The files of a room's `sql/`, by path."""
    folder = Path(str(files(package).joinpath("sql")))
    return {str(path.relative_to(folder)): path.read_text("utf-8") for path in sorted(folder.rglob("*.sql"))}


def composed() -> Iterator[tuple[str, str]]:
    """The statements that the files of `sql/` make, by name."""
    for report in registry.REPORTS.values():
        series = report.series.queries if report.series else {}
        for name, stages in [*report.queries.items(), *series.items()]:
            yield f"report {report.name}, {name}", statement(stages).text
    for name, text in read_folder("app.rollups").items():
        if name.removesuffix(".sql") not in STAGED | {"workspace"}:
            yield f"rollups {name}", text
    yield "signals", recomputation.fill("signals", "wanted", "accepted", "refused").text
    signals = recomputation.fill("signals", "wanted", "accepted", "refused")
    yield "signals of some weeks", recomputation.bounded(signals).text
    yield "marks of some weeks", recomputation.bounded(recomputation.query("mark_accepted")).text
    yield "contributions", recomputation.fill("contributions", "signalled", "attempts").text
    for name, text in read_folder("app.upkeep").items():
        yield f"upkeep {name}", text
    for name in ("oldest_mark.sql", "first_day.sql", "find_key.sql"):
        yield f"reports {name}", read_folder("app.reports")[name]
    views = run_path(str(ROOT / "alembic/versions/0004_report_schema.py"))["VIEWS"]
    for name, (_, _, text) in views.items():
        yield f"view {name}", text
    yield "public figures", read_folder("app.public")["month.sql"]
    yield (
        "ingest",
        files("app.store").joinpath("sql", "insert_batch.sql").read_text().format(columns="bucket"),
    )
    for name, text in read_folder("app.store").items():
        if name.startswith("part_"):
            yield f"ingest {name}", text.format(columns="bucket")


@pytest.mark.parametrize(("name", "text"), list(composed()), ids=[name for name, _ in composed()])
def test_a_file_makes_a_statement_that_can_be_distributed(name: str, text: str) -> None:
    assert find_faults(text) == [], name


def test_a_rotation_sends_what_can_be_distributed() -> None:
    kinds = placement.kinds()
    for column in rotation.pseudonym_columns():
        table, kind = column.table.name, kinds.get(column.table.name, placement.LOCAL)
        for sent in rotation.UPDATES[kind](table, [column]):
            assert find_faults(sent) == [], sent
        faults = [fault for sent in rotation.update(table, [column]) for fault in find_faults(sent)]
        assert bool(faults) == (kind != placement.LOCAL), table


def test_a_violated_key_of_a_part_keeps_its_sqlstate() -> None:
    """Without RETURNING or ON CONFLICT a cluster copies the rows in, and says XX000 for the fence."""
    for name, text in read_folder("app.store").items():
        if name.startswith("part_"):
            assert "INSERT INTO" not in text or "RETURNING" in text, name


def test_no_file_is_left_out() -> None:
    said = "\n".join(text for _, text in composed())
    for package in ("app.rollups", "app.reports", "app.upkeep"):
        for name, text in read_folder(package).items():
            assert text.strip() in said or name == "workspace.sql", f"{package} {name}"


@pytest.fixture
def said() -> Iterator[set[str]]:
    """Every statement that is sent to Postgres, whoever sends it."""
    statements: set[str] = set()

    def note(_connection: Any, _cursor: Any, sent: str, *_others: Any) -> None:
        statements.add(sent)

    event.listen(Engine, "before_cursor_execute", note)
    yield statements
    event.remove(Engine, "before_cursor_execute", note)


def test_what_is_sent_can_be_distributed(
    said: set[str], bare: Look, database_url: str, tmp_path: Path
) -> None:
    """The life of some events, from the batch to the last report, the day they are
    forgotten and the day they end."""
    ledger, stop = Ledger(database_url), threading.Event()
    rows = [sync(state, session=state) for state in ("started", "failed", "succeeded")]
    ledger.write([[*rows, rows[0], refuse(sync("failed")), sync("failed", session=None, unit=None)]])
    ledger.roll_up()
    ledger.query("SELECT 1")
    with ledger.worker.engine.connect() as connection:
        rebuild(connection, None, lambda _done, _total: None)
        ledger.worker.quarantine(connection, rows[1]["bucket"], rows[1]["session_key"], "22003")
        rebuild_session(connection, rows[1]["session_key"])
        journal = Journal(tmp_path, PSEUDONYMS)
        forget.request(connection, PSEUDONYMS, USER, NOW, journal)
        replay(connection, journal)
        Sweeps().sweep(connection, stop, NOW)
        connection.execute(forget.progress(0))
        for report in registry.REPORTS.values():
            given = dict.fromkeys(report.required, "source-faker")
            with reading(ledger.engine) as reader:
                run(report, parse(report, given.items(), NOW), reader, NOW)
        publication.figures(connection, dt.date(2026, 11, 1), "source")
        late = NOW + dt.timedelta(days=5_000)
        retention.compact(connection, stop, late)
        retention.apply(connection, stop, 90, late)
        expiry.expire(connection, stop, late)
    ledger.close()
    queries = [each for each in said if isinstance(parse_sql(to_sql(each))[0].stmt, QUERY)]
    for table in placement.distributed_tables():
        assert any(re.search(rf"\b{table}\b", each) for each in queries), table
    assert {each: faults for each in queries if (faults := find_faults(each))} == {}
    assert {each: faults for each in queries if (faults := find_bare_reads(each))} == {}


FAULTS = {
    "a row's place": "DELETE FROM dirty_sessions WHERE ctid = ANY(ARRAY(SELECT ctid FROM dirty_sessions "
    "LIMIT 5))",
    "a lock in one query with a distributed table": """
        SELECT rollup_buckets.bucket FROM rollup_buckets JOIN (
            SELECT bucket, min(received_at) AS oldest FROM dirty_sessions GROUP BY bucket
        ) AS waiting ON waiting.bucket = rollup_buckets.bucket FOR UPDATE OF rollup_buckets SKIP LOCKED
    """,
    "an empty select list": "SELECT EXISTS (SELECT FROM unit_days)",
    "a local table beside a distributed or reference one, but in a step of its own": """
        DELETE FROM attempts AS a USING marks AS m WHERE a.bucket = m.bucket AND a.session_key = m.session_key
    """,
    "a reference table changed by a local one": """
        WITH found AS MATERIALIZED (SELECT old, new FROM wrapped)
        UPDATE tombstones AS t SET anonymous_id = found.new FROM found WHERE found.old = t.anonymous_id
    """,
    "a subquery over a distributed table in a target list": """
        SELECT (SELECT max(day) FROM unit_days), (SELECT count(*) FROM dirty_sessions)
        FROM outcomes
    """,
    "a subquery over a distributed table, correlated to a function": """
        SELECT r.key FROM unnest(ARRAY[1, 2]) AS r (key)
        WHERE EXISTS (SELECT 1 FROM events AS e WHERE e.message_key = r.key)
    """,
    "distributed tables that are not joined on their buckets": """
        SELECT e.state FROM events AS e JOIN rejections AS r ON r.message_key = e.message_key
    """,
    "a union of distributed tables beside inner joins only": """
        SELECT d.day, sum(d.times) FROM (
            SELECT day, route, bucket, succeeded AS times FROM unit_days
            UNION ALL
            SELECT day, 0, bucket, times FROM attempts
        ) AS d JOIN routes AS r ON r.id = d.route GROUP BY d.day
    """,
    "DO UPDATE with more than excluded and own columns": """
        INSERT INTO unit_days (day, bucket) SELECT day, bucket FROM contributions
        ON CONFLICT (day, bucket) DO UPDATE SET records = (SELECT max(records) FROM attempts)
    """,
    "an INSERT inside WITH without ON CONFLICT or RETURNING": """
        WITH counted AS (INSERT INTO outcomes (bucket) SELECT 1) SELECT 1
    """,
    "a column's time moved by an interval in SET": "UPDATE units SET first_hour = first_hour "
    "- interval '1 day'",
    "GroupingSet": "SELECT day, count(*) FROM unit_days GROUP BY GROUPING SETS ((day), ())",
    "MergeStmt": "MERGE INTO unit_days AS d USING attempts AS a ON a.bucket = d.bucket WHEN MATCHED "
    "THEN DELETE",
    "recursion": "WITH RECURSIVE days AS (SELECT day FROM unit_days UNION SELECT day FROM days) SELECT "
    "day FROM days",
    "several statements an execute": "SELECT 1; SELECT 2",
    "several subcommands of ALTER TABLE": "ALTER TABLE events ADD COLUMN a int, ADD COLUMN b int",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_old_forms_are_refused(fault: str) -> None:
    assert fault in find_faults(FAULTS[fault])


def test_a_local_table_may_be_read_in_a_step_of_its_own() -> None:
    good = """
        WITH wanted AS MATERIALIZED (SELECT * FROM marks)
        DELETE FROM attempts AS a USING wanted AS m WHERE a.bucket = m.bucket
    """
    assert find_faults(good) == []
    assert find_faults(good.replace("MATERIALIZED", "")) != []


def test_every_key_of_a_distributed_table_holds_the_bucket() -> None:
    for name in placement.distributed_tables():
        table = METADATA.tables[name]
        keys = [
            each for each in table.constraints if isinstance(each, PrimaryKeyConstraint | UniqueConstraint)
        ]
        for key in keys:
            assert not key.columns or "bucket" in key.columns, name


def test_migrations_send_one_thing_at_a_time(empty_url: str, said: set[str]) -> None:
    engine = create_engine(empty_url)
    with engine.connect() as connection:
        command.upgrade(migrations.configure(connection), "head")
        connection.commit()
    engine.dispose()
    sent = [each for each in said if "ALTER TABLE" in each]
    assert sent
    assert {each: faults for each in sent if (faults := find_faults(each))} == {}


def test_nobody_asks_an_error_for_a_name() -> None:
    for path in (ROOT / "app").rglob("*.py"):
        assert not re.search(r"\bdiag\.(table|constraint|column)_name", path.read_text("utf-8")), path
