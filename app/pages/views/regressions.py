"""Regressions: which release made it worse."""

from collections.abc import Sequence
from typing import Final

from app.pages import formats
from app.pages.views.common import Context, Row, View, head
from app.pages.views.connectors import link_to
from app.pages.views.markdown import write_finding
from app.reports.definitions.regressions import NOT_ENOUGH, REGRESSION, VOTES_LEAST, WATCHED

FEW: Final = 12


def trace(found: Sequence[Row], series: Sequence[Row]) -> dict[int, list[tuple[str, float]]]:
    """Return E by day, by the rank of each finding."""
    courses: dict[int, list[tuple[str, float]]] = {}
    for row in found:
        names = ("kind", "connector", "new_version")
        courses[row["rank"]] = [
            (each["day"], each["evidence"])
            for each in series
            if all(each[name] == row[name] for name in names)
        ]
    return courses


def build(view: View) -> Context:
    """Return what the page of regressions shows."""
    query = view.query
    table = view.daily()
    found = [row for row in table.rows if row["verdict"] != NOT_ENOUGH]
    courses = trace(found, table.series or [])
    is_whole = query.own.get("low") == "show"
    listed = view.find("regressions", few="show").rows if is_whole else table.rows
    rest = [row for row in listed if row["verdict"] == NOT_ENOUGH]
    return {
        **head(view, table),
        "href": lambda row: link_to(query, row["connector"], row["kind"]),
        "found": found,
        "tested": table.rows[0]["tested"] if table.rows else 0,
        "asked": table.rows[0]["evidence_asked"] if table.rows else None,
        "votes_least": VOTES_LEAST,
        "rest": rest,
        "shown": rest if is_whole else rest[:FEW],
        "uncertain": len(rest) if is_whole else len(rest) + table.hidden,
        "regressions": sum(row["verdict"] == REGRESSION for row in found),
        "watched": sum(row["verdict"] == WATCHED for row in found),
        "courses": courses,
        "course_rows": {
            rank: [(formats.day(day), formats.power(value)) for day, value in reversed(course)]
            for rank, course in courses.items()
        },
        "write": write_finding,
    }
