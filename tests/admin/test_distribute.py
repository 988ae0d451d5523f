"""`distribute` against stand-ins for Citus's functions in a plain database: the statements,
their order, kill and resume."""

import signal
import subprocess
from collections import Counter
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from app.store import placement
from app.store.schema import METADATA
from tests.conftest import ServiceFactory
from tests.look import Look, wait_until
from tests.samples import DATA
from tests.service import Service

pytestmark = (
    pytest.mark.one_server
)  # a cluster has the functions themselves; docs/scale.md says what ran there
STAND_INS = (Path(__file__).parent / "stand_ins.sql").read_text("utf-8")
GOLDEN = DATA / "distribute.sql"
NODES = ("--coordinator", "db-0:5432", "--worker", "db-1:5432", "--worker", "db-2:6432")


@pytest.fixture
def operator(bare: Look, tmp_path: Path) -> Service:
    """Whoever runs commands on a migrated database with stand-ins for Citus; no service runs."""
    bare.run(STAND_INS)
    return Service(tmp_path, bare.engine.url.render_as_string(hide_password=False), {})


def calls(look: Look) -> list[str]:
    return [said for (said,) in look.rows("SELECT said FROM calls ORDER BY number")]


def test_a_dry_run_prints_the_statements_and_changes_nothing(operator: Service, bare: Look) -> None:
    done = operator.run("distribute", *NODES, "--shards", "64", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout == GOLDEN.read_text("utf-8")
    assert calls(bare) == []


def test_every_table_with_a_bucket_is_distributed_once_and_a_second_run_finds_nothing_to_do(
    operator: Service, bare: Look
) -> None:
    done = operator.run("distribute", *NODES)
    assert done.returncode == 0, done.stderr
    said = calls(bare)
    assert said[:3] == ["coordinator db-0:5432", "node db-1:5432", "node db-2:6432"]
    placed = [call.split()[1] for call in said if call.startswith(("reference", "distributed"))]
    assert sorted(placed) == sorted({*placement.REFERENCE, *placement.distributed_tables()})
    with_bucket = {table.name for table in METADATA.tables.values() if "bucket" in table.columns}
    assert with_bucket - set(placed) == {"rollup_buckets"}
    assert said[3 + len(placement.REFERENCE)] == "distributed events by bucket, 32"
    assert Counter(call for call in said if call.startswith("emptied")).most_common(1)[0][1] == 1
    again = operator.run("distribute", *NODES)
    assert again.returncode == 0, again.stderr
    assert [call for call in calls(bare)[len(said) :] if not call.startswith("emptied")] == []


def test_readers_of_the_schema_report_ask_as_its_owner_and_not_past_its_views(
    operator: Service, bare: Look
) -> None:
    """As on a cluster, whose shards are asked as whoever asks."""
    columns = (
        "SELECT attname, col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = {} ORDER BY 1"
    )
    before = bare.rows(columns.format("CAST('report.v1_connectors' AS regclass)"))
    for _ in range(2):
        assert operator.run("distribute").returncode == 0
    assert bare.rows(columns.format("CAST('report.v1_connectors' AS regclass)")) == before
    guarded = "SELECT viewname FROM pg_views WHERE schemaname = 'report' AND definition LIKE '%report_owner%'"
    published = {"v1_public_connectors", "v1_public_months"}  # of tables that stay with the coordinator
    every = {view for (view,) in bare.rows("SELECT viewname FROM pg_views WHERE schemaname = 'report'")}
    assert {view for (view,) in bare.rows(guarded)} == every - published
    with psycopg.connect(operator.database_url.replace("+psycopg", ""), autocommit=True) as reader:
        reader.execute("SET ROLE telemetry_reader")
        assert reader.execute("SELECT waiting FROM report.v1_freshness").fetchall() == [(0,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("SELECT * FROM report_owner.v1_freshness()")


def test_killed_in_its_midst_it_goes_on_where_it_was(operator: Service, bare: Look) -> None:
    with bare.engine.connect() as holder:
        holder.execute(text("SELECT pg_advisory_lock(4711)"))
        command = subprocess.Popen(operator.command("distribute"), env=operator.environment)
        wait_until(
            lambda: bool(
                bare.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            ),
            "it never came to the table",
        )
        command.send_signal(signal.SIGKILL)
        command.wait()
        before = calls(bare)
        assert "distributed events by bucket, 32" in before
        assert not any(call.startswith("distributed outcomes") for call in before)
        holder.execute(text("SELECT pg_advisory_unlock(4711)"))  # the pool keeps the session
        bare.run("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    done = operator.run("distribute")
    assert done.returncode == 0, done.stderr
    placed = Counter(call for call in calls(bare) if call.startswith(("reference", "distributed")))
    assert set(placed.values()) == {1}
    assert len(placed) == len(placement.REFERENCE) + len(placement.distributed_tables())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--worker", "db-1:5432"), "--worker needs --coordinator"),
        (("--worker", "db-1", "--coordinator", "db-0:5432"), "HOST:PORT"),
        (("--coordinator", "db-0:99999"), "HOST:PORT"),
        (("--worker", "x'; DROP TABLE events;--:1", "--coordinator", "db-0:5432"), "HOST:PORT"),
    ],
)
def test_nodes_are_named_properly(operator: Service, bare: Look, given: tuple[str, ...], said: str) -> None:
    done = operator.run("distribute", *given)
    assert (done.returncode, calls(bare)) == (1, [])
    assert said in done.stderr
    assert "DROP" not in done.stderr


def test_it_refuses_without_citus_with_an_old_one_and_while_a_service_or_a_spool_is_there(
    operator: Service, bare: Look, make_service: ServiceFactory, tmp_path: Path
) -> None:
    def refusal() -> str:
        done = operator.run("distribute")
        assert (done.returncode, calls(bare)) == (1, [])
        return done.stderr

    spool = operator.data_dir / "spool"
    spool.mkdir(parents=True)
    (spool / "events.sqlite").touch()
    assert "Events wait in the spool" in refusal()
    (spool / "events.sqlite").unlink()
    service = make_service()
    assert "A service is using this database" in refusal()
    service.stop()
    bare.run(
        "CREATE OR REPLACE FUNCTION citus_version() RETURNS text LANGUAGE sql AS $$ SELECT 'Citus 11.3' $$"
    )
    assert "Citus 11.3 is too old" in refusal()
    bare.run("DROP FUNCTION citus_version()")
    assert "This database has no Citus" in refusal()
    embedding = Service(tmp_path / "alone", None, {})
    done = embedding.run("distribute")
    assert done.returncode == 1


def test_a_statement_that_fails_is_named_and_the_rest_waits(operator: Service, bare: Look) -> None:
    bare.run("DROP FUNCTION create_distributed_table")
    done = operator.run("distribute")
    assert done.returncode == 1
    assert "SQLSTATE 42883" in done.stderr
    assert "create_distributed_table" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(calls(bare)) == len(placement.REFERENCE)


def test_doctor_tells_which_nodes_do_not_answer(operator: Service, bare: Look) -> None:
    assert operator.run("distribute", *NODES).returncode == 0
    assert "3 nodes answer" in operator.run("doctor").stdout
    bare.run("INSERT INTO silent_nodes VALUES ('db-2')")
    reported = operator.run("doctor")
    assert reported.returncode == 1
    assert "No answer from 1 of 3 nodes, groupid 2 in" in " ".join(reported.stdout.replace("│", " ").split())
    assert "db-2" not in reported.stdout
