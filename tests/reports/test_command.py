"""The command `report`, as a process of its own."""

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import orjson
import pyarrow.parquet
import pytest
from sqlalchemy import create_engine, make_url

from app.privacy.pseudonyms import Pseudonyms
from tests.reports.rows import Store, sync, upgrade

# Stands for the console script, which is one typer app with more commands.
PROGRAM = """
import sys, typer
from app.problems import TelemetryError
from app.reports.cli import report
app = typer.Typer(pretty_exceptions_enable=False)
app.command()(report)
app.command()(lambda: None)
try:
    app()
except TelemetryError as error:
    sys.exit(f"refused: {error}")
"""
ROOT = Path(__file__).parents[2]


def call(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TELEMETRY_")}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, "report", *arguments],
        env=environment | {"COLUMNS": "150"} | settings,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def url(store: Store, reports_url: str) -> str:
    store.write([sync("failed", source="source-faker"), sync("succeeded", unit="bob", source="source-file")])
    return reports_url


ASKED = ("connectors", "--until", "2026-11-23", "--window", "7d")


def test_table(url: str) -> None:
    done = call(*ASKED, TELEMETRY_DATABASE_URL=url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.index("source-faker") < done.stdout.index("source-file")
    assert "users x capped rate" in done.stdout


def test_json(url: str) -> None:
    found = orjson.loads(
        call(*ASKED, "--format", "json", "--sort", "units", TELEMETRY_DATABASE_URL=url).stdout
    )
    assert [row["connector"] for row in found["rows"]] == ["source-faker", "source-file"]
    assert (found["parameters"]["sort"], found["parameters"]["limit"]) == ("units", 10_000)


def test_csv(url: str) -> None:
    done = call(*ASKED, "--format", "csv", "--limit", "1", TELEMETRY_DATABASE_URL=url)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["connector"] for row in rows] == ["source-faker"]


def test_parquet(url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, "report", *ASKED, "--format", "parquet"],
        env=os.environ | {"TELEMETRY_DATABASE_URL": url},
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    rows = pyarrow.parquet.read_table(io.BytesIO(done.stdout)).to_pylist()
    assert [row["connector"] for row in rows] == ["source-faker", "source-file"]


def test_explain_prints_the_definitions_and_runs_nothing() -> None:
    done = call("connectors", "--explain", TELEMETRY_DATABASE_URL="postgresql://127.0.0.1:1/none")
    assert (done.returncode, done.stderr) == (0, "")
    for said in (
        "burden (number): weighed_units x capped_rate",
        "the k-th",  # of an attempt
        "app/rollups/sql/attempts.sql",
        "w = min(a, 5)",
        "Donner & Zou",
        "app/reports/sql/scope.sql",
    ):
        assert said in " ".join(done.stdout.split()), said


def test_denied_ids_are_left_out(reports_url: str, store: Store) -> None:
    key = "a hash key of thirty-two characters or more"
    raw = "01KAH0QPXV4N2Q0DW0X9Y3ZC7R"
    [unit] = Pseudonyms(key).units([raw])
    store.write([sync("failed", unit="bob"), sync("failed", source="source-file") | {"anonymous_id": unit}])
    given = {
        "TELEMETRY_DATABASE_URL": reports_url,
        "TELEMETRY_HASH_KEY": key,
        "TELEMETRY_DENIED_IDS": f"x, {raw}",
    }
    for more, connectors in (
        ((), ["source-faker"]),
        (("--denied", "include"), ["source-faker", "source-file"]),
    ):
        done = call(*ASKED, "--format", "json", *more, **given)
        assert [row["connector"] for row in orjson.loads(done.stdout)["rows"]] == connectors
        assert raw not in done.stdout + done.stderr


def test_fail_on_alert_exits_with_3(reports_url: str, store: Store) -> None:
    given = {"TELEMETRY_DATABASE_URL": reports_url}
    asked = ("regressions", "--until", "2026-11-23", "--scope", "source", "--fail-on", "alert")
    store.write(upgrade(30, 0))
    assert call(*asked, **given).returncode == 0
    store.write(upgrade(30, 15, source="source-file"))
    done = call(*asked, "--limit", "1", "--sort", "votes", **given)
    assert done.returncode == 3
    assert call(*asked[:-2], **given).returncode == 0
    assert "goes with the report regressions" in call("connectors", "--fail-on", "alert", **given).stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("canary",), "Reports: home, connectors"),
        (("connectors", "--window", "canary"), "The parameter window takes a number of days"),
        (("connectors", "--sort", "regressions"), "one of burden, rate"),
    ],
)
def test_refusals_say_what_is_allowed(arguments: tuple[str, ...], said: str) -> None:
    done = call(*arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "canary" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (("connector", "--name", "source-fakr"), "source-faker"),
        (("connector", "--name", "faker"), "source-faker"),
        (("connectors", "--connector", "destination-duckdbb"), "destination-duckdb"),
        (("connector", "--name", "zzzz-qqqq-xxxx"), "None is near it"),
    ],
)
def test_a_connector_that_does_not_exist_names_those_that_are_near(
    reports_url: str, store: Store, arguments: tuple[str, ...], near: str
) -> None:
    done = call(*arguments, TELEMETRY_DATABASE_URL=reports_url)
    assert done.returncode == 2
    assert near in done.stderr.replace("│\n│ ", "")
    assert done.stdout == ""


def test_a_learned_connector_exists(reports_url: str, store: Store) -> None:
    learned = "INSERT INTO connectors (name, added_at) VALUES ('source-brand-new', now())"
    engine = create_engine(reports_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(learned)
    engine.dispose()
    done = call("connector", "--name", "source-brand-new", TELEMETRY_DATABASE_URL=reports_url)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_database_without_tables_says_what_to_do(reports_url: str) -> None:
    empty = make_url(reports_url).set(database="postgres").render_as_string(hide_password=False)
    done = call("connectors", TELEMETRY_DATABASE_URL=empty)
    assert done.returncode == 1
    assert "migrate" in done.stderr


def test_a_database_that_is_away(tmp_path: Path) -> None:
    done = call("connectors", TELEMETRY_DATABASE_URL=f"postgresql:///nothing?host={tmp_path}")
    assert done.returncode == 1
    assert "(refused)" in done.stderr


def test_no_embedded_database_is_made_for_a_report(tmp_path: Path) -> None:
    done = call("connectors", TELEMETRY_DATA_DIR=str(tmp_path / "data"))
    assert done.returncode == 1
    assert "refused: " in done.stderr
    assert not (tmp_path / "data").exists() or not any((tmp_path / "data").glob("**/PG_VERSION"))


def test_help_has_an_example_and_every_option() -> None:
    done = call("--help", COLUMNS="200")
    assert done.returncode == 0
    assert "pyairbyte-telemetry report connectors" in done.stdout
    for option in (
        "window",
        "until",
        "role",
        "lane",
        "ci",
        "prerelease",
        "version",
        "sort",
        "limit",
        "format",
    ):
        assert f"--{option}" in done.stdout
