"""A year of releases of a made-up fleet: who had succeeded before, who takes a version up
when, and how their votes fall."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

CONNECTORS: Final = 600
YEAR: Final = 365
WINDOW: Final = 28  # days in which a version is looked at: the report's default
BETWEEN: Final = 90  # days between two releases of a connector, on average
RATE: Final = (0.8, 10.0)  # Beta, of connectors
CONCENTRATION: Final = 6.0  # users about their connector
USERS: Final = (3.0, 1.5)  # of the logarithm of a connector's users
MOST: Final = 300  # users; more change no verdict
SYNCS: Final = (-0.9, 1.0)  # of the logarithm of a user's syncs a day: the median is 2.8 a week
WEEKDAYS: Final = np.array([1.15, 1.15, 1.15, 1.15, 1.15, 0.65, 0.6])  # syncs, Monday first
MONDAY: Final = 1.5  # times as many failures: what broke over the weekend
ADOPTION: Final = 9.0  # days until a user takes up a version, on average
PINNED: Final = 0.3  # users who never do
CONTAINERS: Final = 0.15  # users with an id a run: nobody returns, so they have no vote
LOOPERS: Final = (
    0.02  # users, or companies, who fail for a reason of their own; half of them begin with the version
)
LOOP: Final = 0.95
EAGER: Final = 0.1
WORSE: Final = 0.1  # versions that are


@dataclass(frozen=True, slots=True)
class World:
    """What is so in a fleet."""

    rise: float  # of the failure rate in a version that is worse
    companies: float = (
        0.0  # share of users in companies of five: one configuration, one failure rate, one day of adoption
    )
    selected: bool = False  # a third take up versions first, and fail more often on any
    worse: float = WORSE
    loopers: float = LOOPERS
    eager: float = EAGER


@dataclass(slots=True)
class Votes:
    """The votes on a new version in the order in which they settle, shape
    (votes,), and those on the old one."""

    settled: Ints  # days after the release; the vote counts from the next day on
    new: Floats
    own: Floats  # the same users' share before; NaN without a sync
    old: Floats


@dataclass(slots=True)
class Release:
    """A new version: its day, whether it is worse, and its votes by their length in days."""

    day: int
    is_worse: bool
    votes: dict[int, Votes]


def draw_year(random: np.random.Generator, world: World, connectors: int = CONNECTORS) -> list[Release]:
    """Return a year's releases of so many connectors."""
    releases = []
    for _ in range(connectors):
        rate = float(random.beta(*RATE))
        users = min(int(np.ceil(random.lognormal(*USERS))), MOST)
        people = draw_people(random, world, rate, users)
        day = int(random.integers(0, BETWEEN))
        while day < YEAR:
            is_worse = bool(random.random() < world.worse)
            releases.append(draw_release(random, world, people, day, is_worse=is_worse))
            day += 1 + int(random.exponential(BETWEEN - 1))
    return releases


@dataclass(slots=True)
class People:
    """The users of a connector who have ids that last, shape (users,)."""

    rate: Floats  # of failures
    pace: Floats  # syncs a day
    patience: Floats  # days until a version is taken up, on average
    company: Ints  # who are in one share its number


def draw_people(random: np.random.Generator, world: World, rate: float, users: int) -> People:
    """Return the users of a connector."""
    users = random.binomial(users, 1 - CONTAINERS)
    own = np.arange(users)
    company = np.where(random.random(users) < world.companies, own // 5 * 5, own)
    mean = np.full(users, min(max(rate, 1e-4), 0.9))
    patience = np.full(users, ADOPTION)
    if world.selected:
        eager = random.random(users) < 1 / 3
        mean = np.where(eager, np.minimum(2 * mean + world.eager, 0.9), mean)
        patience = np.where(eager, 3.0, 15.0)
    failing = random.beta(mean * CONCENTRATION, (1 - mean) * CONCENTRATION)
    return People(failing[company], random.lognormal(*SYNCS, users), patience[company], company)


def count_days(
    random: np.random.Generator, people: People, rate: Floats, first: Ints, days: int
) -> tuple[Ints, Ints]:
    """Return syncs and failures of users on each of the days from their `first` on, shape (users, days)."""
    weekday = (first[:, None] + np.arange(days)) % 7
    syncs = random.poisson(people.pace[:, None] * WEEKDAYS[weekday])
    chance = np.minimum(rate[:, None] * np.where(weekday == 0, MONDAY, 1.0), 1.0)
    return syncs, random.binomial(syncs, chance)


def draw_release(
    random: np.random.Generator, world: World, people: People, day: int, *, is_worse: bool
) -> Release:
    """Return a release on a day of the year, and the votes of whoever had succeeded before and took it up."""
    users = len(people.rate)
    takes = random.random(users) >= PINNED
    start = np.floor(random.exponential(people.patience)).astype(np.int64)[people.company]
    looping = (random.random(users) < world.loopers)[people.company]
    base = np.where(
        looping & (random.random(users) < 0.5)[people.company], LOOP, people.rate
    )  # half of the loops are older
    syncs, failed = count_days(random, people, base, day + start - 28, 28)
    returning = takes & (syncs.sum(axis=1) > failed.sum(axis=1))
    own = share(failed, syncs)
    new_rate = np.where(looping, LOOP, np.minimum(people.rate + world.rise * is_worse, 0.98))
    new_syncs, new_failed = first_week(random, people, new_rate, day + start)
    old_syncs, old_failed = first_week(
        random, people, np.where(looping, LOOP, people.rate), random.integers(0, 7, users)
    )
    before, before_failed = count_days(random, people, base, random.integers(0, 7, users), 28)
    was = before.sum(axis=1) > before_failed.sum(axis=1)
    votes = {}
    for days in (3, 7):
        settled = start + days - 1
        order = np.flatnonzero(returning & (settled < WINDOW))
        order = order[np.argsort(settled[order], kind="stable")]
        new, old = (
            share(failed[:, :days], syncs[:, :days])
            for syncs, failed in ((new_syncs, new_failed), (old_syncs, old_failed))
        )
        votes[days] = Votes(settled[order], new[order], own[order], old[was])
    return Release(day, is_worse, votes)


def first_week(random: np.random.Generator, people: People, rate: Floats, first: Ints) -> tuple[Ints, Ints]:
    """Return syncs and failures over the first 7 days on a version: the first of them has a sync."""
    syncs, failed = count_days(random, people, rate, first, 7)
    none = syncs[:, 0] == 0
    syncs[none, 0] = 1
    failed[none, 0] = random.binomial(1, rate[none])
    return syncs, failed


def share(failed: Ints, syncs: Ints) -> Floats:
    """Return each user's share of failures, NaN without a sync."""
    total = syncs.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(failed.sum(axis=1) / total, dtype=np.float64)
