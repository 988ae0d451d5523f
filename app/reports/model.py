"""What a report is: data that CLI, HTTP, OpenAPI and renderers read."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from app.reports.parameters import Parameters

Value = str | int | float | bool | None
Row = dict[str, Value]
Kind = Literal["text", "integer", "number", "boolean"]
Form = Literal[
    "name",
    "text",
    "count",
    "quantity",
    "figure",
    "decimal",
    "percent",
    "signed",
    "change",
    "span",
    "interval",
    "durations",
    "power",
    "flag",
]
Counts = Mapping[str, Any]  # a row of SQL
Answers = Mapping[str, Sequence[Counts]]  # the rows of each query of a report

# The section of rows that are sentences: in the terminal they stand under the table.
NOTE: Final = "note"
# What nearly every report takes.
FILTERS: Final = (
    "window",
    "until",
    "lane",
    "ci",
    "prerelease",
    "version",
    "connector",
    "users",
    "key",
    "denied",
)
ORDER: Final = ("sort", "limit")
# The stages that every query over daily sums begins with.
SCOPE: Final = ("routes_asked", "environments_asked", "scope")
# The stages that make the counts of every key that the stage keyed numbers.
COUNTS: Final = ("applications", "units", "arrivals", "counts")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its JSON and CSV key, its type, and what the number means. Numbers are
    fractions, never percentages."""

    name: str
    type: Kind
    description: str


@dataclass(frozen=True, slots=True)
class Heading:
    """A column of the terminal's table, drawn from one to three columns of the report.

    `form` says how: `name` and `text` (flush left; a name may be broken, and is marked where its second
    column holds), `count`, `quantity` (a number that is mostly whole), `figure` (a count, or a fraction),
    `decimal`, `power` (of any size), `flag`, and of fractions, as percentages, `percent`, `signed` (in
    percentage points; with the bounds of its interval it is greyed and in brackets where that holds no
    change), `change` (value, low, high, in points), `span` (from, to) and `interval` (value, low, high);
    `durations` are seconds (from, to).
    """

    title: str
    columns: tuple[str, ...]
    form: Form = "count"


@dataclass(frozen=True, slots=True)
class Series:
    """What a report has day by day, for those who ask for `series=day`: beside its
    rows, in JSON and on the pages.

    `queries` are run beside the report's own; `shape` gives the rows from the answers of both.
    """

    columns: tuple[Column, ...]
    shape: Callable[[Answers, "Parameters"], list[Row]]
    queries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """A report: queries, and a pure function that makes rows of their answers.

    `queries` are the files of `sql/` by name, each with the stages in the order in which they build on each
    other (the last is the statement). `shape` gives the rows in order; `limit` is applied to them. `terms`
    are those of the glossary that `--explain` prints. `compares`: whether the window before is read, too.
    `planner`: a statement before the queries, where their plans need it.
    """

    name: str
    summary: str
    queries: Mapping[str, tuple[str, ...]]
    shape: Callable[[Answers, Parameters], list[Row]]
    columns: tuple[Column, ...]
    headings: tuple[Heading, ...]
    parameters: tuple[str, ...]
    sorts: Mapping[str, str]  # what may be asked for, and the column that it means
    default_sort: str
    note: str
    terms: tuple[str, ...] = ()
    compares: bool = False
    planner: str = ""
    hides: Callable[[Row], bool] | None = (
        None  # whether a row says too little, so that only few=show lists it
    )
    alarms: Callable[[Row], bool] | None = None  # whether a row is one to be alarmed about
    series: Series | None = None
    line: Callable[[Row], object] = dict  # what stands in a line of JSON
    required: tuple[str, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict)  # of parameters that differ from the usual


@dataclass(frozen=True, slots=True)
class Table:
    """A report's answer: rows in rank order, each with every column as a key."""

    report: Report
    parameters: dict[str, str | int | None]
    as_of: dt.datetime
    columns: tuple[Column, ...]
    rows: list[Row]
    total: int
    alarms: int = 0  # of all rows
    hidden: int = 0  # rows that say too little
    lag_seconds: float = 0.0  # age of the oldest event that is not in the figures yet
    series: list[Row] | None = None  # None unless asked for
    is_empty: bool = False  # whether nothing was ever counted
    is_stale: bool = False  # whether newer figures were asked for, and the database could not give them
