"""The report `platforms`: where PyAirbyte runs, and how that does."""

from collections import defaultdict
from typing import Final

from app.reports import ranking
from app.reports.definitions import rated
from app.reports.model import COUNTS, FILTERS, ORDER, SCOPE, Answers, Column, Heading, Report, Row
from app.reports.parameters import Parameters

COLUMNS: Final = (
    Column("rank", "integer", "Place within the dimension under the chosen sort, 1 first."),
    Column(
        "dimension",
        "text",
        "pyairbyte (its version), python (minor version), os, notebook, ci, source executor, "
        "destination executor.",
    ),
    Column(
        "value",
        "text",
        "What the environment was in that dimension; unknown: not sent or withheld; none: nothing to "
        "name; other (n): all n but the 50 most used.",
    ),
    *ranking.MEASURES,
)


def shape(answers: Answers, parameters: Parameters) -> list[Row]:
    """Return the rows dimension by dimension, the values in rank order. The prior is fitted to each
    dimension: its values part one fleet."""
    dimensions: dict[str, list[Row]] = defaultdict(list)
    for count in answers["platforms"]:
        dimensions[count["dimension"]].append(ranking.measure(count, rated=parameters.is_rated))
    rows: list[Row] = []
    for _, values in sorted(dimensions.items()):
        ranking.add_estimates(values)
        ordered = ranking.order(values, PLATFORMS.sorts[parameters.sort], "value")
        ranking.number(ordered)
        rows += ordered
    return ranking.select(rows, COLUMNS)


PLATFORMS: Final = Report(
    name="platforms",
    summary="PyAirbyte versions, Python versions, operating systems, notebooks, CI and executors: usage "
    "and failures of each.",
    queries={
        "platforms": (
            *SCOPE,
            "reported/platforms",
            "named_versions",
            "platform_numbers",
            "keyed/platforms",
            *COUNTS,
            "platforms",
        )
    },
    shape=shape,
    columns=COLUMNS,
    headings=(
        Heading("dimension", ("dimension",), "text"),
        Heading("#", ("rank",)),
        Heading("value", ("value", "surge"), "name"),
        *rated.HEADINGS,
    ),
    parameters=(*FILTERS, *ORDER),
    sorts=rated.SORTS,
    default_sort="units",
    note="An attempt stands once in every dimension. Ask for `ci` include to compare CI with the rest. "
    "Today is provisional.",
    terms=rated.TERMS,
)
