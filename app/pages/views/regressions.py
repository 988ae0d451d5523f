"""Regressions: which release made it worse."""

from typing import Final

from app.pages.views.common import Context, View, head
from app.pages.views.connectors import link_to
from app.pages.views.markdown import write_finding
from app.reports.definitions.regressions import NOT_ENOUGH, REGRESSION, WATCHED

FEW: Final = 12


def build(view: View) -> Context:
    """Return what the page of regressions shows."""
    query = view.query
    table = view.main()
    found = [row for row in table.rows if row["verdict"] != NOT_ENOUGH]
    rest = [row for row in table.rows if row["verdict"] == NOT_ENOUGH]
    return {
        **head(view, table),
        "href": lambda row: link_to(query, row["connector"], row["kind"]),
        "found": found,
        "rest": rest,
        "shown": rest if query.own.get("low") == "show" else rest[:FEW],
        "regressions": sum(row["verdict"] == REGRESSION for row in found),
        "watched": sum(row["verdict"] == WATCHED for row in found),
        "courses": {},
        "write": write_finding,
    }
