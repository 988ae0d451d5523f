"""Recovery: whether users get over a failure of a connector, and whether new ones get anywhere with it."""

from collections.abc import Mapping, Sequence
from typing import Final

from app.pages import formats
from app.pages.views.common import Context, Row, View, head, total
from app.pages.views.connectors import link_to
from app.pages.views.lists import list_rows
from app.reports.ranking import MIN_UNITS

DRAWN: Final = 10  # connectors in the picture
MOST: Final = 8  # in the list beside it
# Of the list of sorts: what is said, and the column behind it.
SORTS: Final[Mapping[str, tuple[str, str]]] = {
    "lost": ("never came back", "lost_units"),
    "name": ("name", "connector"),
    "failed_units": ("users who failed", "failed_units"),
    "recovered": ("share that recovered", "recovered_share"),
    "stuck": ("new without success", "stuck_units"),
}


def build(view: View) -> Context:
    """Return what the page of recovery shows."""
    table = view.main()
    rows = table.rows
    drawn = choose(rows)
    return {
        **head(view, table),
        **list_rows(rows, view.query),
        "sorts": SORTS,
        "drawn": drawn,
        "failed": total(rows, "failed_units"),
        "recovered": total(rows, "recovered_units"),
        "lost": total(rows, "lost_units"),
        "leaving": next(iter(list_most(rows, "lost_units")), None),
        "stuck": list_most(rows, "stuck_units")[:MOST],
        "href": lambda row: link_to(view.query, row["connector"], row["role"]),
        "say": say,
    }


def choose(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that are drawn: those of most users who failed, no fewer than ten each."""
    known = [row for row in rows if (row["failed_units"] or 0) >= MIN_UNITS]
    return sorted(known, key=lambda row: (-row["failed_units"], row["connector"]))[:DRAWN]


def list_most(rows: Sequence[Row], name: str) -> list[Row]:
    """Return the ranked connectors of enough users by a count, the largest first;
    those of none are left out."""
    known = [row for row in rows if row["rank"] and not row["low_data"] and row[name]]
    return sorted(known, key=lambda row: (-row[name], row["connector"]))


def say(row: Row) -> str:
    """Return what is read out of one connector's line."""
    return (
        f"{row['connector']}: of {formats.count(row['failed_units'], 'user')} who failed, "
        f"{formats.percent(row['recovered_share'], 0)} succeeded within 24 hours and "
        f"{formats.percent(row['lost_share'], 0)} never came back"
    )
