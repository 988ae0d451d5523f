"""The overview: what to fix first."""

import math
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice, takewhile
from operator import itemgetter
from typing import Final

from app.pages.addresses import ROLES
from app.pages.views.common import CLASSES, Context, Row, View, head, list_days, say_day, total
from app.pages.views.connectors import link_to
from app.reports import registry
from app.reports.definitions.regressions import NOT_ENOUGH
from app.reports.model import NOTE, Table

TOP: Final = 10
AT_THE_COMMAND_LINE: Final = re.compile(r" \(`--[^`]*`[^)]*\)")
MOVED: Final = ("capped rate", "affected share")  # figures whose change has an interval


def build(view: View) -> Context:
    """Return what the overview shows."""
    table = view.main()
    sections = split(table.rows)
    days = sections.get("day", [])
    half = len(days) // 2
    fleet = {row["item"]: row for row in sections.get("fleet", [])}
    tables = [view.ranked(role) for role in ROLES]
    ranked = rank(*(each.rows for each in tables))
    regressions = view.find("regressions", series="day")
    errors = view.find("errors", series="day").rows
    return {
        **head(view, table, compares=True),
        "fleet": fleet,
        "figures": figures(fleet),
        **carried(view),
        "met_top": round_up(figures(fleet)["met"]),
        "notes": [say_note(row) for row in sections.get(NOTE, [])],
        "moved": {item: fleet[item] for item in MOVED},
        "series": draw_series(days[:half], days[half:]),
        "found": [row for row in regressions.rows if row["verdict"] != NOT_ENOUGH],
        "top": ranked[:TOP],
        "trends": trace(table, tables, ranked[:TOP]),
        "all_burden": total(ranked, "burden"),
        "reference": figures(fleet)["met"][0],
        "fleet_days": days[half:],
        "classes": classes(errors),
        "failed": total(errors, "failed"),
        "is_empty": is_empty(table),
    }


def trace(table: Table, tables: Sequence[Table], top: Sequence[Row]) -> dict[str, list[float | None]]:
    """Return the failure rate of seven days by day of the window, None where there was no sync,
    for the connectors at the top."""
    days = list_days(table)
    series: dict[str, Sequence[Row]] = {
        role: each.series or [] for role, each in zip(ROLES, tables, strict=True)
    }
    found = {}
    for row in top:
        rates = {each["day"]: each["failure_rate_7d"] for each in pick(series[row["role"]], row["connector"])}
        found[f"{row['role']} {row['connector']}"] = [rates.get(day) for day in days]
    return found


def pick(rows: Sequence[Row], name: str) -> Iterator[Row]:
    """Yield a connector's days of rows that are sorted by connector."""
    first = bisect_left(rows, name, key=itemgetter("connector"))
    return takewhile(lambda row: row["connector"] == name, islice(rows, first, None))


def say_note(row: Row) -> tuple[str, bool]:
    """Return a sentence of the report, without what it says to a command line,
    and whether it tells of today."""
    return AT_THE_COMMAND_LINE.sub("", str(row["text"])), row["item"] == "today so far"


def draw_series(before: Sequence[Row], now: Sequence[Row]) -> Context:
    """Return the lines under the key figures, each as (the window, the one before)."""
    names = {"users": "units", "syncs": "attempts", "rate": "failure_rate", "affected": "affected_units"}
    return (
        {key: ([row[name] for row in now], [row[name] for row in before]) for key, name in names.items()}
        if now
        else {}
    )


def carried(view: View) -> Context:
    """Return what links to other pages need."""
    return {
        "regressions_report": registry.find("regressions"),
        "connectors_report": registry.find("connectors"),
        "errors_report": registry.find("errors"),
        "recovery_report": registry.find("recovery"),
        "trend_report": registry.find("trend"),
        "href": lambda row: link_to(view.query, row["connector"], row["role"]),
        "say_day": say_day,
    }


def round_up(pair: Sequence[float | None]) -> float:
    """Return a round end of the axis of a rate, now and before: 10 %, 20 %, … 100 %."""
    most = max((value for value in pair if value is not None), default=0.0)
    return min(max(math.ceil(most * 10), 1) / 10, 1.0)


def is_empty(table: Table) -> bool:
    """Return whether no event was ever counted."""
    return not any(row["section"] == "freshness" and row["text"] for row in table.rows)


def split(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows by section."""
    sections: dict[str, list[Row]] = {}
    for row in rows:
        sections.setdefault(row["section"], []).append(row)
    return sections


def figures(fleet: dict[str, Row]) -> Context:
    """Return the key figures, each as (now, before)."""
    names = {
        "users": "users",
        "syncs": "attempted syncs",
        "low": "failure rate",
        "high": "failure rate, upper",
        "met": "capped rate",
        "affected": "affected users",
    }
    pairs = {key: fleet.get(item, {"value": None, "before": None}) for key, item in names.items()}
    return {key: (row["value"], row["before"]) for key, row in pairs.items()}


def rank(*tables: Sequence[Row]) -> list[Row]:
    """Return the connectors of both roles that have a rank, the largest burden first."""
    return sorted(
        (row for rows in tables for row in rows if row["rank"] is not None),
        key=lambda row: (-(row["burden"] or 0), row["connector"]),
    )


def classes(errors: Sequence[Row]) -> list[tuple[str, str, float]]:
    """Return failures by class as (class, its name, failures), most first."""
    sums: dict[str, float] = {}
    for row in errors:
        name = row["failure_class"] or "other"
        sums[name] = sums.get(name, 0) + (row["failed"] or 0)
    ordered = sorted(sums.items(), key=lambda each: -each[1])
    return [(name, CLASSES.get(name, name), number) for name, number in ordered]
