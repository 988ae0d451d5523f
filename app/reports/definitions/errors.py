"""The report `errors`: which exceptions end syncs, and how many users each meets."""

from typing import Final

from app.reports import ranking
from app.reports.definitions import series
from app.reports.model import FILTERS, ORDER, SCOPE, Answers, Column, Heading, Report, Row
from app.reports.parameters import Parameters

UNNAMED: Final = "(none named)"
COLUMNS: Final = (
    Column("rank", "integer", "Place under the chosen sort, 1 first."),
    Column(
        "exception_class",
        "text",
        f"PyAirbyte's exception; `other` for any unlisted one, `{UNNAMED}` where none was reported.",
    ),
    Column("failure_class", "text", "config, connector, destination, pyairbyte or other."),
    Column("affected_units", "integer", "Distinct users with such a failure in the window."),
    Column("failed", "integer", "Attempts that failed with it in the window."),
    Column("share", "number", "failed / all failed attempts of the window."),
    Column("failed_before", "integer", "Attempts that failed with it in the window before."),
    Column("is_new", "boolean", "Seen in the window and not in the one before."),
    Column("first_seen", "text", "First UTC day in 180 on which it was seen."),
    Column(
        "first_version",
        "text",
        "PyAirbyte's version on which it was seen first; empty where none was reported.",
    ),
    Column("connectors", "integer", "Distinct connectors that took part, in either role."),
    Column("top_connector", "text", "The connector with most affected users."),
    Column("top_connectors", "text", "The five connectors with most affected users, and how many those are."),
    Column("first_day", "text", "First UTC day in the window on which it was seen."),
    Column("last_day", "text", "Last UTC day in the window on which it was seen."),
)


def shape(answers: Answers, parameters: Parameters) -> list[Row]:
    """Return the exceptions in rank order."""
    total = sum(count["failed"] for count in answers["errors"])
    firsts = {count["exception_class"]: count for count in answers["firsts"]}
    rows: list[Row] = [
        {
            **count,
            **{name: firsts[count["exception_class"]][name] for name in ("first_seen", "first_version")},
            "exception_class": count["exception_class"] or UNNAMED,
            "share": ranking.share(count["failed"], total),
            "is_new": not count["failed_before"],
        }
        for count in answers["errors"]
    ]
    ordered = ranking.order(rows, ERRORS.sorts[parameters.sort], "exception_class")
    ranking.number(ordered)
    return ranking.select(ordered, COLUMNS)


ERRORS: Final = Report(
    name="errors",
    summary="Exceptions that ended syncs: how many users met each, with which connectors, since when.",
    queries={
        "errors": (*SCOPE, "error_users", "error_connectors", "errors"),
        "firsts": ("routes_asked", "environments_asked", "error_firsts"),
    },
    shape=shape,
    columns=COLUMNS,
    headings=(
        Heading("#", ("rank",)),
        Heading("exception", ("exception_class",), "name"),
        Heading("class", ("failure_class",), "text"),
        Heading("affected\nusers", ("affected_units",)),
        Heading("failed", ("failed",)),
        Heading("share,\n%", ("share",), "percent"),
        Heading("new", ("is_new",), "flag"),
        Heading("connec-\ntors", ("connectors",)),
        Heading("mostly", ("top_connector",), "name"),
        Heading("first seen", ("first_seen",), "text"),
        Heading("on PyAirbyte", ("first_version",), "text"),
        Heading("last", ("last_day",), "text"),
    ),
    parameters=(*FILTERS, "series", *ORDER),
    series=series.ERRORS,
    sorts={"affected_units": "affected_units", "failures": "failed", "connectors": "connectors"},
    default_sort="affected_units",
    note="Every class is listed, wrong configuration too, which rankings leave out. New: not seen in "
    "the window before.",
    terms=("attempt", "failure class", "window"),
    compares=True,
)
