"""What the pages that list connectors share: filtered by name, sorted by name, those of few
users left out until asked for."""

from collections.abc import Sequence

from app.pages.addresses import NAME_SORT, Query
from app.pages.views.common import Context, Row


def narrow(rows: Sequence[Row], query: Query) -> list[Row]:
    """Return the rows whose connector's name holds what was typed, by name if that is asked for."""
    wanted = query.own.get("q", "").strip().lower()
    found = [row for row in rows if wanted in str(row["connector"])]
    if query.given.get("sort") == NAME_SORT:
        found.sort(key=lambda row: row["connector"])
    return found


def is_searched(query: Query) -> bool:
    """Return whether connectors of few users are listed, too: who looks for a name finds it."""
    return bool(query.own.get("q")) or query.own.get("low") == "show"


def list_rows(rows: Sequence[Row], query: Query) -> Context:
    """Return what a page lists of its rows, which have `connector` and `low_data`, and how many there are."""
    searched = is_searched(query)
    return {
        "shown": [row for row in narrow(rows, query) if searched or not row["low_data"]],
        "of": len(rows),
        "low_rows": sum(bool(row["low_data"]) for row in rows),
        "searched": searched,
        "sort": query.value("sort"),
    }
