"""The report `regressions`: versions that fail more often than the ones before them."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from app.reports import ranking
from app.reports.comparison import WATCH, Comparison, list_course, make_row
from app.reports.model import FILTERS, ORDER, Answers, Column, Counts, Heading, Report, Row, Series
from app.reports.parameters import Parameters

Key = tuple[str, str, str]  # kind, key, new version

VOTES_LEAST: Final = 5  # settled votes, at least, to be tested with the others
AFFECTED: Final = 5  # users with a failure, at least, for an alert
DIFFERENCE: Final = 0.05  # points, at least, for an alert
NOT_ENOUGH, WATCHED, REGRESSION = "not enough data", "watch", "regression"

# Stages have no statistics: the planner takes them for a row or two, and would read each once for every row
# of another; or for very many, and would sort both sides of every join.
PLANNER: Final = (
    "SELECT set_config('enable_nestloop', 'off', true), set_config('enable_mergejoin', 'off', true)"
)
VERSIONS: Final = (
    *("environments_asked", "version_names", "versioned_routes", "version_days"),
    *("version_firsts", "data_from", "comparisons", "compared", "sides", "voters", "ballots"),
)
VOTES: Final = (*VERSIONS, "votes")
# The votes, and what each new version brought.
FINDINGS: Final = (*VERSIONS, "new_errors", "findings")
COLUMNS: Final = (
    Column("rank", "integer", "Place by evidence, 1 first."),
    Column("kind", "text", "Version of what: source, destination or pyairbyte."),
    Column("connector", "text", "The connector; pyairbyte for PyAirbyte itself."),
    Column(
        "old_version", "text", "The version with most users in the 28 days before the new one's first day."
    ),
    Column("new_version", "text", "The new version; its first day lies in the window."),
    Column("since", "text", "The new version's first UTC day."),
    Column(
        "votes",
        "integer",
        "Returning users who voted: who had succeeded in the 28 days before, and whose first 7 days on "
        "it are over.",
    ),
    Column("affected_units", "integer", "Of them, users with a failure of another class than config."),
    Column(
        "share", "number", "Mean vote: the share of failures over a user's first 7 days on the new version."
    ),
    Column("votes_before", "integer", "Votes on the old version."),
    Column("share_before", "number", "Mean vote on the old version."),
    Column(
        "baseline",
        "number",
        "Upper 90 % bound of the mean vote on the old version: what the new one is held against.",
    ),
    Column("delta", "number", "share - share_before."),
    Column(
        "own_before",
        "number",
        "Mean share of failures of the same users in the 28 days before their first day on the new "
        "version, on any version; of "
        "those who synced then.",
    ),
    Column("delta_own", "number", "How much more often they fail: the mean of their votes less own_before."),
    Column(
        "unlikely_above",
        "number",
        "What the votes exclude: a rise of the share above this is unlikely (upper 90 % bound).",
    ),
    Column(
        "evidence",
        "number",
        "E, the betting e-process, as of the last vote: about the odds against `no worse than the baseline`.",
    ),
    Column("watched_since", "text", "The first UTC day on which E was 20 or more."),
    Column(
        "verdict",
        "text",
        f"`{REGRESSION}` (closed e-BH at q = 0.1 among versions with 5 votes; 5 affected users; delta "
        f"and delta_own of 5 points or "
        f"more): associated with the version; `{WATCHED}` (E is 20 or more); else `{NOT_ENOUGH}`, never "
        f"that there is none.",
    ),
    Column("tested", "integer", "How many versions had 5 votes or more, and were tested together."),
    Column(
        "evidence_asked",
        "number",
        "The E from which on the strongest version that is not found yet would be, the others as they are.",
    ),
    Column(
        "new_errors",
        "text",
        "Exceptions seen on the new version and on no other before it, with their users.",
    ),
)


def shape(answers: Answers, parameters: Parameters) -> list[Row]:
    """Return the comparisons, the strongest evidence first."""
    rows = assess(gather(answers["findings"]), answers["findings"])
    asked: Row = {"evidence_asked": ask(rows)}
    rows = [row | asked for row in rows]
    ordered = ranking.order(rows, REGRESSIONS.sorts[parameters.sort], "kind", "connector", "new_version")
    ranking.number(ordered)
    return ranking.select(ordered, COLUMNS)


def shape_series(answers: Answers, _: Parameters) -> list[Row]:
    """Return E against each version of 5 votes or more by day, as votes were settled."""
    courses = [
        row
        for comparison in gather(answers["findings"])
        if len(comparison.new_votes) >= VOTES_LEAST
        for row in list_course(comparison)
    ]
    return ranking.select(courses, SERIES.columns)


def gather(counts: Sequence[Counts]) -> list[Comparison]:
    """Return the comparisons with their votes."""
    found: dict[Key, Comparison] = {}
    for count in counts:
        names = tuple(count[name] for name in ("kind", "key", "new_version", "old_version", "since"))
        comparison = found.setdefault(names[:3], Comparison(*names))
        if count["vote"] is None:
            continue
        if count["is_new"]:
            comparison.new_votes.append(count["vote"])
            comparison.settled_on.append(count["settled_on"])
            comparison.own_before.append(count["own_before"])
        else:
            comparison.old_votes.append(count["vote"])
    return list(found.values())


def assess(comparisons: Sequence[Comparison], errors: Sequence[Counts]) -> list[Row]:
    """Return the comparisons with evidence and verdicts; those of 5 votes or more are tested together."""
    # numpy and scipy take 70 MB: only a process that makes such a report pays for them.
    from app.reports import evidence  # noqa: PLC0415

    rows = [make_row(comparison) | {"verdict": NOT_ENOUGH, "new_errors": ""} for comparison in comparisons]
    weighed = {place: float(row["evidence"]) for place, row in enumerate(rows) if row["evidence"] is not None}
    family = [place for place in weighed if len(comparisons[place].new_votes) >= VOTES_LEAST]
    tested = [weighed[place] for place in family]
    discovered = {
        place for place, is_found in zip(family, evidence.discover(tested), strict=True) if is_found
    }
    for place in weighed:
        rows[place]["verdict"] = judge(rows[place], is_found=place in discovered)
    for row in rows:
        row["tested"] = len(family)
    add_errors(rows, errors)
    return rows


def ask(rows: Sequence[Row]) -> float | None:
    """Return the E from which on one more of the comparisons tested together would be found; None if all are.

    Apart from `assess`: it tries the whole family some twenty times, and only this report shows it.
    """
    from app.reports import evidence  # noqa: PLC0415 -- as above

    tested = [row for row in rows if int(row["votes"] or 0) >= VOTES_LEAST]
    return evidence.ask([float(row["evidence"]) for row in tested if row["evidence"] is not None])


def judge(row: Row, *, is_found: bool) -> str:
    """Return the verdict on a comparison with evidence, `is_found` by closed e-BH, through three gates.

    5 affected users; 5 points above the old version: what is real but small does not alert; 5 points above
    what the same users had in the 28 days before their first day on it: a version that users with more
    failures take up first is no worse.
    """
    names = ("affected_units", "delta", "delta_own", "evidence")
    affected, delta, own, weight = (float(row[name] or 0.0) for name in names)
    if is_found and affected >= AFFECTED and min(delta, own) >= DIFFERENCE:
        return REGRESSION
    return WATCHED if weight >= WATCH else NOT_ENOUGH


def add_errors(rows: Sequence[Row], errors: Sequence[Counts]) -> None:
    """Name the exceptions that each new version brought, those of most users first;
    rows that are votes name none."""
    named: dict[Any, list[tuple[int, str]]] = defaultdict(list)
    for error in errors:
        if error["exception_class"] is None:
            continue
        named[error["kind"], error["key"], error["new_version"]].append(
            (-error["units"], error["exception_class"])
        )
    for row in rows:
        found = sorted(named[row["kind"], row["connector"], row["new_version"]])
        row["new_errors"] = ", ".join(f"{name} ({-units})" for units, name in found)


SERIES: Final = Series(
    columns=(
        *(column for column in COLUMNS if column.name in ("kind", "connector", "new_version")),
        Column("day", "text", "UTC day on which votes were settled."),
        Column("evidence", "number", "E after the last of them."),
    ),
    shape=shape_series,
)
REGRESSIONS: Final = Report(
    name="regressions",
    summary="New versions of connectors and of PyAirbyte that fail more often than the version before.",
    queries={"findings": FINDINGS},
    planner=PLANNER,
    hides=lambda row: int(row["votes"] or 0) < VOTES_LEAST,
    alarms=lambda row: row["verdict"] == REGRESSION,
    shape=shape,
    columns=COLUMNS,
    headings=(
        Heading("#", ("rank",)),
        Heading("connector", ("connector",), "name"),
        Heading("old", ("old_version",), "text"),
        Heading("new", ("new_version",), "text"),
        Heading("since", ("since",), "text"),
        Heading("votes", ("votes",)),
        Heading("affec-\nted", ("affected_units",)),
        Heading("share,\n%", ("share",), "percent"),
        Heading("change,\npoints", ("delta",), "signed"),
        Heading("own,\npoints", ("delta_own",), "signed"),
        Heading("unlikely\nabove", ("unlikely_above",), "percent"),
        Heading("E", ("evidence",), "power"),
        Heading("verdict", ("verdict",), "text"),
        Heading("new errors", ("new_errors",), "name"),
    ),
    parameters=("scope", *FILTERS, "few", "series", *ORDER),
    series=SERIES,
    sorts={"evidence": "evidence", "delta": "delta", "votes": "votes"},
    default_sort="evidence",
    note="Associated with the version, not caused by it. E: evidence by one vote a returning user; 20 "
    "is worth a look. Too little of "
    "it is not enough data, never no regression; what it does exclude is a rise above so many points.",
    terms=(
        "failure class",
        "votes",
        "versions compared",
        "evidence",
        "baseline",
        "excluded",
        "false discoveries",
        "alert",
    ),
)
