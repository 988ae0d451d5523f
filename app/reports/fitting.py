"""Fits a report's table into a terminal: columns go in order of importance until the rest
has room. A name never goes."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table as TextTable

from app.reports.model import Heading

# By the first column that a heading draws, what goes first stands first. What is not
# listed goes last, from the right.
LEAST_FIRST: Final = (
    "text",
    "duration_p50",
    "new_errors",
    "unlikely_above",
    "top_connector",
    "first_version",
    "first_seen",
    "version",
    "first_day",
    "last_day",
    "since",
    "abandoned",
    "succeeded",
    "tried",
    "of_all",
    "rank",
    "votes",
    "delta_own",
    "failure_rate_7d",
    "connectors",
    "failure_rate",
    "before",
    "share",
    "delta",
    "usage",
    "failure_class",
    "affected_units",
    "failed",
    "attempts",
    "of",
    "evidence",
    "adoption",
    "rate",
    "units",
)
UNBOUNDED: Final = 10_000

Draw = Callable[[Sequence[Heading], bool], TextTable]


def open_console(width: int, **further: Any) -> Console:
    """Return a console of so many columns. Without a height rich takes every `TERM=dumb` for one of 80."""
    return Console(width=width, height=25, **further)


def fit(headings: Sequence[Heading], width: int, draw: Draw) -> list[Heading]:
    """Return the headings that have room in so many characters, in their order.

    `draw` makes the table of some headings, with names in one piece or not. Where even the names alone have
    no room, they are left, to be broken.
    """
    console = open_console(UNBOUNDED)
    kept = list(headings)
    for heading in order(headings):
        if console.measure(draw(kept, True)).maximum <= width:
            break
        kept.remove(heading)
    return kept


def order(headings: Sequence[Heading]) -> list[Heading]:
    """Return what may go, first to go first: all but the first name, other names last."""
    names = [heading for heading in headings if heading.form == "name"]
    places = {column: place for place, column in enumerate(LEAST_FIRST)}

    def place(item: tuple[int, Heading]) -> tuple[bool, int, int]:
        index, heading = item
        column = heading.columns[0]
        is_key = heading.form == "name" and column not in places
        return is_key, places.get(column, len(places)), -index

    return [heading for _, heading in sorted(enumerate(headings), key=place) if heading is not names[0]]
