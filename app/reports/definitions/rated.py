"""What reports have in common that rate something else than connectors: pairs,
caches, platforms, versions."""

from typing import Final

from app.reports import ranking
from app.reports.model import Counts, Heading, Row
from app.reports.parameters import Parameters

SORTS: Final = {
    "burden": "burden",
    "rate": "rate",
    "affected_units": "affected_units",
    "failure_rate": "failure_rate",
    "failures": "failed",
    "attempts": "attempts",
    "units": "units",
}
TERMS: Final = (
    "lane",
    "attempt",
    "in flight",
    "failure class",
    "unit",
    "ranking",
    "arrivals",
    "failure rate, burden",
    "rate",
)
HEADINGS: Final = (
    Heading("users", ("units",)),
    Heading("attempts", ("attempts",)),
    Heading("failed", ("failed",)),
    Heading("aban-\ndoned", ("abandoned",)),
    Heading("failure rate,\n% to upper", ("failure_rate", "failure_rate_upper"), "span"),
    Heading("affected\nusers", ("affected_units",)),
    Heading("capped rate, %\n(90 % interval)", ("rate", "rate_low", "rate_high"), "interval"),
    Heading("burden", ("burden",), "decimal"),
)


def rate(counts: list[Counts], parameters: Parameters) -> list[Row]:
    """Return counts with their rates, the prior fitted to all of them together."""
    rows = [ranking.measure(count, rated=parameters.is_rated) for count in counts]
    ranking.add_estimates(rows)
    return rows
