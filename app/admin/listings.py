"""Lists of keys and tokens on a terminal: columns go where there is no room, the name never."""

import shutil
from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

NAME: Final = "name"
# Columns that go, first to go first; before them what says nothing in any row.
LEAST_FIRST: Final = ("created", "revoked", "ends", "last used", "scopes")
UNBOUNDED: Final = 10_000  # where nobody's terminal is to be fitted into
HEIGHT: Final = 25  # without one rich takes every `TERM=dumb` for 80 columns

Row = Mapping[str, str]


def print_listing(columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Print rows with as many columns as have room, the name among them; say which have none."""
    console = Console(width=shutil.get_terminal_size((UNBOUNDED, HEIGHT)).columns, height=HEIGHT)
    kept = fit(columns, rows, console.width)
    console.print(lay_out(kept, rows))
    left = [column for column in columns if column not in kept]
    if left:
        console.print(f"No room for: {', '.join(left)}.")


def fit(columns: Sequence[str], rows: Sequence[Row], width: int) -> list[str]:
    """Return the columns that have room in so many characters, in their order."""
    said = {column for column in columns if any(row[column] for row in rows)}
    kept = list(columns)
    for column in sorted(LEAST_FIRST, key=lambda column: (column in said, LEAST_FIRST.index(column))):
        if Console(width=UNBOUNDED, height=HEIGHT).measure(lay_out(kept, rows)).maximum <= width:
            break
        kept = [each for each in kept if each != column]
    return kept


def lay_out(columns: Sequence[str], rows: Sequence[Row]) -> Table:
    """Return the table of some columns. A name that is wider than the terminal is broken, not cut."""
    table = Table(*(Column(column, overflow="fold", no_wrap=column != NAME) for column in columns))
    for row in rows:
        table.add_row(*(Text(row[column]) for column in columns))
    return table
