"""The reports by name."""

from collections.abc import Mapping
from typing import Final

from app.problems import Problem
from app.reports.definitions.caches import CACHES
from app.reports.definitions.connector import CONNECTOR
from app.reports.definitions.connectors import CONNECTORS
from app.reports.definitions.data_quality import DATA_QUALITY
from app.reports.definitions.errors import ERRORS
from app.reports.definitions.funnel import FUNNEL
from app.reports.definitions.home import HOME
from app.reports.definitions.pairs import PAIRS
from app.reports.definitions.platforms import PLATFORMS
from app.reports.definitions.recovery import RECOVERY
from app.reports.definitions.registry_metrics import REGISTRY_METRICS
from app.reports.definitions.regressions import REGRESSIONS
from app.reports.definitions.trend import TREND
from app.reports.definitions.versions import VERSIONS
from app.reports.model import Report

REPORTS: Final[Mapping[str, Report]] = {
    report.name: report
    for report in (
        HOME,
        CONNECTORS,
        CONNECTOR,
        VERSIONS,
        REGRESSIONS,
        ERRORS,
        FUNNEL,
        RECOVERY,
        TREND,
        PAIRS,
        CACHES,
        PLATFORMS,
        DATA_QUALITY,
        REGISTRY_METRICS,
    )
}


def find(name: str) -> Report:
    """Return the report of that name. Raises Problem 404 `unknown_report`, which names those that exist."""
    try:
        return REPORTS[name]
    except KeyError:
        raise Problem("unknown_report", f"There is no such report. Reports: {', '.join(REPORTS)}.") from None
