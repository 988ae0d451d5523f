"""Draws every report at the widths that people have: `python3 -m tests.reports.snapshots`
writes tests/reports/snapshots."""

import io
from pathlib import Path
from typing import Final

from app.reports import fitting, render
from app.reports.model import Column, Report, Row, Table, Value
from app.reports.parsing import parse
from app.reports.registry import REPORTS
from tests.reports.rows import NOW

FOLDER: Final = Path(__file__).parent / "snapshots"
WIDTHS: Final = (60, 80, 100, 120)
# As long as the names that most people have.
NAMES: Final = ("source-facebook-marketing", "destination-snowflake", "source-faker")
WORDS: Final = {
    "connector_version": "7.2.1",
    "dimension": "python",
    "failure_class": "connector",
    "first_day": "2026-11-02",
    "last_day": "2026-11-23",
    "new_errors": "AirbyteConnectorReadError",
    "new_version": "0.71.3",
    "old_version": "0.70.0",
    "section": "syncs",
    "since": "2026-11-02",
    "sync_success_rate": "medium",
    "text": "90 % of syncs",
    "usage": "high",
    "verdict": "not enough data",
}


def invent(column: Column, index: int) -> Value:
    """Return a value of a column's type, as large as they get."""
    if column.type == "text":
        return WORDS.get(column.name, NAMES[index])
    if column.type == "integer":
        return (12_345, 678, 9)[index]
    return (0.4567, 0.123, 0.01)[index] if column.type == "number" else index == 0


def make_table(report: Report) -> Table:
    """Return three invented rows of a report."""
    given = {"name": "source-faker"} if "name" in report.required else {}
    rows: list[Row] = [
        {column.name: invent(column, index) for column in report.columns} for index in range(3)
    ]
    for number, row in enumerate(rows, 1):
        row.update({"rank": number} if "rank" in row else {})
    return Table(report, parse(report, given.items(), NOW).describe(), NOW, report.columns, rows, 42)


def draw(report: Report, width: int) -> str:
    """Return what a terminal of so many columns shows."""
    console = fitting.open_console(width, file=io.StringIO(), color_system=None)
    console.print(render.to_text(make_table(report), width))
    assert isinstance(console.file, io.StringIO)
    return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())


def draw_all(report: Report) -> str:
    """Return a report at every width."""
    return "\n".join(f"{width} columns\n{draw(report, width)}" for width in WIDTHS)


if __name__ == "__main__":
    for each in REPORTS.values():
        (FOLDER / f"{each.name}.txt").write_text(draw_all(each), "utf-8")
