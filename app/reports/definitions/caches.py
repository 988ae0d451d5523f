"""The report `caches`: syncs by the type of cache that they went into, or that stood beside a destination."""

from typing import Final

from app.reports import ranking
from app.reports.definitions import rated
from app.reports.model import COUNTS, FILTERS, ORDER, SCOPE, Answers, Column, Heading, Report, Row
from app.reports.parameters import Parameters

COLUMNS: Final = (
    Column("rank", "integer", "Place under the chosen sort, 1 first."),
    Column("cache", "text", "PyAirbyte's class of cache; `custom` for classes of somebody else."),
    *ranking.MEASURES,
)


def shape(answers: Answers, parameters: Parameters) -> list[Row]:
    """Return the caches in rank order."""
    rows = rated.rate(list(answers["caches"]), parameters)
    ordered = ranking.order(rows, CACHES.sorts[parameters.sort], "cache")
    ranking.number(ordered)
    return ranking.select(ordered, COLUMNS)


CACHES: Final = Report(
    name="caches",
    summary="Syncs by type of cache: usage and failures of each.",
    queries={"caches": (*SCOPE, "cache_numbers", "keyed/caches", *COUNTS, "caches")},
    shape=shape,
    columns=COLUMNS,
    headings=(Heading("#", ("rank",)), Heading("cache", ("cache", "surge"), "name"), *rated.HEADINGS),
    parameters=(*FILTERS, *ORDER),
    sorts=rated.SORTS,
    default_sort="units",
    note="Lane cache; ask for the lane write to see caches beside destinations. Today is provisional.",
    terms=rated.TERMS,
    defaults={"lane": "cache"},
)
