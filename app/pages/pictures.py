"""Which pictures a report has, by name: from its table to a drawing."""

from collections.abc import Callable, Mapping
from typing import Final

from app.pages import charts
from app.pages.views import recovery, trend
from app.pages.views.common import say_day
from app.pages.views.connectors import say
from app.pages.views.home import split
from app.problems import Problem
from app.reports.model import Table

Draw = Callable[[Table], tuple[str, str]]  # the drawing and its title


def draw_home_days(table: Table) -> tuple[str, str]:
    """Return the syncs of the fleet by day."""
    rows = split(table.rows).get("day", [])
    title = "Syncs by day and outcome"
    return charts.days(rows[len(rows) // 2 :], say_day, title, height=240), f"{title}, all connectors"


def draw_connector_days(table: Table) -> tuple[str, str]:
    """Return one connector's syncs by day, and the rate of seven days."""
    title = f"{table.parameters['name']}: syncs by day and outcome, failure rate of seven days"
    rows = split(table.rows).get("day", [])
    return charts.days(rows, say_day, title, height=240, rate="failure_rate_7d"), title


def draw_map(table: Table) -> tuple[str, str]:
    """Return users by capped rate."""
    known = [row for row in table.rows if not row["low_data"] and row["capped_rate"] is not None]
    ordered = sorted(known, key=lambda row: -float(row["burden"] or 0))
    picture = charts.scatter(ordered, lambda row: f"/reports/connectors/{row['connector']}", say)
    return picture, "Connectors: users by capped rate (both log); dashed lines join equal burden"


def draw_weeks(table: Table) -> tuple[str, str]:
    """Return the burden of all connectors together by week."""
    title = f"Burden of all {table.parameters['role']}s by week"
    return charts.weeks(trend.add_up(table.rows), "burden", trend.say_week, title, height=240), title


def draw_recoveries(table: Table) -> tuple[str, str]:
    """Return what became of the users who met a failure, for the connectors where most did."""
    title = "Users who failed: who succeeded within 24 hours (grey), who never came back (red)"
    return charts.recoveries(recovery.choose(table.rows), recovery.say, title), title


PICTURES: Final[Mapping[str, Mapping[str, Draw]]] = {
    "home": {"days": draw_home_days},
    "connector": {"days": draw_connector_days},
    "connectors": {"map": draw_map},
    "trend": {"weeks": draw_weeks},
    "recovery": {"recoveries": draw_recoveries},
}


def draw(table: Table, name: str = "") -> tuple[str, str]:
    """Return a picture of a report and its title; the first if none is named. Raises Problem 404."""
    known = PICTURES.get(table.report.name, {})
    chosen = known.get(name) if name else next(iter(known.values()), None)
    if chosen is None:
        raise Problem("unknown_picture", f"This report has {' and '.join(known) or 'no'} pictures.")
    return chosen(table)
