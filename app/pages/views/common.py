"""What the views share: the words above the figures, and what the frame says of their freshness."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app.pages import formats
from app.pages.addresses import CI, LANES, Query
from app.pages.kept import Asked
from app.reports.cache import Tables
from app.reports.model import Table
from app.reports.ranking import MIN_UNITS

Row = Mapping[str, Any]
Context = dict[str, Any]
CLASSES: Final = {
    "connector": "the connector",
    "pyairbyte": "PyAirbyte",
    "config": "wrong configuration",
    "destination": "the destination",
    "other": "other",
    None: "other",
}
LATE_SECONDS: Final = 60
CONFIG_RATE: Final = 0.1
INTERVAL_END: Final = 0.45  # of the axis that all intervals of a table share


@dataclass(frozen=True, slots=True)
class View:
    """What a view is made from; `seen` are the tables that it looked at."""

    tables: Tables
    query: Query
    seen: list[Asked] = field(default_factory=list)

    def look(self, name: str, given: Mapping[str, str]) -> Table:
        """Return a table, and remember that it was looked at."""
        table = self.tables.find(name, **given)
        self.seen.append((name, given, table))
        return table

    def find(self, name: str, /, **given: str) -> Table:
        """Return another report's table under those filters that it has, too."""
        from app.reports import registry  # noqa: PLC0415 -- the registry imports every report

        kept = self.query.asked(registry.find(name))
        kept.pop("sort", None)
        kept.pop("limit", None)
        return self.look(name, {**kept, **given})

    def main(self) -> Table:
        """Return the table of the page's own report."""
        return self.look(self.query.report.name, self.query.asked())

    def daily(self) -> Table:
        """Return the table of the page's own report with its days."""
        return self.look(self.query.report.name, {**self.query.asked(), "series": "day"})

    def ranked(self, role: str) -> Table:
        """Return the connectors of a role with their days, under those filters that they have, too."""
        return self.find("connectors", **({} if role == "source" else {"role": role}), series="day")


def days_of(table: Table) -> tuple[dt.date, dt.date]:
    """Return the first and the last UTC day of a table's window."""
    until = dt.date.fromisoformat(str(table.parameters["until"]))
    days = int(str(table.parameters["window"]).removesuffix("d"))
    return until - dt.timedelta(days=days - 1), until


def list_days(table: Table) -> list[str]:
    """Return the days of a table's window."""
    first, last = days_of(table)
    return [(first + dt.timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]


def word_window(table: Table) -> str:
    """Return the window in words: 31 Oct to 27 Nov 2026."""
    first, last = days_of(table)
    if first == last:
        return formats.day(last, year=True)
    return f"{formats.day(first, year=first.year != last.year)} to {formats.day(last, year=True)}"


def word_filters(query: Query, *, is_today: bool) -> str:
    """Return in words what is left out and what is not as usual."""
    said = []
    ci, prerelease = query.value("ci"), query.value("prerelease")
    if ci == "exclude" and prerelease == "exclude":
        said.append("CI and pre-releases are left out")
    else:
        said += [f"CI is {CI.get(ci, ci)}" if ci != "only" else "only CI"] if ci else []
        said += (
            [f"pre-releases are {CI.get(prerelease, '').replace('only CI', 'the only ones')}"]
            if prerelease
            else []
        )
    lane = query.given.get("lane")
    if lane:
        said.append(f"only syncs into {LANES.get(lane, lane)}")
    said += [f"only PyAirbyte {query.given['version']}"] if "version" in query.given else []
    said += [f"only with {query.given['connector']}"] if "connector" in query.given else []
    said += [f"only users under the write key {query.given['key']}"] if "key" in query.given else []
    said += ["only users seen over a week or more"] if query.given.get("users") == "settled" else []
    said += ["ids of our own tests are included"] if query.given.get("denied") == "include" else []
    said += ["today is provisional"] if is_today else []
    text = "; ".join(said)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def head(view: View, table: Table, *, compares: bool = False) -> Context:
    """Return what stands above the figures of a page, and in the foot of the navigation."""
    days = (days_of(table)[1] - days_of(table)[0]).days + 1
    against = f", against the {formats.count(days, 'day')} before" if compares else ""
    is_today = days_of(table)[1] >= table.as_of.date()
    late = table.lag_seconds >= LATE_SECONDS
    return {
        "query": view.query,
        "table": table,
        "days": days,
        "first": days_of(table)[0],
        "until": days_of(table)[1],
        "is_today": is_today,
        "today": table.as_of.date().isoformat(),
        "window_words": word_window(table) + against,
        "filter_words": word_filters(view.query, is_today=is_today),
        "as_of": table.as_of,
        "lag": f"The last good figures, of {formats.day(table.as_of.date(), year=True)}."
        if table.is_stale
        else f"Events of the last {formats.age(table.lag_seconds)} are still to be added."
        if late
        else "",
        "interval_end": INTERVAL_END,
        "few": MIN_UNITS,
    }


def total(rows: Iterable[Row], name: str) -> float:
    """Return the sum of a column; no value counts as 0."""
    return sum(row.get(name) or 0 for row in rows)


def say_day(row: Row) -> str:
    """Return what is read out of a day's bar."""
    date = dt.date.fromisoformat(str(row["item"]))
    start = f"Week from {date.day} {date:%b}" if "weeks" in row else f"{date:%a} {date.day} {date:%b}"
    parts = [f"{row.get(name) or 0:,} {name}" for name in ("failed", "abandoned", "canceled", "succeeded")]
    return f"{start}: {row.get('attempts') or 0:,} syncs, {', '.join(parts)}"


def fleet_rate(rows: Iterable[Row]) -> float | None:
    """Return what the dashed line stands at: the rate that the report names, else the mean capped rate of
    these rows by their users."""
    rows = list(rows)
    if rows and "fleet_rate" in rows[0]:
        rate: float | None = rows[0]["fleet_rate"]
        return rate
    known = [row for row in rows if row.get("capped_rate") is not None]
    units = total(known, "units")
    return sum(row["units"] * row["capped_rate"] for row in known) / units if units else None
