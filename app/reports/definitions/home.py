"""The report `home`: the fleet at a glance."""

from collections.abc import Iterable
from typing import Final

from app.reports import ranking
from app.reports.definitions import connectors, regressions
from app.reports.model import COUNTS, FILTERS, SCOPE, Answers, Column, Counts, Heading, Report, Row
from app.reports.parameters import DAY, Parameters

TOP: Final = 10
COLUMNS: Final = (
    Column(
        "section",
        "text",
        "fleet (all connectors together), top (connectors by burden), regressions (new versions with evidence against them), "
        "freshness, day (UTC; all connectors together, the window before included).",
    ),
    Column("item", "text", "What is told, or which connector."),
    Column(
        "value",
        "number",
        "Its value; of a connector its burden, of a new version E, the evidence against it.",
    ),
    Column("before", "number", "The value in the window before."),
    Column(
        "units", "integer", "Of a connector or a day: its users; of a new version: returning users who voted."
    ),
    Column("rate", "number", "Of a connector: its capped rate, drawn towards the fleet's; from 10 users on."),
    Column("rate_low", "number", "Lower end of the 90 % interval of rate."),
    Column("rate_high", "number", "Upper end of the 90 % interval of rate."),
    Column("attempts", "integer", "Of a day: attempted syncs that started on it."),
    Column("succeeded", "integer", "Of a day: attempts that succeeded."),
    Column("failed", "integer", "Of a day: attempts that failed, of whatever class."),
    Column("canceled", "integer", "Of a day: attempts that were canceled."),
    Column("abandoned", "integer", "Of a day: open attempts of which nothing was heard for 24 hours."),
    Column("affected_units", "integer", "Of a day: users with a failure of another class than config."),
    Column("failure_rate", "number", "Of a day: failed / settled."),
    Column(
        "text", "text", "A value that is no number: the last day with data; of a new version the verdict."
    ),
)
DAILY: Final = ("units", "attempts", "succeeded", "failed", "canceled", "abandoned", "affected_units")
FIGURES: Final = {
    "users": "units",
    "use cases": "use_cases",
    "attempted syncs": "attempts",
    "failed": "failed",
    "failed, wrong configuration": "failed_config",
    "abandoned": "abandoned",
    "in flight": "in_flight",
    "failure rate": "failure_rate",
    "failure rate, upper": "failure_rate_upper",
    "affected users": "affected_units",
    "capped rate": "capped_rate",
    "burden": "burden",
    "records": "records",
}


def shape(answers: Answers, parameters: Parameters) -> list[Row]:
    """Section by section."""
    rows = [*tell_fleet(answers["fleet"], parameters), *tell_top(answers, parameters)]
    rows += [*tell_regressions(answers), *tell_freshness(answers["freshness"])]
    rows += tell_days(answers["days"], parameters)
    empty: Row = {column.name: None for column in COLUMNS}
    return ranking.select([empty | row for row in rows], COLUMNS)


def tell_fleet(counts: Iterable[Counts], parameters: Parameters) -> Iterable[Row]:
    """The figures of the window beside those of the one before."""
    windows = {count["is_current"]: ranking.describe(count, rated=parameters.is_rated) for count in counts}
    now, before = windows.get(True, {}), windows.get(False, {})
    for item, name in FIGURES.items():
        yield {"section": "fleet", "item": item, "value": now.get(name), "before": before.get(name)}


def tell_top(answers: Answers, parameters: Parameters) -> Iterable[Row]:
    """The connectors, sources and destinations, whose burden is largest."""
    ranked: list[Row] = []
    before: dict[object, Row] = {}
    for role in ("sources", "destinations"):
        rows = connectors.rank({"connectors": answers[role]}, parameters)
        ranked += rows
        before |= {
            count["connector"]: ranking.describe(count, rated=parameters.is_rated)
            for count in answers[role]
            if not count["is_current"]
        }
    for row in ranking.order(ranked, "burden", "connector")[:TOP]:
        name = row["connector"]
        told = {column: row[column] for column in ("units", "rate", "rate_low", "rate_high")}
        yield {
            "section": "top",
            "item": name,
            "value": row["burden"],
            "before": before[name]["burden"] if name in before else None,
            **told,
        }


def tell_regressions(answers: Answers) -> Iterable[Row]:
    """New versions that are watched or found to be worse, the strongest evidence first."""
    rows = regressions.assess(regressions.gather(answers["votes"]), ())
    for row in ranking.order(rows, "evidence", "connector", "new_version"):
        if row["verdict"] != regressions.NOT_ENOUGH:
            item = f"{row['connector']} {row['new_version']}"
            yield {
                "section": "regressions",
                "item": item,
                "value": row["evidence"],
                "units": row["votes"],
                "text": row["verdict"],
            }


def tell_freshness(counts: Iterable[Counts]) -> Iterable[Row]:
    """How far the figures are."""
    for count in counts:
        yield {"section": "freshness", "item": "last day with data", "text": count["last_day"]}
        yield {
            "section": "freshness",
            "item": "rollup lag, seconds",
            "value": round(float(count["lag_seconds"]), 1),
        }


def tell_days(counts: Iterable[Counts], parameters: Parameters) -> Iterable[Row]:
    """Every day of the window before and of the window, those without attempts too."""
    by_number = {count["number"]: ranking.describe(count, rated=parameters.is_rated) for count in counts}
    for number in range(2 * parameters.days):
        row = by_number.get(number, dict.fromkeys(DAILY, 0) | {"failure_rate": None})
        told = {name: row[name] for name in (*DAILY, "failure_rate")}
        yield {"section": "day", "item": (parameters.prior_from + number * DAY).isoformat(), **told}


HOME: Final = Report(
    name="home",
    summary="The fleet at a glance: users, syncs and failures against the window before, what to fix first, freshness.",
    queries={
        "fleet": (*SCOPE, "keyed/fleet", *COUNTS),
        "sources": (*SCOPE, "keyed/connectors", *COUNTS, "connectors"),
        "destinations": (*SCOPE, "keyed/connectors", *COUNTS, "connectors"),
        "days": (*SCOPE, "keyed/fleet_days", *COUNTS),
        "votes": regressions.VOTES,
        "freshness": ("freshness",),
    },
    fixed={"sources": {"role": "source"}, "destinations": {"role": "destination"}},
    planner=regressions.PLANNER,
    shape=shape,
    columns=COLUMNS,
    headings=(
        Heading("section", ("section",), "text"),
        Heading("what", ("item",), "name"),
        Heading("value", ("value",), "figure"),
        Heading("before", ("before",), "figure"),
        Heading("users", ("units",)),
        Heading("capped rate, %\n(90 % interval)", ("rate", "rate_low", "rate_high"), "interval"),
        Heading("", ("text",), "text"),
    ),
    parameters=(*FILTERS, "limit"),
    sorts={"section": "section"},
    default_sort="section",
    note="The value of a connector is its burden: users x capped rate. Rates are fractions. Today is provisional.",
    terms=(
        "lane",
        "attempt",
        "in flight",
        "unit",
        "ranking",
        "failure rate, burden",
        "rate",
        "window",
        "evidence",
        "alert",
    ),
    compares=True,
)
