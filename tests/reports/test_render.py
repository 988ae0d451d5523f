"""The same table as JSON, CSV and text."""

import csv
import datetime as dt
import io
from dataclasses import replace
from typing import Any

import orjson
import pyarrow.parquet
import pytest
from rich.console import Console

from app.reports import render
from app.reports.definitions.connectors import CONNECTORS
from app.reports.model import Table
from app.reports.parsing import parse
from tests.reports.rows import NOW


def count(connector: str, units: int, failed: int, **others: int) -> dict[str, Any]:
    """A row of `sql/connectors.sql`: one attempt a user, none open."""
    zeros = [
        "failed_config",
        "canceled",
        "in_flight",
        "abandoned",
        "orphans",
        "from_ledger",
        "use_cases",
        "records",
        "affected_units",
        "capped_failures",
    ]
    named = {
        "is_current": True,
        "connector": connector,
        "units": units,
        "attempts": units,
        "failed": failed,
        "capped_weight": units,
        "weighed_units": float(units),
        "ephemeral_units": 0,
        "surge": False,
        "number": 1 if connector == "source-faker" else 2,
    }
    return (
        dict.fromkeys(zeros, 0)
        | named
        | {"succeeded": units - failed, "affected_units": failed, "capped_failures": float(failed)}
        | others
    )


@pytest.fixture
def table() -> Table:
    counts = [count("source-faker", 1200, 60, abandoned=24, succeeded=1116), count("source-file", 3, 1)]
    parameters = parse(CONNECTORS, {"limit": "2"}.items(), NOW)
    timed = [{"number": 1, "timed": 9, "duration_p50": 250, "duration_p90": 290}]
    rows = CONNECTORS.shape({"connectors": counts, "durations": timed}, parameters)
    return Table(CONNECTORS, parameters.describe(), NOW, CONNECTORS.columns, rows, 7, lag_seconds=0.04)


def test_json(table: Table) -> None:
    found = orjson.loads(render.to_json(table))
    first = ["report", "parameters", "as_of", "rollup_lag_seconds", "columns"]
    assert list(found) == [*first, "total", "hidden", "rows"]
    assert (found["report"], found["as_of"]) == ("connectors", "2026-11-23T12:00:00Z")
    assert found["parameters"]["window"] == "28d"
    assert found["rows"] == table.rows
    assert [column["name"] for column in found["columns"]] == list(found["rows"][0])
    assert all(column["type"] and column["description"] for column in found["columns"])


def test_csv_says_what_json_says(table: Table) -> None:
    rows = list(csv.DictReader(io.StringIO(render.to_csv(table))))
    assert [row["connector"] for row in rows] == ["source-faker", "source-file"]
    for found, expected in zip(rows, table.rows, strict=True):
        for name, value in expected.items():
            assert found[name] == ("" if value is None else orjson.dumps(value).decode().strip('"'))


@pytest.mark.parametrize("name", ['=HYPERLINK("x")', "+1", "-1", "@SUM(1)", "\t=1"])
def test_no_cell_of_csv_is_a_formula(table: Table, name: str) -> None:
    first = {**table.rows[0], "connector": name, "delta": -0.5}
    [row] = csv.DictReader(io.StringIO(render.to_csv(replace(table, rows=[first]))))
    assert (row["connector"], row["delta"]) == (f"'{name}", "-0.5")


def test_parquet_says_what_json_says(table: Table) -> None:
    found = pyarrow.parquet.read_table(io.BytesIO(render.to_parquet(table)))
    assert found.to_pylist() == table.rows
    kinds = {"text": "string", "integer": "int64", "number": "double", "boolean": "bool"}
    assert [str(field.type) for field in found.schema] == [kinds[column.type] for column in table.columns]
    assert (found.schema.metadata or {})[b"as_of"] == b"2026-11-23T12:00:00Z"
    assert (found.schema.field("burden").metadata or {})[b"description"].startswith(
        b"weighed_units x capped_rate"
    )


def test_the_entity_tag_is_that_of_the_figures(table: Table) -> None:
    later = replace(table, as_of=NOW + dt.timedelta(hours=1), lag_seconds=3.0)
    assert render.identify(later) == render.identify(table)
    other = replace(table, rows=[table.rows[0] | {"failed": 61}, *table.rows[1:]])
    assert render.identify(other) != render.identify(table)


def test_late_figures_say_so(table: Table) -> None:
    assert "still to be added" not in str(render.to_text(table).caption)
    assert "the last 90 s" in str(render.to_text(replace(table, lag_seconds=90)).caption)


def test_text(table: Table) -> None:
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(render.to_text(table))
    text = console.export_text()
    first, second = (
        next(line for line in text.splitlines() if name in line) for name in ("faker", "source-file")
    )
    assert first.split()[:6] == ["1", "source-faker", "1,200", "1,200", "60", "24"]
    assert "5.0-7.0" in first
    assert "(4." in first
    assert first.split()[-2:] == ["60.0", "46s-4.4min"]
    assert second.split()[-3:] == ["-", "1.0", "-"]  # low data: no interval; nothing timed
    assert "sources, 28d until 2026-11-22, by burden, the first 2 of 7" in text
    assert "As of 2026-11-23T12:00:00Z." in text


def test_text_fits_a_terminal_of_100_columns(table: Table) -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(render.to_text(table, 100))
    text = console.export_text()
    assert "…" not in text
    assert "source-faker " in text
