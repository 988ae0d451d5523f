"""The reports by name."""

from collections.abc import Mapping
from typing import Final

from app.problems import Problem
from app.reports.definitions.connectors import CONNECTORS
from app.reports.model import Report

REPORTS: Final[Mapping[str, Report]] = {report.name: report for report in (CONNECTORS,)}


def find(name: str) -> Report:
    """The report of that name. Raises Problem 404 `unknown_report`, which names those that exist."""
    try:
        return REPORTS[name]
    except KeyError:
        raise Problem(
            404, "unknown_report", f"There is no such report. Reports: {', '.join(REPORTS)}."
        ) from None
