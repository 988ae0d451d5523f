"""A year of releases, looked at every day: which alerts come, how many are false, how late they are.

Votes are made up; what weighs and judges them is the product's own: `evidence.bound`, `weigh`,
`discover`, and `judge` for the gates.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import false_discovery_control

from app.reports import evidence
from app.reports.comparison import WATCH
from app.reports.definitions import regressions
from benchmarks.adopters import WINDOW, YEAR, Flags, Floats, Ints, Release, Votes


@dataclass(frozen=True, slots=True)
class Method:
    """A way to find regressions. `days` of a vote; of several the mean of their E, as long as E has them."""

    days: tuple[int, ...] = (7,)
    closed: bool = True  # closed e-BH, else e-BH
    family: int = 5  # votes, at least
    own: bool = True  # the gate of the same users before
    floor: float = 0.0  # E, at least, for an alert


PRODUCT: Final = Method()


@dataclass(slots=True)
class Course:
    """What a method knows of each version on each day after its release, shape (versions, WINDOW)."""

    evidence: Floats
    votes: Ints
    passes: Flags  # the gates


@dataclass(slots=True)
class Outcome:
    """A year: alerts true and false, the versions that are worse with their
    votes, and how late alerts came."""

    true: int
    false: int
    votes: Ints  # of 7 days, in the end, on each version that is worse
    found: Flags  # of the same: an alert came
    delays: list[int]  # days from release to alert
    watched: float  # of versions that are no worse: E of 20 or more on any day


def follow(releases: list[Release], method: Method) -> Course:
    """Return what a method knows on every day after each release."""
    shape = len(releases), WINDOW
    course = Course(np.full(shape, np.nan), np.zeros(shape, np.int64), np.zeros(shape, np.bool_))
    for number, release in enumerate(releases):
        lengths = [release.votes[days] for days in method.days]
        parts = [weigh(votes) for votes in lengths]
        course.evidence[number] = np.mean(parts, axis=0)
        gates = lengths[0]  # the shortest: where votes of several lengths are weighed, the first to come
        course.votes[number] = np.searchsorted(gates.settled, np.arange(WINDOW))
        course.passes[number] = pass_gates(gates, course.votes[number], course.evidence[number], method)
    return course


def weigh(votes: Votes) -> Floats:
    """Return E on each day after the release, shape (WINDOW,): 1 without a vote, NaN
    without one on the old version."""
    if not len(votes.old):
        return np.full(WINDOW, np.nan)
    course = (
        np.append(1.0, evidence.weigh(votes.new, evidence.bound(votes.old))) if len(votes.new) else np.ones(1)
    )
    return np.asarray(course[np.searchsorted(votes.settled, np.arange(WINDOW))], dtype=np.float64)


def pass_gates(votes: Votes, settled: Ints, weights: Floats, method: Method) -> Flags:
    """Return on which days a version that e-BH finds would be a regression: the gates of
    `judge`, for all days at once."""
    known = ~np.isnan(votes.own)
    rises = np.where(known, votes.new - votes.own, 0.0)
    numbers = np.maximum(np.arange(len(votes.new) + 1), 1)

    def total(values: Floats | Flags) -> Floats:
        return np.append(0.0, np.cumsum(values))

    before = votes.old.mean() if len(votes.old) else 0.0
    passes = (total(votes.new > 0) >= regressions.AFFECTED) & (
        total(votes.new) / numbers - before >= regressions.DIFFERENCE
    )
    if method.own:
        passes &= total(rises) / np.maximum(total(known), 1) >= regressions.DIFFERENCE
    return np.asarray(passes[settled] & (weights >= method.floor), dtype=np.bool_)


def look(releases: list[Release], course: Course, method: Method) -> Ints:
    """Return the day after its release on which each version was first alerted, -1 for never: one
    look every day of the year."""
    days = np.array([release.day for release in releases])
    alerted = np.full(len(releases), -1)
    for today in range(YEAR + WINDOW):
        recent = np.flatnonzero((days <= today) & (days > today - WINDOW))
        age = today - days[recent]
        weights = course.evidence[recent, age]
        family = ~np.isnan(weights) & (course.votes[recent, age] >= method.family)
        recent, age, weights = recent[family], age[family], weights[family]
        found = np.array(
            evidence.discover(list(weights)) if method.closed else discover_plainly(weights), np.bool_
        )
        for number, day in zip(recent[found], age[found], strict=True):
            if alerted[number] < 0 and course.passes[number, day]:
                alerted[number] = day
    return alerted


def discover_plainly(weights: Floats) -> list[bool]:
    """Return what e-BH rejects: Wang & Ramdas (2022)."""
    if not len(weights):
        return []
    return [bool(each <= 0.1) for each in false_discovery_control(1 / np.maximum(weights, 1.0), method="bh")]


def judge_year(releases: list[Release], method: Method) -> Outcome:
    """Return what became of a year under a method."""
    course = follow(releases, method)
    alerted = look(releases, course, method)
    worse = np.array([release.is_worse for release in releases])
    votes = np.array([len(release.votes[7].new) for release in releases])
    high = np.max(np.nan_to_num(course.evidence), axis=1) >= WATCH
    return Outcome(
        int((alerted[worse] >= 0).sum()),
        int((alerted[~worse] >= 0).sum()),
        votes[worse],
        alerted[worse] >= 0,
        [int(day) for day in alerted[worse] if day >= 0],
        float(np.mean(high[~worse & (votes >= regressions.VOTES_LEAST)])),
    )
