"""A table as JSON, CSV or text. The three say the same; the text leaves columns out for want of room."""

import csv
import datetime as dt
import io
from collections.abc import Sequence
from typing import Final

import orjson
from rich import box
from rich.table import Table as TextTable

from app.reports.registry import Heading, Row, Value
from app.reports.run import Table

JSON_TYPE: Final = "application/json"
CSV_TYPE: Final = "text/csv; charset=utf-8"


def to_json(table: Table) -> bytes:
    """The table with its parameters and the meaning of its columns."""
    return orjson.dumps(
        {
            "report": table.report.name,
            "parameters": table.parameters,
            "as_of": instant(table.as_of),
            "columns": [
                {"name": column.name, "type": column.type, "description": column.description}
                for column in table.columns
            ],
            "rows": table.rows,
        }
    )


def to_csv(table: Table) -> str:
    """The rows under a line of names; an empty cell is no value. Every cell is a number or a word of the vocabulary,
    so none can be taken for a formula.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, [column.name for column in table.columns])
    writer.writeheader()
    writer.writerows({name: cell(value) for name, value in row.items()} for row in table.rows)
    return out.getvalue()


def cell(value: Value) -> Value:
    """A value as CSV has it: booleans in JSON's spelling, since readers of either should agree."""
    return str(value).lower() if isinstance(value, bool) else value


def to_text(table: Table) -> TextTable:
    """The table for a terminal."""
    asked = table.parameters
    cut = f", the first {len(table.rows)} of {table.total}" if table.total > len(table.rows) else ""
    text = TextTable(
        title=f"{table.report.name}: {asked['role']}s, {asked['window']} until {asked['until']}, by {asked['sort']}{cut}",
        caption=f"{table.report.note}\nAs of {instant(table.as_of)}.",
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=0,
    )
    for heading in table.report.headings:
        if heading.form == "name":
            text.add_column(heading.title, overflow="fold")  # the only one that may be broken
        else:
            text.add_column(heading.title, justify="right", no_wrap=True)
    for row in table.rows:
        text.add_row(*(draw(heading, row) for heading in table.report.headings))
    return text


def draw(heading: Heading, row: Row) -> str:
    """One cell of the text; `-` is no value."""
    values = [row[name] for name in heading.columns]
    if any(value is None for value in values):
        return "-"
    match heading.form:
        case "interval":
            rate, low, high = percents(values)
            return f"{rate} ({low}-{high})"
        case "span":
            return "-".join(percents(values))
        case "decimal":
            return f"{values[0]:,.1f}"
        case "count":
            return f"{values[0]:,}"
        case "name":
            return str(values[0])


def percents(values: Sequence[Value]) -> list[str]:
    """Fractions as percentages of one decimal, without the sign."""
    return [f"{100 * value:.1f}" for value in values if isinstance(value, int | float)]


def instant(moment: dt.datetime) -> str:
    """An instant in UTC, to the second."""
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
