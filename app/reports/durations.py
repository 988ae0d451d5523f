"""How long succeeded syncs took: the columns, and what they are made of."""

import math
from collections.abc import Iterable
from typing import Final

from app.reports.model import Column, Counts, Heading, Row
from app.store.durations import to_seconds

COLUMNS: Final = (
    Column(
        "timed",
        "integer",
        "Succeeded attempts of which both ends and the time between are known: what the next two are of.",
    ),
    Column(
        "duration_p50",
        "number",
        "Seconds that a succeeded sync takes, the median: within 9 %. Those of one user, day and route stand "
        "with their geometric mean, and weigh 5 at most.",
    ),
    Column("duration_p90", "number", "Seconds within which nine in ten succeed; like the median."),
)
HEADING: Final = Heading("takes,\np50-p90", ("duration_p50", "duration_p90"), "durations")
NAMES: Final = tuple(column.name for column in COLUMNS)
SORTS: Final = {"duration": "duration_p50"}
TERM: Final = "duration"
NONE: Final[Row] = {"timed": 0, "duration_p50": None, "duration_p90": None}
# Up to how many seconds a unit serves, and how many it holds.
UNITS: Final = ((90.0, 1, "s"), (5_400.0, 60, "min"), (129_600.0, 3_600, "h"), (math.inf, 86_400, "d"))


def by_number(counts: Iterable[Counts]) -> dict[int, Row]:
    """Return the columns by the number of what they are about, from the rows of `sql/durations.sql`."""
    return {count["number"]: to_columns(count) for count in counts}


def to_columns(count: Counts) -> Row:
    """Return the columns of a row that the stage `durations` was joined to."""
    return {
        "timed": count["timed"],
        **{name: None if count[name] is None else to_seconds(count[name]) for name in NAMES[1:]},
    }


def format_duration(seconds: float) -> str:
    """Return a duration in two digits or three: 0.4 s, 45 s, 12 min, 2.5 h, 3 d."""
    size, name = next((size, name) for most, size, name in UNITS if seconds < most)
    number = seconds / size
    return f"{number:.0f} {name}" if number >= 10 else f"{number:.2g} {name}"
