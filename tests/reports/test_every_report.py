"""What holds of every report."""

import io
from typing import Any

import orjson
import pyarrow.parquet
import pytest
from rich.console import Console

from app.problems import Problem
from app.reports import glossary, render
from app.reports.model import Table
from app.reports.parsing import parse
from app.reports.registry import REPORTS
from tests.reports.rows import HOUR, NOON, NOW, Store, Stored, refuse, sync, upgrade

NAMES = sorted(REPORTS)
# What this fleet has no value for: counts of a write key, nobody's first week, no id of a registry.
UNSEEN = {
    "regressions": {"evidence_asked"},
    "data-quality": {"write_key"},
    "recovery": {"stuck_share"},
    "registry-metrics": {"connector_definition_id"},
}
KINDS = {"text": str, "integer": int, "number": float, "boolean": bool}


def fleet() -> list[Stored]:
    """A bit of everything."""
    rows: list[Stored] = []
    for number in range(24):
        unit = f"user {number}"
        dims: dict[str, Any] = {
            "unit": unit,
            "session": f"session {number}",
            "source": ["source-faker", "source-file"][number % 2],
            "destination": [None, None, "destination-csv"][number % 3],
            "version": ["0.71.3", "0.70.0"][number % 2],
            "source_version": ["1.0.0", "1.1.0"][number % 4 // 2],
            "first_run": number % 5 == 0,
        }
        rows += [
            sync("started", NOON, **dims),
            sync(["failed", "succeeded"][number % 4 > 0], NOON + HOUR, **dims),
        ]
        rows.append(sync("succeeded", NOON, event="validate", cache=None, **dims | {"destination": None}))
    rows += upgrade(12, 6)
    return [*rows, refuse(sync("failed", unit=None)), sync("started", NOW - HOUR, session="now")]


def ask(store: Store, name: str, **given: str) -> Table:
    required = {"name": "source-faker"} if "name" in REPORTS[name].required else {}
    if name == "versions":
        required["connector"] = "source-faker"
    return store.ask(required | given, NOW, name)


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_database_makes_a_report(store: Store, name: str) -> None:
    table = ask(store, name)
    assert all(list(row) == [column.name for column in table.columns] for row in table.rows)
    render.to_json(table), render.to_csv(table), render.to_parquet(table)


@pytest.mark.parametrize("name", NAMES)
def test_rows_have_the_columns_and_types_that_are_named(store: Store, name: str) -> None:
    store.write(fleet())
    table = ask(store, name)
    assert table.rows
    seen: set[str] = set()
    for row in table.rows:
        assert list(row) == [column.name for column in table.columns]
        for column in table.columns:
            value = row[column.name]
            if value is not None:
                seen.add(column.name)
                assert isinstance(value, (int, float) if column.type == "number" else KINDS[column.type]), (
                    column
                )
                assert column.type == "boolean" or not isinstance(value, bool), column
    never = (
        {"delta", "delta_low", "delta_high", "text", "before"}
        | UNSEEN.get(name, set())
        | ({"rate", "rate_low", "rate_high"} if name == "pairs" else set())
    )
    assert {column.name for column in table.columns} - seen <= never


@pytest.mark.parametrize("name", NAMES)
def test_the_forms_agree(store: Store, name: str) -> None:
    store.write(fleet())
    table = ask(store, name)
    assert orjson.loads(render.to_json(table))["rows"] == orjson.loads(orjson.dumps(table.rows))
    assert render.to_csv(table).count("\r\n") == len(table.rows) + 1
    stored = pyarrow.parquet.read_table(io.BytesIO(render.to_parquet(table)))
    assert stored.num_rows == len(table.rows)
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(render.to_text(table))
    text = console.export_text()
    assert table.report.note.split()[0] in text
    assert "…" not in text


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_has_an_effect_or_is_refused(store: Store, name: str) -> None:
    report = REPORTS[name]
    store.write(fleet())
    whole = ask(store, name)
    assert len(ask(store, name, limit="1").rows) == 1
    assert whole.total == len(whole.rows)
    if "window" in report.parameters:
        assert ask(store, name, until="2024-01-31").rows != whole.rows
    for sort in report.sorts:
        if "sort" in report.parameters:
            assert ask(store, name, sort=sort).total == whole.total
    with pytest.raises(Problem, match="This report takes"):
        parse(report, [("jane", "x")], NOW)


@pytest.mark.parametrize("name", NAMES)
def test_explain_gives_every_column_and_the_sql_of_every_stage(name: str) -> None:
    report = REPORTS[name]
    said = glossary.explain(report)
    assert report.terms
    for column in report.columns:
        assert f"{column.name} ({column.type}): {column.description}" in said
    for stages in report.queries.values():
        for stage in stages:
            assert f"app/reports/sql/{stage}.sql" in said
    assert "Grain: " in said
