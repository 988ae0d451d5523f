"""What the terms of the reports mean: each has one definition in SQL or in a function, and this says where.

`report … --explain` prints the comment of that place, so that what is printed is what is computed.
"""

import inspect
import pkgutil
from collections.abc import Callable, Mapping
from typing import Final, cast

from app.reports import ranking
from app.reports.model import Report
from app.store.statements import read_sql

Place = str | Callable[..., object]

TERMS: Final[Mapping[str, Place]] = {
    "lane": "app.rollups/sql/accepted.sql",
    "refused events": "app.rollups/sql/refused.sql",
    "signal": "app.rollups/sql/signals.sql",
    "attempt": "app.rollups/sql/attempts.sql",
    "day": "app.rollups/sql/contributions.sql",
    "failure class": "app.rollups/sql/number_failures.sql",
    "in flight": "app.reports/sql/scope.sql",
    "unit": "app.reports/sql/units.sql",
    "window": "app.reports/sql/scope.sql",
    "ranking": "app.reports/sql/counts.sql",
    "duration": "app.reports/sql/timed_days.sql",
    "arrivals": "app.reports/sql/arrivals.sql",
    "failure rate, burden": ranking.measure,
    "rate": ranking.add_estimates,
    "change": ranking.compare,
    "shares of users": ranking.compare_shares,
    "votes": "app.reports/sql/votes.sql",
    "versions compared": "app.reports/sql/comparisons.sql",
    "recovery": "app.reports/sql/recoveries.sql",
    "first week": "app.reports/sql/newcomers.sql",
    "evidence": "app.reports.evidence:weigh",
    "baseline": "app.reports.evidence:bound",
    "excluded": "app.reports.evidence:unlikely_above",
    "false discoveries": "app.reports.evidence:discover",
    "alert": "app.reports.definitions.regressions:judge",
}


def explain(report: Report) -> str:
    """Return a report in words: its columns, the definitions behind them with their places, and its SQL."""
    parts = [f"{report.name}: {report.summary}", report.note, "Columns"]
    parts += [f"  {column.name} ({column.type}): {column.description}" for column in report.columns]
    parts += ["", "Definitions"]
    for term in report.terms:
        place = TERMS[term]
        parts += [f"  {term} -- {name_place(place)}", *(f"    {line}" for line in read(place)), ""]
    parts.append("Queries")
    for stages in report.queries.values():
        for stage in stages:
            place = f"app.reports/sql/{stage}.sql"
            parts += [f"  {name_place(place)}", *(f"    {line}" for line in read(place)), ""]
    parts.append("Source: docs/metrics.md.")
    return "\n".join(parts)


def name_place(place: Place) -> str:
    """Return where a definition stands."""
    if isinstance(place, str) and ":" not in place:
        return place.replace(".", "/", 1)
    if isinstance(place, str):
        module, _, name = place.partition(":")
        return f"{module.replace('.', '/')}.py, {name}"
    return f"{place.__module__.replace('.', '/')}.py, {place.__qualname__}"


def read(place: Place) -> list[str]:
    """Return the words of a definition: the comment at the head of a file of SQL, or a docstring."""
    if isinstance(place, str) and ":" in place:  # of a module that takes a while to import
        place = cast("Callable[..., object]", pkgutil.resolve_name(place))
    if not isinstance(place, str):
        return (inspect.getdoc(place) or "").splitlines()
    package, _, path = place.partition("/")
    lines = read_sql(package, path.removeprefix("sql/").removesuffix(".sql")).splitlines()
    words: list[str] = []
    for line in lines:
        if not line.startswith("--"):
            break
        words.append(line.removeprefix("--").removeprefix(" "))
    return words
