"""The report `trend`: the burden of each connector week by week."""

from collections import defaultdict
from typing import Final

from app.reports import ranking
from app.reports.model import COUNTS, FILTERS, SCOPE, Answers, Column, Heading, Report, Row
from app.reports.parameters import DAY, Parameters

WEEK: Final = 7
COLUMNS: Final = (
    Column(
        "rank", "integer", "The connector's place by its mean burden, 1 first; `custom` and `unknown`: none."
    ),
    Column("connector", "text", "Registered name."),
    Column("role", "text", "Whether it was read from (`source`) or written to (`destination`)."),
    Column("week", "text", "The week's first UTC day; the last week ends with `until`."),
    *(
        column
        for column in ranking.MEASURES
        if column.name
        in (
            "units",
            "attempts",
            "settled",
            "failed",
            "affected_units",
            "capped_rate",
            "burden",
            "low_data",
            "surge",
        )
    ),
    Column("mean_burden", "number", "The connector's burden, on average of the weeks."),
)


def shape(answers: Answers, parameters: Parameters) -> list[Row]:
    """Return the connectors in rank order, each week by week, the oldest first;
    weeks without attempts too."""
    weeks = parameters.days // WEEK
    found: dict[str, dict[int, Row]] = defaultdict(dict)
    for count in answers["weeks"]:
        found[count["connector"]][count["weeks_ago"]] = ranking.measure(count, rated=parameters.is_rated)
    connectors: list[Row] = [
        {
            "connector": name,
            "burden": sum(float(row["burden"] or 0) for row in rows.values()) / weeks,
            "attempts": sum(int(row["attempts"] or 0) for row in rows.values()),
        }
        for name, rows in found.items()
    ]
    return ranking.select(
        (
            NOTHING
            | found[str(connector["connector"])].get(ago, {})
            | {
                "rank": connector["rank"],
                "connector": connector["connector"],
                "role": parameters.role,
                "week": (parameters.until - (WEEK * (ago + 1) - 1) * DAY).isoformat(),
                "mean_burden": connector["burden"],
            }
            for connector in ranking.rank(connectors, "burden")
            for ago in reversed(range(weeks))
        ),
        COLUMNS,
    )


NOTHING: Final[Row] = {
    **dict.fromkeys(("units", "attempts", "settled", "failed", "affected_units"), 0),
    "capped_rate": None,
    "surge": False,
    "burden": 0.0,
    "low_data": True,
}

TREND: Final = Report(
    name="trend",
    summary="The burden of each connector week by week: what is getting worse, what a fix did.",
    queries={"weeks": (*SCOPE, "keyed/weeks", *COUNTS, "weeks")},
    shape=shape,
    columns=COLUMNS,
    headings=(
        Heading("#", ("rank",)),
        Heading("connector", ("connector", "surge"), "name"),
        Heading("week from", ("week",), "text"),
        Heading("users", ("units",)),
        Heading("attempts", ("attempts",)),
        Heading("failed", ("failed",)),
        Heading("affected\nusers", ("affected_units",)),
        Heading("capped\nrate, %", ("capped_rate",), "percent"),
        Heading("burden", ("burden",), "decimal"),
    ),
    parameters=("window", "until", "role", *FILTERS[2:], "limit"),
    sorts={"burden": "burden"},
    default_sort="burden",
    note="burden = users x capped rate, of the week's users. Windows of whole weeks: what is left over "
    "is left out.",
    terms=("lane", "attempt", "in flight", "failure class", "unit", "ranking", "failure rate, burden"),
    defaults={"window": "56d"},
)
