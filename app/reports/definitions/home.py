"""The report `home`: the fleet at a glance."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from app.reports import ranking
from app.reports.definitions import connectors, regressions
from app.reports.definitions.notes import write_notes
from app.reports.model import COUNTS, FILTERS, SCOPE, Answers, Column, Counts, Heading, Report, Row
from app.reports.parameters import DAY, Parameters

TOP: Final = 10
COLUMNS: Final = (
    Column(
        "section",
        "text",
        "fleet (all connectors together), top (connectors by burden), regressions (new versions with "
        "evidence against them), "
        "class (failures by class), freshness, day (UTC; all connectors together, the window before "
        "included), note (a "
        "sentence).",
    ),
    Column("item", "text", "Which figure, or which connector, version, class or day."),
    Column(
        "value",
        "number",
        "Its value; of a connector its burden, of a new version E, of a class its failed attempts.",
    ),
    Column("before", "number", "The value in the window before."),
    Column("role", "text", "Of a connector: source or destination; of a new version: those, or pyairbyte."),
    Column(
        "units", "integer", "Of a connector or a day: its users; of a new version: returning users who voted."
    ),
    Column("rate", "number", "Of a connector: its capped rate, drawn towards the fleet's; from 10 users on."),
    Column("rate_low", "number", "Lower end of the 90 % interval of rate."),
    Column("rate_high", "number", "Upper end of the 90 % interval of rate."),
    Column(
        "delta",
        "number",
        "Of the fleet's capped rate and affected share: value - before; of a connector: rate less the "
        "one before.",
    ),
    Column("delta_low", "number", "Lower end of the 90 % interval of delta."),
    Column("delta_high", "number", "Upper end of the 90 % interval of delta."),
    Column("attempts", "integer", "Attempted syncs, of a connector or a day."),
    Column("succeeded", "integer", "Of a day: attempts that succeeded."),
    Column("failed", "integer", "Attempts that failed, of whatever class; of a connector or a day."),
    Column("canceled", "integer", "Of a day: attempts that were canceled."),
    Column("abandoned", "integer", "Of a day: open attempts of which nothing was heard for 24 hours."),
    Column("surge", "boolean", "Of a connector: whether most of it is of ids that came at once."),
    Column(
        "affected_units",
        "integer",
        "Users with a failure of another class than config; of a new version: of its voters.",
    ),
    Column("failure_rate", "number", "Of a connector or a day: failed / settled."),
    Column("failure_rate_upper", "number", "Of a connector: (failed + abandoned) / settled."),
    Column("old_version", "text", "Of a new version: the one that it is held against."),
    Column("new_version", "text", "The new version."),
    Column("since", "text", "Its first UTC day."),
    Column("share", "number", "Of a new version: the mean vote on it."),
    Column("share_before", "number", "The mean vote on the old version."),
    Column(
        "text",
        "text",
        "A value that is no number: a sentence, the last day with data, the verdict on a new version.",
    ),
)
DAILY: Final = ("units", "attempts", "succeeded", "failed", "canceled", "abandoned", "affected_units")
RANKED: Final = (
    *("role", "units", "rate", "rate_low", "rate_high", *ranking.CHANGE),
    *("attempts", "failed", "affected_units", "failure_rate", "failure_rate_upper", "surge"),
)
COMPARED: Final = ("old_version", "new_version", "since", "share", "share_before", "affected_units")
# First what no loop can bend: each user weighs as much as another.
FIGURES: Final = {
    "capped rate": "capped_rate",
    "affected share": "affected_share",
    "burden": "burden",
    "users": "units",
    "affected users": "affected_units",
    "use cases": "use_cases",
    "attempted syncs": "attempts",
    "failed": "failed",
    "failed, wrong configuration": "failed_config",
    "abandoned": "abandoned",
    "in flight": "in_flight",
    "failure rate": "failure_rate",
    "failure rate, upper": "failure_rate_upper",
    "records": "records",
}
PARTS: Final = ("fleet", "source", "destination", "day", "class")
SHARES: Final = ("capped_rate", "affected_share")  # of users, which have an interval


def shape(answers: Answers, parameters: Parameters) -> list[Row]:
    """Return the rows, section by section."""
    parts: dict[str, list[Counts]] = {part: [] for part in PARTS}
    for count in answers["figures"]:
        parts[count["part"]].append(count)
    windows = {
        count["is_current"]: ranking.measure(count, rated=parameters.is_rated) for count in parts["fleet"]
    }
    now, before = windows.get(True, {}), windows.get(False, {})
    rows = [*list_fleet(now, before), *list_top(parts, parameters)]
    rows += [*list_regressions(answers), *list_classes(parts["class"])]
    rows += [*list_freshness(answers["freshness"]), *list_days(parts["day"], parameters)]
    rows += write_notes(now, before, answers["today"], parameters)
    empty: Row = {column.name: None for column in COLUMNS}
    return ranking.select([empty | row for row in rows], COLUMNS)


def list_fleet(now: Row, before: Row) -> Iterable[Row]:
    """Return the figures of the window beside those of the one before."""
    for item, name in FIGURES.items():
        change = ranking.compare_shares(now, before, name) if name in SHARES else {}
        yield {
            "section": "fleet",
            "item": item,
            "value": now.get(name),
            "before": before.get(name),
            **change,
        }


def list_top(parts: Answers, parameters: Parameters) -> Iterable[Row]:
    """Return the connectors, sources and destinations, whose burden is largest."""
    ranked: list[Row] = []
    before: dict[object, Row] = {}
    for role in ("source", "destination"):
        counts = parts[role]
        ranked += [row | {"role": role} for row in connectors.rank({"connectors": counts}, parameters)]
        before |= {
            (role, count["connector"]): ranking.measure(count, rated=parameters.is_rated)
            for count in counts
            if not count["is_current"]
        }
    named = [row for row in ranked if row["connector"] not in ranking.APART]
    for row in ranking.order(named, "burden", "connector", "role")[:TOP]:
        name = row["connector"]
        prior = before.get((row["role"], name))
        yield {
            "section": "top",
            "item": name,
            "value": row["burden"],
            "before": prior["burden"] if prior else None,
            **{column: row[column] for column in RANKED},
        }


def list_regressions(answers: Answers) -> Iterable[Row]:
    """Yield new versions that are watched or found to be worse, the strongest evidence first."""
    rows = regressions.assess(regressions.gather(answers["votes"]), ())
    for row in ranking.order(rows, "evidence", "connector", "new_version"):
        if row["verdict"] != regressions.NOT_ENOUGH:
            yield {
                "section": "regressions",
                "item": row["connector"],
                "value": row["evidence"],
                "role": row["kind"],
                "units": row["votes"],
                "text": row["verdict"],
                **{column: row[column] for column in COMPARED},
            }


def list_classes(counts: Iterable[Counts]) -> Iterable[Row]:
    """Yield failed attempts by class, most first."""
    failed: dict[str, dict[bool, float]] = defaultdict(lambda: {True: 0.0, False: 0.0})
    for count in counts:
        failed[count["connector"]][count["is_current"]] = float(count["failed"])
    for name, (value, before) in sorted(
        ((name, (each[True], each[False])) for name, each in failed.items()),
        key=lambda each: (-each[1][0], each[0]),
    ):
        yield {"section": "class", "item": name or "other", "value": value, "before": before}


def list_freshness(counts: Iterable[Counts]) -> Iterable[Row]:
    """Return how far the figures are."""
    for count in counts:
        yield {"section": "freshness", "item": "last day with data", "text": count["last_day"]}
        yield {
            "section": "freshness",
            "item": "rollup lag, seconds",
            "value": round(float(count["lag_seconds"]), 1),
        }


def list_days(counts: Iterable[Counts], parameters: Parameters) -> Iterable[Row]:
    """Return every day of the window before and of the window, those without attempts too."""
    by_number = {count["n"]: ranking.measure(count, rated=parameters.is_rated) for count in counts}
    for number in range(2 * parameters.days):
        row = by_number.get(number, dict.fromkeys(DAILY, 0) | {"failure_rate": None})
        figures = {name: row[name] for name in (*DAILY, "failure_rate")}
        yield {"section": "day", "item": (parameters.prior_from + number * DAY).isoformat(), **figures}


HOME_STAGES: Final = ("home_routes", "home_uses", "applications/home")
HOME: Final = Report(
    name="home",
    summary="The fleet at a glance: the failure that users meet, users and syncs against the window "
    "before, what to fix first.",
    queries={
        "figures": (*SCOPE, "home_days", *HOME_STAGES, *COUNTS[1:], "home_counts"),
        "votes": regressions.VOTES,
        "freshness": ("freshness",),
        "today": ("routes_asked", "environments_asked", "today"),
    },
    planner=regressions.PLANNER,
    shape=shape,
    columns=COLUMNS,
    headings=(
        Heading("section", ("section",), "text"),
        Heading("what", ("item", "surge"), "name"),
        Heading("value", ("value",), "figure"),
        Heading("before", ("before",), "figure"),
        Heading("change, points\n(90 % interval)", ("delta", "delta_low", "delta_high"), "change"),
        Heading("users", ("units",)),
        Heading("capped rate, %\n(90 % interval)", ("rate", "rate_low", "rate_high"), "interval"),
        Heading("", ("text",), "text"),
    ),
    parameters=(*FILTERS, "limit"),
    sorts={"section": "section"},
    default_sort="section",
    note="The capped rate weighs every user alike; the value of a connector is its burden: users x "
    "capped rate. Rates are fractions.",
    terms=(
        "lane",
        "attempt",
        "in flight",
        "unit",
        "ranking",
        "failure rate, burden",
        "rate",
        "change",
        "shares of users",
        "window",
        "evidence",
        "alert",
    ),
    compares=True,
)
