"""Data quality: whether the figures can be believed, and what every term means."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from app.pages.views.common import Context, Row, View, head, list_days
from app.reports import glossary, registry
from app.reports.definitions.data_quality import ATTEMPTS

LANES: Final = {"cache": "Into a cache", "write": "Into a destination"}
LABELS: Final = {
    "orphans": "Start never arrived",
    "abandoned": "Nothing heard for 24 hours",
    "in_flight": "In flight",
    "corrected": "Clock off by 55 minutes or more",
    "from_ledger": "Known from a refused event",
    "nobodys": "Of users without an id",
}
OUTCOMES: Final = {
    "accepted": ("succeeded", "accepted"),
    "duplicate": ("canceled", "duplicates"),
    "rejected": ("bar-ink", "refused"),
    "expired": ("bar-ink", "expired"),
    "forgotten": ("bar-ink", "of forgotten ids"),
}
OF_KEYS: Final = (("received",), ("accepted",), ("duplicate",), ("rejected",), ("expired", "forgotten"))
ALWAYS: Final = ("accepted", "duplicate", "rejected")  # said even where there is none
LISTS: Final = (
    ("rejected", "Refused events, by reason"),
    ("withheld", "Withheld fields of accepted events"),
    ("refused", "Refused requests, by reason"),
    ("new_word", "Versions beyond the budget of new words, stored as other"),
    ("envelope", "Transport keys around events, dropped unread"),
    ("client_dropped", "Dropped by clients, as they report it: unverified"),
)


def build(view: View) -> Context:
    """Return what the page of data quality shows."""
    table = view.daily()
    courses = course(table.series or [], list_days(table))
    sections: dict[str, list[Row]] = {}
    for row in table.rows:
        sections.setdefault(str(row["section"]), []).append(row)
    counts = {str(row["key"]): int(row["count"] or 0) for row in sections.get("outcome", [])}
    rollups = {str(row["key"]): float(row["count"] or 0) for row in sections.get("rollups", [])}
    received = counts.pop("received", 0)
    parts = [(name, counts.get(name, 0)) for name in OUTCOMES if counts.get(name) or name in ALWAYS]
    missing = received - sum(counts.values())
    return {
        **head(view, table),
        "received": received,
        "parts": parts,
        "missing": missing,
        "said": {name: label for name, (_, label) in OUTCOMES.items()},
        "bars": [(*OUTCOMES[name], number) for name, number in parts],
        "verdict": judge(received, missing),
        "lanes": list(LANES),
        "lane_names": LANES,
        "attempts": compare_lanes(sections.get("attempts", [])),
        "lists": [
            (heading, sections[key], counts.get("rejected") if key == "rejected" else None)
            for key, heading in LISTS
            if sections.get(key)
        ],
        "outcomes": [
            (OUTCOMES[str(row["key"])][1], row)
            for row in sections.get("outcome", [])
            if row["key"] in OUTCOMES
        ],
        "course": lambda row: courses.get((row["section"], row["key"], row["lane"]), []),
        "write_keys": by_key(sections.get("by key", [])),
        "users": sections.get("users", []),
        "lag_seconds": round(rollups.get("lag_seconds", 0)),
        "waiting": round(rollups.get("waiting", 0)),
    }


def judge(received: int, missing: int) -> str:
    """Return the heading: whether what was received is what became of it."""
    if missing:
        return "Events are missing"
    return "Every event is accounted for" if received else "Data quality"


def compare_lanes(rows: Sequence[Row]) -> list[tuple[str, list[float | None]]]:
    """Return the shares of attempts by what they lack, lane by lane."""
    shares: Mapping[tuple[str, str], float | None] = {(row["lane"], row["key"]): row["share"] for row in rows}
    return [(LABELS[key], [shares.get((lane, key)) for lane in LANES]) for key in ATTEMPTS]


def course(series: Iterable[Row], days: Sequence[str]) -> dict[tuple[str, str, str | None], list[float]]:
    """Return counts by day, by section, key and lane; 0 on days without."""
    found: dict[tuple[str, str, str | None], dict[str, float]] = {}
    for row in series:
        found.setdefault((row["section"], row["key"], row["lane"]), {})[row["day"]] = row["count"]
    return {key: [by_day.get(day, 0) for day in days] for key, by_day in found.items()}


def by_key(rows: Iterable[Row]) -> list[tuple[str, list[float]]]:
    """Return what became of the events under each write key: received, accepted, duplicates, refused, others;
    most events first."""
    keys: dict[str, dict[str, float]] = {}
    for row in rows:
        keys.setdefault(str(row["write_key"]), {})[str(row["key"])] = row["count"] or 0
    rows_of_keys = [
        (name, [sum(counts.get(key, 0) for key in column) for column in OF_KEYS])
        for name, counts in keys.items()
    ]
    return sorted(rows_of_keys, key=lambda each: (-each[1][0], each[0]))


def explain() -> Context:
    """Return what the page of meanings shows."""
    terms = [
        (name, re.sub(r"[^a-z]+", "-", name), "\n".join(glossary.read(place)))
        for name, place in glossary.TERMS.items()
    ]
    return {"terms": terms, "reports": list(registry.REPORTS.values())}
