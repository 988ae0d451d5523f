"""The pictures: pure functions from rows to inline SVG that follows the page's width, colours and theme."""

from app.pages.charts.area import area
from app.pages.charts.cells import bar, dot, interval, interval_axis, moved, share, spark
from app.pages.charts.days import days
from app.pages.charts.evidence import evidence
from app.pages.charts.minutes import minutes
from app.pages.charts.recoveries import recoveries
from app.pages.charts.scatter import scatter
from app.pages.charts.weeks import steps, weeks

__all__ = [
    "area",
    "bar",
    "days",
    "dot",
    "evidence",
    "interval",
    "interval_axis",
    "minutes",
    "moved",
    "recoveries",
    "scatter",
    "share",
    "spark",
    "steps",
    "weeks",
]
