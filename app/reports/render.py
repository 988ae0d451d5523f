"""A table as JSON, CSV, Parquet or text. They say the same; the text leaves columns out for want of room."""

# Size: one dispatch of column kinds and their headings, read side by side; `mark` came with surges.
import csv
import datetime as dt
import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson
from rich import box
from rich.table import Table as TextTable
from rich.text import Text

from app.problems import TelemetryError
from app.reports import durations, fitting
from app.reports.model import NOTE, Heading, Row, Table, Value

JSON_TYPE: Final = "application/json"
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
CSV_TYPE: Final = "text/csv; charset=utf-8"
LATE_SECONDS: Final = 60  # figures that are so far behind say so
STALE: Final = "database_unavailable"  # why there are no newer figures
PARQUET_TYPE: Final = "application/vnd.apache.parquet"


def to_json(table: Table) -> bytes:
    """Return the table with its parameters and the meaning of its columns."""
    return orjson.dumps(
        {
            "report": table.report.name,
            "parameters": table.parameters,
            "as_of": instant(table.as_of),
            "rollup_lag_seconds": round(table.lag_seconds, 1),
            "columns": [
                {"name": column.name, "type": column.type, "description": column.description}
                for column in table.columns
            ],
            "total": table.total,
            "hidden": table.hidden,
            "rows": table.rows,
            **render_series(table),
            **({"stale": {"code": STALE, "detail": admit_age(table)}} if table.is_stale else {}),
        }
    )


def admit_age(table: Table) -> str:
    """Return in a sentence that there are no newer figures, and since when."""
    return f"The database cannot answer: these are the last good figures, as of {instant(table.as_of)}."


def render_series(table: Table) -> dict[str, Any]:
    """Return the rows day by day with the meaning of their columns, if they were asked for."""
    if table.series is None or table.report.series is None:
        return {}
    columns = [
        {"name": column.name, "type": column.type, "description": column.description}
        for column in table.report.series.columns
    ]
    return {"series": {"columns": columns, "rows": table.series}}


def to_lines(table: Table) -> bytes:
    """Return the rows as JSON, one a line, each in the shape that the report gives to a line."""
    return b"".join(
        orjson.dumps(table.report.line(row), option=orjson.OPT_APPEND_NEWLINE) for row in table.rows
    )


def to_csv(table: Table) -> str:
    """Return the rows under a line of names; an empty cell is no value, and no cell a formula."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [column.name for column in table.columns])
    writer.writeheader()
    writer.writerows({name: cell(value) for name, value in row.items()} for row in table.rows)
    return out.getvalue()


def to_parquet(table: Table) -> bytes:
    """Return the rows as Parquet, typed; parameters, `as_of` and the meaning of
    each column are in its metadata.

    Raises TelemetryError without pyarrow, which is an extra of the distribution.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 -- 100 MB that few need
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        raise TelemetryError(
            "Parquet needs pyarrow: install pyairbyte-telemetry-server[parquet], or run `python3 dev.py "
            "parquet` in a checkout."
        ) from None
    kinds = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()}
    fields = [
        pa.field(column.name, kinds[column.type], metadata={"description": column.description})
        for column in table.columns
    ]
    metadata: dict[bytes | str, bytes | str] = {
        "report": table.report.name,
        "parameters": orjson.dumps(table.parameters).decode(),
        "as_of": instant(table.as_of),
        "rollup_lag_seconds": f"{table.lag_seconds:.1f}",
    }
    if table.is_stale:
        metadata["stale"] = admit_age(table)
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(table.rows, schema=pa.schema(fields, metadata=metadata)), out)
    return out.getvalue()


def identify(table: Table) -> str:
    """Return the entity tag of the figures: the same as long as they are, whenever they were
    computed (so it is a weak one); another one while there are no newer ones, which the body says."""
    stale = [STALE] if table.is_stale else []
    content = orjson.dumps([table.report.name, table.parameters, table.rows, table.series, *stale])
    return f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'


def cell(value: Value) -> Value:
    """Return a value as CSV has it: booleans in JSON's spelling, since readers of either should agree.

    Words are those of the vocabulary, but what an operator calls a write key is his own: a spreadsheet would
    compute it if it began like a formula.
    """
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return str(value).lower() if isinstance(value, bool) else value


def to_text(table: Table, width: int = fitting.UNBOUNDED) -> TextTable:
    """Return the table for a terminal of so many columns; it says which columns have no room there."""
    kept = fitting.fit(table.report.headings, width, lambda headings, whole: lay_out(table, headings, whole))
    text = lay_out(table, kept, len(kept) > 1)
    text.title = entitle(table)
    text.caption = (
        f"{remark(table)}{table.report.note}\nAs of "
        f"{instant(table.as_of)}{admit_lag(table)}.{admit_hidden(table)}{admit_loss(table, kept)}"
    )
    return text


def to_markdown(table: Table) -> str:
    """Return the rows as a table of Markdown with the columns of the terminal's, and its notes."""
    headings = table.report.headings
    titles = [heading.title.replace("-\n", "").replace("\n", " ") for heading in headings]
    rules = ["---" if heading.form in {"name", "text"} else "---:" for heading in headings]
    rows = [[draw(heading, row) for heading in headings] for row in tabulate(table)]
    lines = [f"| {' | '.join(cells)} |" for cells in (titles, rules, *rows)]
    return "\n".join(
        [
            f"**{entitle(table)}**",
            "",
            *lines,
            "",
            f"{remark(table)}{table.report.note} As of {instant(table.as_of)}.",
        ]
    )


def lay_out(table: Table, headings: Sequence[Heading], whole: bool) -> TextTable:
    """Return the rows under some headings; `whole`: no name is broken."""
    text = TextTable(title_justify="left", caption_justify="left", box=box.SIMPLE_HEAD, padding=0)
    for heading in headings:
        if heading.form == "name":
            text.add_column(heading.title, overflow="fold", no_wrap=whole)
        elif heading.form == "text":
            text.add_column(heading.title)
        else:
            text.add_column(heading.title, justify="right", no_wrap=True)
    for row in tabulate(table):
        text.add_row(
            *(Text(draw(heading, row), "dim" if is_faint(heading, row) else "") for heading in headings)
        )
    return text


def tabulate(table: Table) -> list[Row]:
    """Return the rows that are figures."""
    return [row for row in table.rows if row.get("section") != NOTE]


def remark(table: Table) -> str:
    """Return the rows that are sentences, a line each."""
    return "".join(f"{row['text']}\n" for row in table.rows if row.get("section") == NOTE)


def is_faint(heading: Heading, row: Row) -> bool:
    """Return whether a change may be none: its interval holds 0."""
    if heading.form not in {"signed", "change"} or len(heading.columns) < 3:
        return False
    low, high = (row[name] for name in heading.columns[1:3])
    return isinstance(low, float) and isinstance(high, float) and low <= 0 <= high


def admit_hidden(table: Table) -> str:
    """Return a sentence that says how many rows say too little to be shown."""
    return f"\nHidden for too few users: {table.hidden:,}. --few show lists them." if table.hidden else ""


def admit_loss(table: Table, kept: Sequence[Heading]) -> str:
    """Return a sentence that names the columns that have no room."""
    missing = [heading.title for heading in table.report.headings if heading.title and heading not in kept]
    named = "; ".join(title.replace("-\n", "").replace("\n", " ") for title in missing)
    return f"\nNo room for: {named}. A wider terminal or --format csv has them." if missing else ""


def entitle(table: Table) -> str:
    """Return what was asked for, in a line."""
    asked = table.parameters
    parts = [f"{asked['role']}s" if "role" in asked else None, asked.get("name"), asked.get("connector")]
    if "window" in asked:
        parts.append(f"{asked['window']} until {asked['until']}")
    if len(table.report.sorts) > 1:
        parts.append(f"by {asked['sort']}")
    if table.total > len(table.rows):
        parts.append(f"the first {len(table.rows)} of {table.total}")
    return f"{table.report.name}: {', '.join(str(part) for part in parts if part)}"


def admit_lag(table: Table) -> str:
    """Return a sentence if the figures are behind."""
    behind = table.lag_seconds >= LATE_SECONDS
    return f"; events of the last {table.lag_seconds:,.0f} s are still to be added" if behind else ""


def draw(heading: Heading, row: Row) -> str:
    """Return one cell of the text; `-` is no value."""
    values = [row[name] for name in heading.columns]
    if heading.form == "name":
        values = [mark(values)]
    if any(value is None for value in values):
        return "" if heading.form == "text" else "-"
    if heading.form == "interval":
        rate, low, high = percents(values)
        return f"{rate} ({low}-{high})"
    if heading.form == "change":
        value, low, high = (f"{100 * value:+.1f}" for value in values if isinstance(value, int | float))
        return f"{value} ({low} to {high})"
    if heading.form == "signed" and is_faint(heading, row):
        return f"({DRAWN['signed'](values[0])})"
    if heading.form in {"span", "durations"}:
        return "-".join(percents(values) if heading.form == "span" else format_durations(values))
    return DRAWN[heading.form](values[0])


def mark(values: Sequence[Value]) -> Value:
    """Return a name, marked where its second column says that it is a surge."""
    return f"{values[0]} (surge)".lstrip() if any(values[1:]) else values[0]


# How a single value is drawn.
DRAWN: Final[Mapping[str, Callable[[Any], str]]] = {
    "name": str,
    "text": str,
    "count": "{:,}".format,
    "quantity": lambda value: f"{value:,.0f}" if value == int(value) else f"{value:,.1f}",
    "figure": lambda value: f"{value:,.0f}" if value == int(value) else f"{value:,.3f}",
    "decimal": "{:,.1f}".format,
    "power": "{:,.3g}".format,
    "percent": lambda value: f"{100 * value:.1f}",
    "signed": lambda value: f"{100 * value:+.1f}",
    "flag": lambda value: "yes" if value else "",
}


def percents(values: Sequence[Value]) -> list[str]:
    """Return fractions as percentages of one decimal, without the sign."""
    return [f"{100 * value:.1f}" for value in values if isinstance(value, int | float)]


def format_durations(values: Sequence[Value]) -> list[str]:
    """Return seconds in the units that people use, without a space: 45s, 12min."""
    seconds = [value for value in values if isinstance(value, int | float)]
    return [durations.format_duration(value).replace(" ", "") for value in seconds]


def instant(moment: dt.datetime) -> str:
    """Return an instant in UTC, to the second."""
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
