"""One connector: why it fails, since when, for whom."""

from collections.abc import Sequence
from functools import partial
from typing import Final
from urllib.parse import urlencode

from app.pages.views.common import CONFIG_RATE, Context, Row, View, fleet_rate, head
from app.pages.views.home import carried, split
from app.pages.views.markdown import write_connector
from app.pages.views.tables import adopt
from app.reports.definitions.regressions import NOT_ENOUGH
from app.store.connectors import Entry

LOOP: Final = 0.25  # share of the failures from which one user's loop may make the figures
ERRORS: Final = 7
ISSUES: Final = "https://github.com/airbytehq/airbyte/issues"  # of all connectors in Airbyte's registry
ITEMS: Final = 6
PLACES: Final = (
    ("with", "Into"),
    ("executor", "Executor"),
    ("os", "Operating system"),
    ("python", "Python"),
    ("pyairbyte", "PyAirbyte"),
    ("notebook", "Notebook"),
)


def build(view: View) -> Context:
    """Return what one connector's page shows. Without a sync in the window, only its frame and the way on."""
    table = view.main()
    name = view.query.fixed["name"]
    role = str(table.parameters.get("role") or "source")
    sections = split(table.rows)
    context = {**head(view, table), **carried(view), "name": name, "role": role}
    if "total" not in sections:
        return {**context, "is_missing": True}
    ranked = view.ranked(role)
    # The same comparisons as on the page of regressions: the number of those that are
    # looked at decides what is found.
    found = [row for row in view.find("regressions", series="day").rows if row["kind"] == role]
    versions = view.find("versions", connector=name, series="day")
    given = {"role": role} if role != "source" else {}
    return {
        **context,
        "is_missing": False,
        "sections": sections,
        "total": sections["total"][0],
        "alone": sections["concentration"][0],
        "never": sections["concentration"][1],
        "ranked": find_row(ranked.rows, name),
        "of": len(ranked.rows),
        "reference": fleet_rate(ranked.rows),
        "versions": versions.rows,
        "by_version": {row["item"]: row for row in sections.get("version", [])},
        "recovered": find_row(view.find("recovery", **given).rows, name),
        "found": [row for row in found if row["connector"] == name and row["verdict"] != NOT_ENOUGH],
        "day_rows": sections.get("day", []),
        "errors": sections.get("error", []),
        "places": [(key, title, sections.get(key, [])[:ITEMS]) for key, title in PLACES],
        "is_loop": (sections["concentration"][0]["share"] or 0) >= LOOP,
        "is_config": is_config(sections["total"][0]),
        "shown_errors": ERRORS,
        **adopt(versions),
        "markdown": partial(write_connector, name, table, sections, found),
    }


def find_row(rows: Sequence[Row], name: str) -> Row | None:
    """Return a connector's row of a report that lists connectors, if it has one."""
    return next((row for row in rows if row["connector"] == name), None)


def list_ways_out(entry: Entry | None) -> list[tuple[str, str]]:
    """Return what a registry links of a connector, as text and address: its
    documentation, its open issues."""
    if entry is None:
        return []
    ways = [("Documentation", entry.documentation_url)] if entry.documentation_url else []
    if entry.issue_label:
        ways.append(("Open issues", f"{ISSUES}?{urlencode({'q': f'is:issue is:open {entry.issue_label}'})}"))
    return ways


def is_config(row: Row) -> bool:
    """Return whether wrong configuration explains a good part of the failures."""
    return bool(row["failed"]) and row["failed_config"] / row["failed"] >= CONFIG_RATE
