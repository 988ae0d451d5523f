"""The pages that are a sentence and a table: errors, versions, funnel, pairs and caches, platforms."""

import math
import re
from collections.abc import Sequence
from typing import Final

from app.pages import formats
from app.pages.views.common import CLASSES, INTERVAL_END, Context, Row, View, fleet_rate, head, list_days
from app.pages.views.connectors import link_to
from app.reports import registry
from app.reports.definitions.errors import UNNAMED
from app.reports.model import Table

STEPS: Final = {
    "install": "Installed a connector",
    "validate": "Validated its configuration",
    "check": "Checked the connection",
    "sync": "Synced",
}
DIMENSIONS: Final = {
    "pyairbyte": "PyAirbyte",
    "python": "Python",
    "os": "Operating system",
    "notebook": "Notebook",
    "ci": "Continuous integration",
    "source executor": "Executor of sources",
    "destination executor": "Executor of destinations",
}
LAYERS: Final = 5  # versions in the picture of adoption; the others together
# A connector and its users, as the report of errors lists them: source-faker (12), source-github (3).
CONNECTORS: Final = re.compile(r"([a-z0-9-]+) \(([0-9]+)\)")
SOURCES, TARGETS = 10, 8  # of the heat table, those of most users
TINTS: Final = (0.05, 0.15, 0.3)  # capped rates from which the next of four tints stands


def build_errors(view: View) -> Context:
    """Return what the page of errors shows."""
    table = view.daily()
    rows = table.rows
    days = list_days(table)
    return {
        **head(view, table),
        "rows": rows,
        "top": rows[0] if rows else None,
        "new": sum(bool(row["is_new"]) for row in rows),
        "most": max((row["affected_units"] or 0 for row in rows), default=0),
        "classes": CLASSES,
        "courses": course(table.series or [], days),
        "split": CONNECTORS.findall,
        "href": lambda name: link_to(view.query, name, guess_role(name)),
    }


def course(series: Sequence[Row], days: Sequence[str]) -> dict[str, list[float]]:
    """Return the users whom each exception met by day; 0 on days without."""
    found: dict[str, dict[str, float]] = {}
    for row in series:
        found.setdefault(row["exception_class"] or UNNAMED, {})[row["day"]] = row["affected_units"]
    return {name: [by_day.get(day, 0) for day in days] for name, by_day in found.items()}


def build_versions(view: View) -> Context:
    """Return what the page of versions shows."""
    table = view.daily()
    rows = table.rows
    return {
        **head(view, table),
        **adopt(table),
        "of": view.query.given.get("connector", "pyairbyte"),
        "rows": rows,
        "top": max(rows, key=lambda row: row["units"] or 0) if rows else None,
        "worst": find_worst(rows, "version"),
        "reference": fleet_rate(rows),
        "end": find_end(rows),
    }


def adopt(table: Table) -> Context:
    """Return what the picture of adoption shows, and the table beside it."""
    days = list_days(table)
    layers = stack(table.series or [], days)
    rows = [
        (day, *(formats.percent(values[place], 0) for _, values in layers)) for place, day in enumerate(days)
    ]
    return {"layers": layers, "layer_days": days, "layer_rows": rows[::-1]}


def stack(series: Sequence[Row], days: Sequence[str]) -> list[tuple[str, list[float]]]:
    """Return the shares of the versions of most users by day, over the seven days
    that end on it, and of the others.

    Of all users of versions, so that the layers of a day add up to 1 at most; a user of two counts in each.
    """
    units: dict[str, dict[str, int]] = {}
    for row in series:
        units.setdefault(row["version"] or "not reported", {})[row["day"]] = row["units"]
    most = sorted(units, key=lambda name: (-sum(units[name].values()), name))[:LAYERS]
    weeks = [days[max(0, place - 6) : place + 1] for place in range(len(days))]
    sums = {
        name: [sum(by_day.get(day, 0) for day in week) for week in weeks] for name, by_day in units.items()
    }
    totals = [sum(each[place] for each in sums.values()) or 1 for place in range(len(days))]
    named = [(name, sums[name]) for name in sorted(most, key=version_key, reverse=True)]
    rest = [sum(sums[name][place] for name in units if name not in most) for place in range(len(days))]
    layers = [*named, *([("others", rest)] if any(rest) else [])]
    return [
        (name, [value / whole for value, whole in zip(values, totals, strict=True)])
        for name, values in layers
    ]


def version_key(name: str) -> tuple[list[int], str]:
    """Return what versions are put in order by: 0.71.3 comes after 0.9.0."""
    return [int(part) for part in re.findall(r"[0-9]+", name)], name


def build_funnel(view: View) -> Context:
    """Return what the funnel shows."""
    table = view.main()
    rows: Sequence[Row] = table.rows
    return {
        **head(view, table),
        "rows": rows,
        "entered": rows[0]["entered"] if rows else 0,
        "last": rows[-1] if rows else None,
        "worst": max(rows, key=lambda row: row["entered"] - row["survived"]) if rows else None,
        "names": STEPS,
    }


def build_pairs(view: View) -> Context:
    """Return what the page of pairs and caches shows."""
    table = view.main()
    rows: Sequence[Row] = table.rows
    caches: Sequence[Row] = view.find("caches").rows
    return {
        **head(view, table),
        "rows": rows,
        "top": rows[0] if rows else None,
        "sources": find_largest(rows, "source", SOURCES),
        "targets": find_largest(rows, "target", TARGETS),
        "cells": {(row["source"], row["target"]): row for row in rows},
        "tint": tint,
        "reference": fleet_rate(rows),
        "caches": caches,
        "caches_report": registry.find("caches"),
        "caches_end": find_end(caches),
        "caches_reference": fleet_rate(caches),
        "href": lambda name: link_to(view.query, name, guess_role(name)),
    }


def build_platforms(view: View) -> Context:
    """Return what the page of platforms shows."""
    table = view.main()
    dimensions: dict[str, list[Row]] = {}
    for row in table.rows:
        dimensions.setdefault(str(row["dimension"]), []).append(row)
    order = [key for key in DIMENSIONS if key in dimensions] + sorted(set(dimensions) - set(DIMENSIONS))
    return {
        **head(view, table),
        "dimensions": [(key, dimensions[key]) for key in order],
        "names": DIMENSIONS,
        "worst": find_worst(table.rows, "value"),
        "end": find_end(table.rows),
        "references": {key: fleet_rate(rows) for key, rows in dimensions.items()},
    }


def guess_role(name: str) -> str:
    """Return the role that a name tells; `custom` and `unknown` are sources."""
    return "destination" if name.startswith("destination-") else "source"


def find_worst(rows: Sequence[Row], name: str) -> Row | None:
    """Return the row of the highest rate among those of enough users that have a name."""
    known = [row for row in rows if row["rate"] is not None and row[name]]
    return max(known, key=lambda row: row["rate"]) if known else None


def find_end(rows: Sequence[Row]) -> float:
    """Return a round end of the axis that these intervals share: 10 %, 20 %, … and at most
    where those of connectors end."""
    most = max((row["rate_high"] for row in rows if row["rate_high"] is not None), default=0.0)
    return min(max(math.ceil(most * 10), 1) / 10, INTERVAL_END)


def find_largest(rows: Sequence[Row], name: str, number: int) -> list[str]:
    """Return the names of most users, summed over pairs: whoever syncs into two places counts in each."""
    users: dict[str, int] = {}
    for row in rows:
        if row[name]:
            users[row[name]] = users.get(row[name], 0) + (row["units"] or 0)
    return sorted(users, key=lambda each: (-users[each], each))[:number]


def tint(rate: float | None) -> int:
    """Return which of four tints a capped rate has."""
    return 0 if rate is None else sum(rate >= edge for edge in TINTS)
