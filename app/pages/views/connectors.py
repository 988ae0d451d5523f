"""All connectors: the picture, and a table sorted by anything."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from app.pages import formats, site
from app.pages.addresses import Query
from app.pages.views.common import Context, Row, View, fleet_rate, head
from app.pages.views.lists import list_rows

SORTS: Final[
    Mapping[str, tuple[str, str]]
] = {  # of the list of sorts: what is said, and the column behind it
    "burden": ("burden", "burden"),
    "name": ("name", "connector"),
    "units": ("users", "units"),
    "attempts": ("syncs", "attempts"),
    "failure_rate": ("share failed", "failure_rate"),
    "rate": ("rate", "rate"),
    "affected_units": ("users affected", "affected_units"),
    "regression": ("change", "delta_low"),
    "failures": ("failures", "failed"),
    "duration": ("duration", "duration_p50"),
}
CARRIED: Final = ("window", "until", "lane", "ci", "prerelease", "version", "users", "key", "denied")


def build(view: View) -> Context:
    """Return what the list of connectors shows."""
    query = view.query
    table = view.daily()
    known = [
        row for row in table.rows if row["rank"] and not row["low_data"] and row["capped_rate"] is not None
    ]
    return {
        **head(view, table),
        **list_rows(table.rows, query),
        "enough": sum(not row["low_data"] for row in table.rows),
        "dots": sorted(known, key=lambda row: -(row["burden"] or 0)),
        "most": max((row["burden"] or 0 for row in table.rows), default=0),
        "reference": fleet_rate(table.rows),
        "sorts": SORTS,
        "href": lambda row: link_to(query, row["connector"], row["role"]),
        "say": say,
    }


def link_to(query: Query, name: str, role: str) -> str:
    """Return the address of one connector under the same filters; a name that
    does not say its role keeps it."""
    kept = {key: text for key, text in query.given.items() if key in CARRIED}
    if role == "destination" and not name.startswith("destination-"):
        kept["role"] = role
    target = f"{site.CONNECTORS.path}/{name}"
    return f"{target}?{urlencode(sorted(kept.items()))}" if kept else target


def say(row: Row) -> str:
    """Return what is read out of a dot."""
    interval = (
        f" (drawn towards the fleet {formats.percent(row['rate'])}, {formats.percent(row['rate_low'])} to "
        f"{formats.percent(row['rate_high'])})"
        if row["rate"] is not None
        else ""
    )
    return (
        f"{row['connector']}: {row['units']:,} users, capped rate "
        f"{formats.percent(row['capped_rate'])}{interval}, "
        f"burden {formats.number(row['burden'], 1)}"
    )
