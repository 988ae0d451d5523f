"""The report `pairs`: which sources fail into which destinations and caches."""

from typing import Final

from app.reports import durations, ranking
from app.reports.definitions import rated
from app.reports.model import COUNTS, FILTERS, ORDER, SCOPE, Answers, Column, Heading, Report, Row
from app.reports.parameters import Parameters

COLUMNS: Final = (
    Column(
        "rank",
        "integer",
        "Place under the chosen sort, 1 first; those of `custom` or `unknown` stand last, without one.",
    ),
    Column("source", "text", "What was read; empty where a result of an earlier read was written."),
    Column(
        "target", "text", "Where it went: a destination in lane `write`, a type of cache in lane `cache`."
    ),
    Column("lane", "text", "`write` or `cache`; `direct` if asked for."),
    *ranking.MEASURES,
    *durations.COLUMNS,
)


def shape(answers: Answers, parameters: Parameters) -> list[Row]:
    """Return the pairs in rank order."""
    timed = durations.by_number(answers["durations"])
    rows = rated.rate(list(answers["pairs"]), parameters)
    for row in rows:
        row |= {"source": row["source_name"], **timed.get(int(row["number"] or 0), durations.NONE)}
    ordered = ranking.rank(rows, PAIRS.sorts[parameters.sort], ("source", "target", "lane"))
    return ranking.select(ordered, COLUMNS)


PAIRS: Final = Report(
    name="pairs",
    summary="Sources by destination or cache: where a connector fails only in company.",
    queries={
        "pairs": (*SCOPE, "pair_numbers", "keyed/pairs", *COUNTS, "pairs"),
        "durations": (*SCOPE[:2], "pair_numbers", "timed_days", "timings/pairs", "durations"),
    },
    shape=shape,
    columns=COLUMNS,
    headings=(
        Heading("#", ("rank",)),
        Heading("source", ("source", "surge"), "name"),
        Heading("into", ("target",), "name"),
        *rated.HEADINGS,
        durations.HEADING,
    ),
    parameters=(*FILTERS, *ORDER),
    sorts=rated.SORTS | durations.SORTS,
    default_sort="burden",
    note="A destination in lane write, a type of cache in lane cache. Today is provisional.",
    terms=(*rated.TERMS, durations.TERM),
)
