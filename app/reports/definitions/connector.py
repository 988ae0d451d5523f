"""The report `connector`: everything about one connector."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Final

from app.reports import ranking
from app.reports.definitions.errors import UNNAMED
from app.reports.model import COUNTS, FILTERS, SCOPE, Answers, Column, Counts, Heading, Report, Row
from app.reports.parameters import DAY, Parameters

SECTIONS: Final = (
    "total",
    "before",
    "concentration",
    "day",
    "error",
    "error by version",
    "version",
    "with",
    "pyairbyte",
    "python",
    "os",
    "notebook",
    "executor",
)
ERRORS: Final = ("error", "error by version")
OF_ERRORS: Final = ("version", "failure_class", "first_seen", "first_version", "is_new")
WEIGHTS: Final = ("weighed_units", "ephemeral_share", "surge")
WEEK: Final = 7  # days of the smoothed rate
COLUMNS: Final = (
    Column(
        "section",
        "text",
        "total; before (the window before, which is as long); concentration; day (UTC); error (exception class); error by version; version (the connector's); with (destination, cache or "
        "source of the same syncs); pyairbyte, python, os, notebook, executor.",
    ),
    Column(
        "item",
        "text",
        "Which day, error, version, …; empty for the total; a version that was not told is empty, too.",
    ),
    Column("version", "text", "Of an error by version: the connector's version; empty where none was told."),
    Column("failure_class", "text", "Of an error: config, connector, destination, pyairbyte or other."),
    Column(
        "first_seen", "text", "Of an error: the first UTC day in 180 on which it was seen with the connector."
    ),
    Column("first_version", "text", "Of an error: the connector's version on which it was seen first."),
    Column("is_new", "boolean", "Of an error: first seen in the window."),
    Column(
        "units",
        "integer",
        "Distinct users with at least one attempt; under concentration, those that the item names.",
    ),
    Column("attempts", "integer", "Attempted syncs that started in the window."),
    Column("settled", "integer", "attempts - in_flight: what every rate is a share of."),
    Column("succeeded", "integer", "Attempts that succeeded."),
    Column("failed", "integer", "Attempts that failed, of whatever class."),
    Column("failed_config", "integer", "Failed attempts of class config."),
    Column("canceled", "integer", "Attempts that were canceled."),
    Column("abandoned", "integer", "Open attempts of which nothing was heard for 24 hours."),
    Column("in_flight", "integer", "Open attempts heard of within the last 24 hours."),
    Column("affected_units", "integer", "Users with at least one failure of another class than config."),
    Column("failure_rate", "number", "failed / settled."),
    Column("failure_rate_upper", "number", "(failed + abandoned) / settled."),
    Column(
        "failure_rate_7d",
        "number",
        "Of a day: failed / settled over it and the six days before, those of the window before too.",
    ),
    Column("share", "number", "Of an item's failed attempts in all; under concentration as the item says."),
    Column(
        "capped_rate",
        "number",
        "Failures other than config over settled attempts, 5 attempts a user at most.",
    ),
    Column("burden", "number", "weighed_units x capped_rate."),
    *(column for column in ranking.MEASURES if column.name in WEIGHTS),
)


def shape(answers: Answers, parameters: Parameters) -> list[Row]:
    """The sections in their order; days in time, the others by users."""
    found: dict[str, list[Counts]] = {section: [] for section in SECTIONS}
    for count in answers["facets"]:
        found[count["section"]].append(count)
    if not found["total"]:
        return []
    [total] = found["total"]
    firsts = {count["exception_class"] or UNNAMED: count for count in answers["firsts"]}
    rows: list[Row] = []
    for section in SECTIONS:
        if section == "concentration":
            rows += concentrate(total)
        elif section == "day":
            rows += tell_days(found["day"], parameters, total["failed"])
        else:
            told = [tell(count, total["failed"], parameters) for count in found[section]]
            if section in ERRORS:
                told = [tell_error(row, firsts, parameters) for row in told]
            rows += ranking.order(told, "failed" if section in ERRORS else "units", "item", "version")
    return ranking.select([dict.fromkeys(OF_ERRORS) | row for row in rows], COLUMNS)


def tell_error(row: Row, firsts: Mapping[str, Counts], parameters: Parameters) -> Row:
    """An exception, with where it was first seen. It has no rates: every attempt in it failed."""
    name, _, version = str(row["item"]).partition("\t")
    first = firsts[name]
    return row | {
        **dict.fromkeys(("failure_rate", "failure_rate_upper", "capped_rate", "burden")),
        "item": name,
        "version": version if row["section"] == "error by version" else None,
        "failure_class": first["failure_class"],
        "first_seen": first["first_seen"],
        "first_version": first["first_version"],
        "is_new": first["first_seen"] >= parameters.first_day.isoformat(),
    }


def tell(count: Counts, failed: int, parameters: Parameters) -> Row:
    """One item with its rates. `failed`: the failed attempts in all."""
    described = ranking.describe(count, rated=parameters.is_rated)
    return {
        **described,
        "version": None,
        "failure_rate_7d": None,
        "share": ranking.share(count["failed"], failed),
    }


def tell_days(counts: Iterable[Counts], parameters: Parameters, failed: int) -> list[Row]:
    """Every day of the window, those without attempts too, with the rate of the week that ends on it."""
    by_day = {count["item"]: count for count in counts}
    rows: list[Row] = []
    recent: list[tuple[int, int]] = []
    for number in range(-min(WEEK - 1, parameters.days), 0):
        count = by_day.get((parameters.first_day + number * DAY).isoformat())
        recent.append((count["failed"], count["attempts"] - count["in_flight"]) if count else (0, 0))
    for number in range(parameters.days):
        day: dt.date = parameters.first_day + number * DAY
        row = tell(by_day.get(day.isoformat(), nothing(day)), failed, parameters)
        recent = [*recent[1 - WEEK :], (int(row["failed"] or 0), int(row["settled"] or 0))]
        if parameters.is_rated:
            row["failure_rate_7d"] = ranking.share(sum(f for f, _ in recent), sum(s for _, s in recent))
        rows.append(row)
    return rows


def nothing(day: dt.date) -> dict[str, Any]:
    """The counts of a day without attempts."""
    names = (
        "units",
        "weighed_units",
        "ephemeral_units",
        "affected_units",
        "attempts",
        "succeeded",
        "failed",
        "failed_config",
        "canceled",
        "in_flight",
        "abandoned",
    )
    counts: dict[str, Any] = dict.fromkeys((*names, "capped_weight", "capped_failures", "from_ledger"), 0)
    return counts | {"surge": False, "section": "day", "item": day.isoformat()}


def concentrate(total: Counts) -> list[Row]:
    """Whether a few users make the figures: the top one's share of all failures, and users who never succeeded."""
    empty: Row = {**dict.fromkeys(column.name for column in COLUMNS), "section": "concentration"}
    return [
        empty
        | {
            "item": "top user's share of failures",
            "units": min(total["units"], 1),
            "failed": total["top_failures"],
            "share": ranking.share(total["top_failures"], total["failed"]),
        },
        empty
        | {
            "item": "users who never succeeded",
            "units": total["never_succeeded"],
            "share": ranking.share(total["never_succeeded"], total["units"]),
        },
    ]


CONNECTOR: Final = Report(
    name="connector",
    summary="One connector: totals, days, errors, versions, environments, and whether a few users make the figures.",
    queries={
        "facets": (
            *SCOPE,
            "told/connector",
            "named_versions",
            "facet_units",
            "applications/facets",
            *COUNTS[1:],
            "facets",
        ),
        "firsts": ("routes_asked", "environments_asked", "error_firsts"),
    },
    shape=shape,
    columns=COLUMNS,
    headings=(
        Heading("section", ("section",), "text"),
        Heading("item", ("item", "surge"), "name"),
        Heading("version", ("version",), "text"),
        Heading("first seen", ("first_seen",), "text"),
        Heading("users", ("units",)),
        Heading("attempts", ("attempts",)),
        Heading("failed", ("failed",)),
        Heading("aban-\ndoned", ("abandoned",)),
        Heading("failure rate,\n% to upper", ("failure_rate", "failure_rate_upper"), "span"),
        Heading("7 days,\n%", ("failure_rate_7d",), "percent"),
        Heading("share,\n%", ("share",), "percent"),
        Heading("burden", ("burden",), "decimal"),
    ),
    parameters=("name", "window", "until", "role", *FILTERS[2:], "limit"),
    sorts={"section": "section"},
    default_sort="section",
    note="Its rate with an interval, drawn towards the fleet, is in `connectors`. Today is provisional.",
    terms=("lane", "attempt", "in flight", "failure class", "unit", "ranking", "failure rate, burden"),
    compares=True,
    required=("name",),
)
