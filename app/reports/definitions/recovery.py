"""The report `recovery`: whether users get over a failure of a connector, and whether
new ones get anywhere with it."""

from typing import Final

from app.reports import ranking
from app.reports.model import FILTERS, ORDER, Answers, Column, Counts, Heading, Report, Row
from app.reports.parameters import Parameters

COUNTED: Final = (
    "failed_units",
    "recovered_units",
    "lost_units",
    "new_units",
    "stuck_units",
    "stuck_on_config",
)
COLUMNS: Final = (
    Column("rank", "integer", "Place under the chosen sort, 1 first; `custom` and `unknown` are many: none."),
    Column("connector", "text", "Registered name."),
    Column("role", "text", "Whether it was read from (`source`) or written to (`destination`)."),
    Column("failed_units", "integer", "Users with a failure of another class than config in the window."),
    Column("recovered_units", "integer", "Of them, who succeeded with it within 24 hours of a failure."),
    Column("recovered_share", "number", "recovered_units / failed_units."),
    Column(
        "lost_units",
        "integer",
        "Of them, who never came back to it: their last session failed, over 7 days ago.",
    ),
    Column("lost_share", "number", "lost_units / failed_units."),
    Column(
        "new_units",
        "integer",
        "Users who first tried it in the window, in the last 180 days, and whose first 7 days are over.",
    ),
    Column("stuck_units", "integer", "Of them, who never succeeded in their first 7 days."),
    Column("stuck_on_config", "integer", "Of those, whose failures were all of class config."),
    Column("stuck_share", "number", "stuck_units / new_units."),
    Column("low_data", "boolean", "Fewer than 10 users failed, and fewer than 10 are new."),
)


def shape(answers: Answers, parameters: Parameters) -> list[Row]:
    """Return the connectors in rank order."""
    found: dict[str, Row] = {}
    for count in (*answers["recoveries"], *answers["newcomers"]):
        name = count["connector"]
        row = found.setdefault(
            name, {**dict.fromkeys(COUNTED, 0), "connector": name, "role": parameters.role}
        )
        row |= {key: value for key, value in count.items() if key in COUNTED}
    rows = [row | share(row) for row in found.values()]
    return ranking.select(ranking.rank(rows, RECOVERY.sorts[parameters.sort]), COLUMNS)


def share(row: Counts) -> Row:
    """Return the shares of a connector."""
    most = max(row["failed_units"], row["new_units"])
    return {
        "recovered_share": ranking.share(row["recovered_units"], row["failed_units"]),
        "lost_share": ranking.share(row["lost_units"], row["failed_units"]),
        "stuck_share": ranking.share(row["stuck_units"], row["new_units"]),
        "low_data": most < ranking.MIN_UNITS,
    }


RECOVERY: Final = Report(
    name="recovery",
    summary="Whether users get over a failure of a connector, and whether new ones get anywhere in "
    "their first week.",
    queries={
        "recoveries": ("routes_asked", "environments_asked", "recoveries"),
        "newcomers": ("routes_asked", "environments_asked", "newcomers"),
    },
    shape=shape,
    columns=COLUMNS,
    headings=(
        Heading("#", ("rank",)),
        Heading("connector", ("connector",), "name"),
        Heading("users\nwho failed", ("failed_units",)),
        Heading("succeeded\nin 24 h, %", ("recovered_share",), "percent"),
        Heading("never\nback", ("lost_units",)),
        Heading("new\nusers", ("new_units",)),
        Heading("no success\nin 7 days", ("stuck_units",)),
        Heading("of new,\n%", ("stuck_share",), "percent"),
    ),
    parameters=("window", "until", "role", *FILTERS[2:], *ORDER),
    sorts={
        "lost": "lost_units",
        "stuck": "stuck_units",
        "recovered": "recovered_share",
        "failed_units": "failed_units",
    },
    default_sort="lost",
    note="By sessions that are still stored: failures of the last 90 days at most. First week: UTC days.",
    terms=("lane", "attempt", "failure class", "unit", "recovery", "first week"),
)
