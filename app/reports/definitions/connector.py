"""The report `connector`: everything about one connector."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Final

from app.reports import durations, ranking
from app.reports.definitions.connector_columns import COLUMNS
from app.reports.definitions.errors import UNNAMED
from app.reports.model import COUNTS, FILTERS, SCOPE, Answers, Counts, Heading, Report, Row
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
OF_ERRORS: Final = (
    *("version", "failure_class", "first_seen", "last_seen", "first_version", "failed_before", "is_new"),
)
BOUNDS: Final = ("capped_rate_low", "capped_rate_high")
RATED: Final = ("total", "before", "version", "with", "pyairbyte", "python", "os", "notebook", "executor")
WEEK: Final = 7  # days of the smoothed rate


def shape(answers: Answers, parameters: Parameters) -> list[Row]:
    """Return the sections in their order; days in time, the others by users."""
    found: dict[str, list[Counts]] = {section: [] for section in (*SECTIONS, "error before")}
    for count in answers["facets"]:
        found[count["section"]].append({**count, **durations.to_columns(count)})
    if not found["total"]:
        return []
    [total] = found["total"]
    firsts = {count["exception_class"] or UNNAMED: count for count in answers["firsts"]}
    before = {count["item"]: count["failed"] for count in found["error before"]}
    rows: list[Row] = []
    for section in SECTIONS:
        if section == "concentration":
            rows += concentrate(total)
        elif section == "day":
            rows += make_days(found["day"], parameters, total["failed"])
        else:
            counted = [make_row(count, total["failed"], parameters) for count in found[section]]
            if section in ERRORS:
                counted = [add_first_seen(row, firsts, before, parameters) for row in counted]
            if section in RATED:
                counted = [row | bound(row) for row in counted]
            rows += ranking.order(counted, "failed" if section in ERRORS else "units", "item", "version")
    return ranking.select([dict.fromkeys((*OF_ERRORS, *BOUNDS)) | row for row in rows], COLUMNS)


def bound(row: Row) -> Row:
    """Return the 90 % interval of a row's capped rate; None under 10 users, or without one."""
    if row["capped_rate"] is None or row["low_data"]:
        return dict.fromkeys(BOUNDS)
    from app.reports import statistics  # noqa: PLC0415 -- 70 MB that only a process that makes a report needs

    ends = statistics.bound(float(row["capped_rate"]), float(row["weighed_units"] or 0))
    return dict(zip(BOUNDS, ends, strict=True))


def add_first_seen(
    row: Row, firsts: Mapping[str, Counts], before: Mapping[str, int], parameters: Parameters
) -> Row:
    """Return an exception, with where it was first seen. It has no rates: every attempt in it failed."""
    name, _, version = str(row["item"]).partition("\t")
    first = firsts[name]
    return row | {
        **dict.fromkeys(("failure_rate", "failure_rate_upper", "capped_rate", "burden", *durations.NAMES)),
        "item": name,
        "version": version if row["section"] == "error by version" else None,
        "failure_class": first["failure_class"],
        **{name: first[name] for name in ("first_seen", "last_seen", "first_version")},
        "failed_before": before.get(name, 0) if row["section"] == "error" else None,
        "is_new": first["first_seen"] >= parameters.first_day.isoformat(),
    }


def make_row(count: Counts, failed: int, parameters: Parameters) -> Row:
    """Return one item with its rates. `failed`: the failed attempts in all."""
    described = ranking.measure(count, rated=parameters.is_rated)
    return {
        **described,
        "version": None,
        "failure_rate_7d": None,
        "failure_rate_upper_7d": None,
        "share": ranking.share(count["failed"], failed),
    }


def make_days(counts: Iterable[Counts], parameters: Parameters, failed: int) -> list[Row]:
    """Return every day of the window, those without attempts too, with the rate
    of the week that ends on it."""
    by_day = {count["item"]: {**count, "settled": count["attempts"] - count["in_flight"]} for count in counts}
    rows: list[Row] = []
    recent: list[Counts] = []
    for number in range(-min(WEEK - 1, parameters.days), parameters.days):
        day: dt.date = parameters.first_day + number * DAY
        count = by_day.get(day.isoformat(), nothing(day))
        recent = [*recent[1 - WEEK :], count]
        if number < 0:
            continue
        row = make_row(count, failed, parameters)
        if parameters.is_rated:
            settled, *lost = (
                sum(each[name] for each in recent) for name in ("settled", "failed", "abandoned")
            )
            row["failure_rate_7d"] = ranking.share(lost[0], settled)
            row["failure_rate_upper_7d"] = ranking.share(sum(lost), settled)
        rows.append(row)
    return rows


def nothing(day: dt.date) -> dict[str, Any]:
    """Return the counts of a day without attempts."""
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
    return (
        counts
        | durations.NONE
        | {"surge": False, "settled": 0, "section": "day", "item": day.isoformat(), "kind": None}
    )


def concentrate(total: Counts) -> list[Row]:
    """Return whether a few users make the figures: the top one's share of all failures,
    and users who never succeeded."""
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
    summary="One connector: totals, days, errors, versions, environments, and whether a few users make "
    "the figures.",
    queries={
        "facets": (
            *SCOPE,
            "reported/connector",
            "named_versions",
            *("linked", "facet_uses", "route_facets", "environment_facets", "facet_names", "facet_units"),
            *("applications/facets", "units/facets"),
            *COUNTS[2:],
            *("timings/facets", "durations", "facets"),
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
        durations.HEADING,
        Heading("share,\n%", ("share",), "percent"),
        Heading("burden", ("burden",), "decimal"),
    ),
    parameters=("name", "window", "until", "role", *FILTERS[2:], "limit"),
    sorts={"section": "section"},
    default_sort="section",
    note="Its rate with an interval, drawn towards the fleet, is in `connectors`. Today is provisional.",
    terms=(
        "lane",
        "attempt",
        "in flight",
        "failure class",
        "unit",
        "ranking",
        "failure rate, burden",
        durations.TERM,
    ),
    compares=True,
    required=("name",),
)
