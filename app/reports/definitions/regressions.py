"""The report `regressions`: versions that fail more often than the ones before them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from app.reports import ranking
from app.reports.model import FILTERS, ORDER, Answers, Column, Counts, Heading, Report, Row
from app.reports.parameters import Parameters

Key = tuple[str, str, str]  # kind, key, new version

WATCH: Final = 20.0  # E from which on a version is watched: a chance of 1 in 20, whenever one looks
AFFECTED: Final = 5  # users with a failure, at least, for an alert
DIFFERENCE: Final = 0.05  # points, at least, for an alert
NOT_ENOUGH, WATCHED, REGRESSION = "not enough data", "watch", "regression"

# Stages have no statistics: the planner takes them for a row or two, and would read each once for every row of another.
PLANNER: Final = "SET LOCAL enable_nestloop = off"
VERSIONS: Final = ("environments_asked", "version_days", "version_firsts", "data_from", "comparisons")
VOTES: Final = (*VERSIONS, "sides", "voters", "votes")
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
        "Returning users who voted: who had succeeded in the 28 days before, and whose first 3 days on it are over.",
    ),
    Column("affected_units", "integer", "Of them, users with a failure of another class than config."),
    Column(
        "share", "number", "Mean vote: the share of failures over a user's first 3 days on the new version."
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
        "evidence",
        "number",
        "E, the betting e-process, as of the last vote: about the odds against `no worse than the baseline`.",
    ),
    Column("watched_since", "text", "The first UTC day on which E was 20 or more."),
    Column(
        "verdict",
        "text",
        f"`{REGRESSION}` (e-BH at q = 0.1, 5 affected users and 5 points or more): associated with the version; `{WATCHED}` (E is 20 or "
        f"more); else `{NOT_ENOUGH}`, never that there is none.",
    ),
    Column(
        "new_errors",
        "text",
        "Exceptions seen on the new version and on no other before it, with their users.",
    ),
)


@dataclass(slots=True)
class Comparison:
    """A new version and the one before it, with the votes on each in the order in which they were settled."""

    kind: str
    key: str
    new_version: str
    old_version: str
    since: str
    new_votes: list[float] = field(default_factory=list)
    old_votes: list[float] = field(default_factory=list)
    settled_on: list[str] = field(default_factory=list)  # of the new votes


def shape(answers: Answers, parameters: Parameters) -> list[Row]:
    """The comparisons, the strongest evidence first."""
    rows = assess(gather(answers["votes"]), answers["new_errors"])
    ordered = ranking.order(rows, REGRESSIONS.sorts[parameters.sort], "kind", "connector", "new_version")
    ranking.number(ordered)
    return ranking.select(ordered, COLUMNS)


def gather(counts: Sequence[Counts]) -> list[Comparison]:
    """The comparisons with their votes."""
    found: dict[Key, Comparison] = {}
    for count in counts:
        names = tuple(count[name] for name in ("kind", "key", "new_version", "old_version", "since"))
        comparison = found.setdefault(names[:3], Comparison(*names))
        if count["vote"] is None:
            continue
        if count["is_new"]:
            comparison.new_votes.append(count["vote"])
            comparison.settled_on.append(count["settled_on"])
        else:
            comparison.old_votes.append(count["vote"])
    return list(found.values())


def assess(comparisons: Sequence[Comparison], errors: Sequence[Counts]) -> list[Row]:
    """The comparisons with evidence and verdicts; those that can be tested are tested together."""
    # numpy and scipy take 70 MB: only a process that makes such a report pays for them.
    from app.reports import evidence  # noqa: PLC0415

    rows = [describe(comparison) for comparison in comparisons]
    tested = [row for row in rows if row["evidence"] is not None]
    found = evidence.discover([float(row["evidence"] or 0.0) for row in tested])
    for row, is_found in zip(tested, found, strict=True):
        row["verdict"] = judge(row, is_found=is_found)
    add_errors(rows, errors)
    return rows


def describe(comparison: Comparison) -> Row:
    """One comparison, its evidence weighed; no evidence without votes on both sides."""
    import numpy as np  # noqa: PLC0415

    from app.reports import evidence  # noqa: PLC0415

    new, old = (np.array(votes, dtype=np.float64) for votes in (comparison.new_votes, comparison.old_votes))
    row: Row = {
        "kind": comparison.kind,
        "connector": comparison.key,
        "old_version": comparison.old_version,
        "new_version": comparison.new_version,
        "since": comparison.since,
        "votes": len(new),
        "affected_units": int((new > 0).sum()),
        "share": float(new.mean()) if len(new) else None,
        "votes_before": len(old),
        "share_before": float(old.mean()) if len(old) else None,
        "baseline": None,
        "delta": None,
        "evidence": None,
        "watched_since": None,
        "verdict": NOT_ENOUGH,
        "new_errors": "",
    }
    if not len(new) or not len(old):
        return row
    baseline = evidence.bound(old)
    course = evidence.weigh(new, baseline)
    watched = [day for day, weight in zip(comparison.settled_on, course, strict=True) if weight >= WATCH]
    return row | {
        "baseline": baseline,
        "delta": float(new.mean() - old.mean()),
        "evidence": float(course[-1]),
        "watched_since": watched[0] if watched else None,
    }


def judge(row: Row, *, is_found: bool) -> str:
    """The verdict on a comparison that was tested, `is_found` by e-BH: the gate keeps what is real but small from alerting."""
    affected, delta, weight = (float(row[name] or 0.0) for name in ("affected_units", "delta", "evidence"))
    if is_found and affected >= AFFECTED and delta >= DIFFERENCE:
        return REGRESSION
    return WATCHED if weight >= WATCH else NOT_ENOUGH


def add_errors(rows: Sequence[Row], errors: Sequence[Counts]) -> None:
    """Name the exceptions that each new version brought, those of most users first."""
    named: dict[Any, list[tuple[int, str]]] = defaultdict(list)
    for error in errors:
        named[error["kind"], error["key"], error["new_version"]].append(
            (-error["units"], error["exception_class"])
        )
    for row in rows:
        found = sorted(named[row["kind"], row["connector"], row["new_version"]])
        row["new_errors"] = ", ".join(f"{name} ({-units})" for units, name in found)


REGRESSIONS: Final = Report(
    name="regressions",
    summary="New versions of connectors and of PyAirbyte that fail more often than the version before.",
    queries={"votes": VOTES, "new_errors": (*VERSIONS, "new_errors")},
    planner=PLANNER,
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
        Heading("before,\n%", ("share_before",), "percent"),
        Heading("change,\npoints", ("delta",), "signed"),
        Heading("E", ("evidence",), "power"),
        Heading("verdict", ("verdict",), "text"),
        Heading("new errors", ("new_errors",), "name"),
    ),
    parameters=("scope", *FILTERS, *ORDER),
    sorts={"evidence": "evidence", "delta": "delta", "votes": "votes"},
    default_sort="evidence",
    note="Associated with the version, not caused by it. E: evidence by one vote a returning user; 20 is worth a look. Too little of "
    "it is not enough data, never no regression.",
    terms=(
        "failure class",
        "votes",
        "versions compared",
        "evidence",
        "baseline",
        "false discoveries",
        "alert",
    ),
)
