"""The report `versions`: how far versions of a connector, or of PyAirbyte, are adopted, and how each does."""

from typing import Final

from app.reports import ranking
from app.reports.definitions import rated, regressions, series
from app.reports.model import COUNTS, FILTERS, ORDER, SCOPE, Answers, Column, Heading, Report, Row
from app.reports.parameters import Parameters

PYAIRBYTE: Final = "pyairbyte"
EVIDENCE: Final = ("old_version", "votes", "unlikely_above", "evidence", "verdict", "new_errors")
FEW_USERS: Final = 5  # fewer cannot cast five votes
COLUMNS: Final = (
    Column("rank", "integer", "Place under the chosen sort, 1 first."),
    Column("of", "text", "The connector that was asked for, else pyairbyte."),
    Column(
        "version",
        "text",
        "The version; empty where none was reported; other (n): all n but the 50 most used, together.",
    ),
    Column("first_day", "text", "First UTC day in the window on which it was used."),
    Column("last_day", "text", "Last UTC day in the window on which it was used."),
    Column("adoption", "number", "units / all users of the window; one who changed versions counts in each."),
    *ranking.MEASURES,
    *(column for column in regressions.COLUMNS if column.name in EVIDENCE),
)


def shape(answers: Answers, parameters: Parameters) -> list[Row]:
    """Return the versions in rank order. What is said of a version that is no new one is
    that there is not enough data."""
    days = {row["version"]: row for row in answers["days"]}
    everybody = days[None]["units"] if None in days else 0
    of = parameters.connector or PYAIRBYTE
    compared = regressions.assess(regressions.gather(answers["findings"]), answers["findings"])
    found = {row["new_version"]: row for row in compared if row["connector"] == of}
    nothing: Row = {**dict.fromkeys(EVIDENCE), "verdict": regressions.NOT_ENOUGH, "new_errors": ""}
    rows = rated.rate([count for count in answers["releases"] if count["is_current"]], parameters)
    for row in rows:
        evidence = found.get(row["version"], nothing)
        row |= {"of": of, "adoption": ranking.share(float(row["units"] or 0), everybody)}
        row |= {name: days[row["version"]][name] for name in ("first_day", "last_day")}
        row |= {name: evidence[name] for name in EVIDENCE}
    ordered = ranking.order(rows, VERSIONS.sorts[parameters.sort], "version")
    ranking.number(ordered)
    return ranking.select(ordered, COLUMNS)


RELEASES: Final = (*SCOPE, "reported/versions", "named_versions", "release_numbers", "keyed/releases")
VERSIONS: Final = Report(
    name="versions",
    summary="Versions of PyAirbyte, or with `connector` of one connector: adoption, failures, and "
    "evidence against the version before.",
    queries={
        "releases": (*RELEASES, *COUNTS, "releases"),
        "days": (*RELEASES, "release_days"),
        "findings": regressions.FINDINGS,
    },
    planner=regressions.PLANNER,
    hides=lambda row: int(row["units"] or 0) < FEW_USERS,
    shape=shape,
    columns=COLUMNS,
    headings=(
        Heading("#", ("rank",)),
        Heading("version", ("version", "surge"), "name"),
        Heading("since", ("first_day",), "text"),
        Heading("users", ("units",)),
        Heading("adoption,\n%", ("adoption",), "percent"),
        Heading("attempts", ("attempts",)),
        Heading("failure rate,\n% to upper", ("failure_rate", "failure_rate_upper"), "span"),
        Heading("capped rate, %\n(90 % interval)", ("rate", "rate_low", "rate_high"), "interval"),
        Heading("E", ("evidence",), "power"),
        Heading("verdict", ("verdict",), "text"),
    ),
    parameters=(*FILTERS, "few", "series", *ORDER),
    series=series.VERSIONS,
    sorts=rated.SORTS,
    default_sort="units",
    note="Associated with the version, not caused by it; too little evidence is not enough data, never "
    "no regression. Today is "
    "provisional.",
    terms=(*rated.TERMS, "votes", "versions compared", "evidence", "false discoveries"),
)
