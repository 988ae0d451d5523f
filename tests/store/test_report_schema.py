"""The schema `report`: its contract, its comments, and what its roles may read."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.store.schema import METADATA
from tests.reports.rows import upgrade
from tests.rollups.ledger import Ledger

CONTRACT = Path(__file__).parents[1] / "data" / "report_schema.json"
Connection = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        yield connection


def read_schema(connection: Connection) -> dict[str, dict[str, str]]:
    """Views, their columns in order, and the types of those."""
    found: dict[str, dict[str, str]] = {}
    for view, column, kind in connection.execute(
        "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns"
        " WHERE table_schema = 'report' ORDER BY table_name, ordinal_position"
    ):
        found.setdefault(str(view), {})[str(column)] = str(kind)
    return found


def test_views_columns_and_types_are_those_of_the_contract(connection: Connection) -> None:
    """Columns may be added at the end of a view, and then here; nothing else may
    change: other tools depend on it."""
    assert read_schema(connection) == json.loads(CONTRACT.read_text("utf-8"))


def test_the_order_of_columns_is_that_of_the_contract(connection: Connection) -> None:
    contract = json.loads(CONTRACT.read_text("utf-8"))
    assert {view: list(columns) for view, columns in read_schema(connection).items()} == {
        view: list(columns) for view, columns in contract.items()
    }


def test_everything_has_a_comment(connection: Connection) -> None:
    silent = connection.execute(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND "
        "n.nspname = 'report'"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum >= 0 AND NOT a.attisdropped"
        " WHERE col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL"
    ).fetchall()
    assert silent == []
    [(said,)] = connection.execute("SELECT obj_description('report'::regnamespace)").fetchall()
    assert said


def test_no_view_shows_a_pseudonym(connection: Connection) -> None:
    kinds = {kind for columns in read_schema(connection).values() for kind in columns.values()}
    assert not kinds & {"uuid", "bytea"}


@pytest.mark.parametrize(
    ("role", "views"),
    [("telemetry_reader", None), ("telemetry_public", {"v1_public_connectors", "v1_public_months"})],
)
def test_roles_read_their_views_and_nothing_else(
    connection: Connection, role: str, views: set[str] | None
) -> None:
    every = set(read_schema(connection))
    connection.execute(f"SET ROLE {role}".encode())
    for view in sorted(every):
        query = f"SELECT * FROM report.{view} LIMIT 1".encode()
        if views is None or view in views:
            connection.execute(query)
        else:
            refused(connection, query)
    for table in METADATA.sorted_tables:
        refused(connection, f"SELECT * FROM public.{table.name} LIMIT 1".encode())
        refused(connection, f"DELETE FROM public.{table.name}".encode())
    refused(connection, b"CREATE TABLE report.mine (x int)")
    refused(connection, b"CREATE VIEW report.mine AS SELECT 1")


def refused(connection: Connection, query: bytes) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
        connection.execute(query)


@pytest.mark.parametrize("role", ["telemetry_reader", "telemetry_public"])
def test_roles_read_only_and_for_a_limited_time(connection: Connection, role: str) -> None:
    [(settings,)] = connection.execute("SELECT rolconfig FROM pg_roles WHERE rolname = %s", [role]).fetchall()
    names = {str(each).partition("=")[0] for each in settings}  # type: ignore[attr-defined]
    assert names >= {"statement_timeout", "default_transaction_read_only"}


def test_the_view_of_connectors_says_what_the_report_says(database_url: str) -> None:
    """Over a window that ends today; the report of the same day."""
    import datetime as dt  # noqa: PLC0415

    from app.reports import registry  # noqa: PLC0415
    from app.reports.parsing import parse  # noqa: PLC0415
    from app.reports.run import reading, run  # noqa: PLC0415
    from tests.reports.rows import NOW  # noqa: PLC0415

    now = dt.datetime.now(dt.UTC)
    shift = now - NOW - dt.timedelta(days=2)
    ledger = Ledger(database_url)
    ledger.write(
        [
            [
                row | {name: row[name] + shift for name in ("occurred_at", "received_at")}
                for row in upgrade(30, 15)
            ]
        ]
    )
    ledger.roll_up()
    report = registry.find("connectors")
    with reading(ledger.engine) as connection:
        rows = run(report, parse(report, [], now), connection, now).rows
    names = [
        "connector",
        "units",
        "attempts",
        "failed",
        "abandoned",
        "affected_units",
        "capped_rate",
        "burden",
        "use_cases",
    ]
    found = ledger.query(
        f"SELECT {', '.join(names)} FROM report.v1_connectors WHERE window_days = 28 AND role = "
        f"'source' ORDER BY rank"
    )
    assert [pytest.approx(tuple(row[name] for name in names)) for row in rows] == found
    ledger.close()
