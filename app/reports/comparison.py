"""A new version beside the one before it: the votes on both, weighed."""

from dataclasses import dataclass, field
from statistics import fmean
from typing import Final

from app.reports.model import Row

WATCH: Final = 20.0  # E from which on a version is watched: a chance of 1 in 20, whenever one looks


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
    # Of the new votes: the day on which each was settled, and the user's share in the 28 days
    # before; None without a sync.
    settled_on: list[str] = field(default_factory=list)
    own_before: list[float | None] = field(default_factory=list)


def make_row(comparison: Comparison) -> Row:
    """Return one comparison, its evidence weighed; no evidence without votes on both sides."""
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
        "share": fmean(comparison.new_votes) if len(new) else None,
        "votes_before": len(old),
        "share_before": fmean(comparison.old_votes) if len(old) else None,
        "baseline": None,
        "delta": None,
        "unlikely_above": None,
        **compare_own(comparison),
        "evidence": None,
        "watched_since": None,
    }
    if not len(new) or not len(old):
        return row
    baseline = evidence.bound(old)
    course = evidence.weigh(new, baseline)
    watched = [day for day, weight in zip(comparison.settled_on, course, strict=True) if weight >= WATCH]
    return row | {
        "baseline": baseline,
        "delta": fmean(comparison.new_votes) - fmean(comparison.old_votes),
        "unlikely_above": evidence.unlikely_above(new, old),
        "evidence": float(course[-1]),
        "watched_since": watched[0] if watched else None,
    }


def compare_own(comparison: Comparison) -> Row:
    """Return how the users who voted did before, and how much more often they fail now; None
    if none of them synced then."""
    pairs = zip(comparison.new_votes, comparison.own_before, strict=True)
    known = [(vote, before) for vote, before in pairs if before is not None]
    if not known:
        return {"own_before": None, "delta_own": None}
    return {
        "own_before": fmean(before for _, before in known),
        "delta_own": fmean(vote - before for vote, before in known),
    }


def list_course(comparison: Comparison) -> list[Row]:
    """Return E by day as votes were settled; none without votes on both sides."""
    import numpy as np  # noqa: PLC0415

    from app.reports import evidence  # noqa: PLC0415

    new, old = (np.array(votes, dtype=np.float64) for votes in (comparison.new_votes, comparison.old_votes))
    if not len(new) or not len(old):
        return []
    course = dict(
        zip(comparison.settled_on, evidence.weigh(new, evidence.bound(old)), strict=True)
    )  # a day's last
    named: Row = {
        "kind": comparison.kind,
        "connector": comparison.key,
        "new_version": comparison.new_version,
    }
    return [named | {"day": day, "evidence": float(value)} for day, value in course.items()]
