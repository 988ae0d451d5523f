"""The pages that are a sentence and a table: errors, versions, funnel, pairs and caches, platforms."""

from collections.abc import Sequence
from typing import Final

from app.pages.views.common import CLASSES, Context, Row, View, fleet_rate, head
from app.pages.views.connectors import link_to
from app.reports.definitions.errors import UNNAMED

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
SOURCES, TARGETS = 10, 8  # of the heat table, those of most users
TINTS: Final = (0.05, 0.15, 0.3)  # capped rates from which the next of four tints stands


def build_errors(view: View) -> Context:
    """Return what the page of errors shows."""
    table = view.main()
    rows = table.rows
    return {
        **head(view, table),
        "rows": rows,
        "top": rows[0] if rows else None,
        "new": sum(bool(row["is_new"]) for row in rows),
        "most": max((row["affected_units"] or 0 for row in rows), default=0),
        "classes": CLASSES,
        "unnamed": UNNAMED,
        "href": lambda name: link_to(view.query, name, guess_role(name)),
    }


def build_versions(view: View) -> Context:
    """Return what the page of versions shows."""
    table = view.main()
    rows = table.rows
    return {
        **head(view, table),
        "of": view.query.given.get("connector", "pyairbyte"),
        "rows": rows,
        "top": max(rows, key=lambda row: row["units"] or 0) if rows else None,
        "worst": find_worst(rows, "version"),
        "reference": fleet_rate(rows),
        "layers": [],
    }


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
    return {
        **head(view, table),
        "rows": rows,
        "top": rows[0] if rows else None,
        "sources": find_largest(rows, "source", SOURCES),
        "targets": find_largest(rows, "target", TARGETS),
        "cells": {(row["source"], row["target"]): row for row in rows},
        "tint": tint,
        "reference": fleet_rate(rows),
        "caches": view.find("caches").rows,
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
    }


def guess_role(name: str) -> str:
    """Return the role that a name tells; `custom` and `unknown` are sources."""
    return "destination" if name.startswith("destination-") else "source"


def find_worst(rows: Sequence[Row], name: str) -> Row | None:
    """Return the row of the highest rate among those of enough users that have a name."""
    known = [row for row in rows if row["rate"] is not None and row[name]]
    return max(known, key=lambda row: row["rate"]) if known else None


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
