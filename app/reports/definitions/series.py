"""What reports have day by day: rows beside their own, for pictures."""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from app.reports import ranking
from app.reports.model import SCOPE, Answers, Column, Counts, Row, Series
from app.reports.parameters import DAY, Parameters

WEEK: Final = 7
RELEASES: Final = (*SCOPE, "reported/versions", "named_versions", "release_numbers", "keyed/releases")


def smooth(counts: Sequence[Counts]) -> list[Row]:
    """Return the days of one connector, each with the rate of the week that ends on it, by
    days that had settled syncs."""
    rows: list[Row] = []
    known = {dt.date.fromisoformat(count["day"]): count for count in counts}
    for day, count in known.items():
        week = [known[day - n * DAY] for n in range(WEEK) if day - n * DAY in known]
        settled = sum(each["settled"] for each in week)
        rows.append(
            {**count, "failure_rate_7d": ranking.share(sum(each["failed"] for each in week), settled)}
        )
    return rows


def shape_connectors(answers: Answers, _: Parameters) -> list[Row]:
    """Return every connector's days with syncs, in the window and in the one before."""
    found: dict[str, list[Counts]] = defaultdict(list)
    for count in answers["series"]:
        found[count["connector"]].append(count)
    rows = [row for name in sorted(found) for row in smooth(found[name])]
    return ranking.select(rows, CONNECTORS.columns)


def shape_versions(answers: Answers, _: Parameters) -> list[Row]:
    """Return the users of each version on each day that it was used."""
    return ranking.select([dict(count) for count in answers["series"]], VERSIONS.columns)


def shape_errors(answers: Answers, _: Parameters) -> list[Row]:
    """Return the failures by exception and day."""
    return ranking.select([dict(count) for count in answers["series"]], ERRORS.columns)


CONNECTORS: Final = Series(
    columns=(
        Column("connector", "text", "Registered name."),
        Column("day", "text", "UTC day; days without syncs are left out."),
        Column("units", "integer", "Users with a sync that started on it."),
        Column("attempts", "integer", "Syncs that started on it."),
        Column("settled", "integer", "Of them, those that are not in flight."),
        Column("failed", "integer", "Of them, those that failed."),
        Column(
            "failure_rate_7d",
            "number",
            "failed / settled over the day and the six before; the first six days that are read have fewer.",
        ),
    ),
    queries={"series": (*SCOPE, "connector_series")},
    shape=shape_connectors,
)
VERSIONS: Final = Series(
    columns=(
        Column("version", "text", "The version; empty where none was reported."),
        Column("day", "text", "UTC day on which it was used."),
        Column("units", "integer", "Its users on that day."),
        Column("all_units", "integer", "Users of any version on that day."),
    ),
    queries={"series": (*RELEASES, "version_series")},
    shape=shape_versions,
)
ERRORS: Final = Series(
    columns=(
        Column("exception_class", "text", "The exception; empty where none was reported."),
        Column("day", "text", "UTC day on which it was seen."),
        Column("failed", "integer", "Syncs of that day that failed with it."),
        Column("affected_units", "integer", "Their users."),
    ),
    queries={"series": (*SCOPE, "error_series")},
    shape=shape_errors,
)
