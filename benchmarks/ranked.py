"""Fleets of a made-up truth: what the sorts find, what the intervals hold, under the
rules by which users may count.

What ranks and rates is the product's own code over counts like those of `app/reports/sql/counts.sql`; users,
syncs and the rules' counts are made up here.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from app.reports import ranking
from app.reports.definitions.connectors import CONNECTORS
from app.reports.definitions.connectors import rank as rank_connectors
from app.reports.model import Row
from app.reports.parsing import parse

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

CONNECTOR_COUNT: Final = 250
TOP: Final = 10
NOW: Final = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
Z: Final = 1.6449  # of a 90 % interval
WILSON: Final = "(Wilson lower bound of the naive rate)"

# Failure rates of connectors, and of users about their connector's: users differ.
RATE: Final = (0.8, 10.0)  # Beta
CONCENTRATION: Final = 6.0
USERS: Final = (3.0, 1.5)  # of the logarithm of a connector's users
SYNCS: Final = (1.3, 1.0)  # of the logarithm of a user's attempted syncs
LOOP: Final = (500, 10_000)  # attempts of a cron job that fails over and over, for a reason of its user's own
# Users in their first days: one to three mistakes, of which PyAirbyte calls most configuration.
NEWCOMERS: Final = 0.25
MISTAKE: Final = 0.4
CALLED_CONFIG: Final = 0.75
CONTAINERS: Final = 0.15  # users with a new id for every one or two syncs
STEADY: Final = 0.8  # of them, those whose configuration is the same in every run, so that it links the ids


@dataclass(frozen=True, slots=True)
class Rule:
    """How users count: at most `cap` attempts each; ids that do not last `linked` by
    setup, and those left `weighed`."""

    cap: int = 20
    linked: bool = False
    weighed: bool = False


@dataclass(slots=True)
class Units:
    """What the service sees, one entry an id: a user in a container is many. Shape (ids,) each."""

    connector: Ints
    attempts: Ints
    failed: Ints  # of another class than config
    config: Ints
    setup: Ints  # what links the ids of a user
    lasts: Flags


def draw_users(random: np.random.Generator, rates: Floats, users: Ints, loopers: float) -> Units:
    """Return the syncs of `users` users of each connector, who fail one with a
    chance of `rates` on average."""
    connector = np.repeat(np.arange(len(rates)), users)
    number = len(connector)
    mean = np.clip(rates[connector], 1e-4, 1 - 1e-4)
    own = random.beta(mean * CONCENTRATION, (1 - mean) * CONCENTRATION)
    attempts = np.ceil(random.lognormal(*SYNCS, number)).astype(np.int64)
    failed = random.binomial(attempts, own)
    new = random.random(number) < NEWCOMERS
    mistakes = random.binomial(np.where(new, random.integers(1, 4, number), 0), MISTAKE)
    config = random.binomial(mistakes, CALLED_CONFIG)
    attempts, failed = attempts + mistakes, failed + mistakes - config
    looping = random.random(number) < loopers
    turns = random.integers(*LOOP, number)
    attempts = np.where(looping, turns, attempts)
    failed = np.where(looping, random.binomial(turns, 0.95), failed)
    lasts = ~new | (attempts > 2)
    units = Units(connector, attempts, failed, np.where(looping, 0, config), np.arange(number), lasts)
    return split(random, units, (random.random(number) < CONTAINERS) & ~looping)


def split(random: np.random.Generator, units: Units, contained: Flags) -> Units:
    """Give users in containers a new id for every two syncs, and deal their failures out over those."""
    sizes = units.attempts[contained]
    user = np.repeat(np.flatnonzero(contained), sizes)
    place = np.arange(len(user)) - np.repeat(np.cumsum(sizes) - sizes, sizes)  # of a sync, in time
    luck = np.empty(len(user), np.int64)  # of a sync among its user's: the unlucky ones fail
    luck[np.lexsort((random.random(len(user)), user))] = place
    is_failed = luck < units.failed[user]
    is_config = ~is_failed & (luck < (units.failed + units.config)[user])
    ids, index = np.unique(np.stack([user, place // 2], axis=1), axis=0, return_inverse=True)
    index = index.reshape(-1)
    steady = (random.random(len(units.attempts)) < STEADY)[ids[:, 0]]
    setup = np.where(steady, ids[:, 0], len(contained) + np.arange(len(ids)))
    whole = ~contained
    parts = (
        (units.connector[whole], units.connector[ids[:, 0]]),
        (units.attempts[whole], np.bincount(index, minlength=len(ids))),
        (units.failed[whole], np.bincount(index, is_failed, len(ids)).astype(np.int64)),
        (units.config[whole], np.bincount(index, is_config, len(ids)).astype(np.int64)),
        (units.setup[whole], setup),
        (units.lasts[whole], np.zeros(len(ids), np.bool_)),
    )
    return Units(*(np.concatenate(part) for part in parts))


def link(units: Units) -> Units:
    """Return the units with those that do not last and have a setup in common made one, which lasts."""
    _, first, index, number = np.unique(
        units.setup, return_index=True, return_inverse=True, return_counts=True
    )
    index = index.reshape(-1)

    def total(values: Ints) -> Ints:
        return np.bincount(index, values).astype(np.int64)

    return Units(
        units.connector[first],
        total(units.attempts),
        total(units.failed),
        total(units.config),
        units.setup[first],
        units.lasts[first] | (number > 1),
    )


def count(units: Units, rule: Rule, *, is_current: bool) -> list[dict[str, Any]]:
    """Return the rows that `app/reports/sql/connectors.sql` would give under a rule."""
    units = link(units) if rule.linked else units
    weight = np.minimum(units.attempts, rule.cap)
    each = np.ones(len(weight))
    if rule.weighed:
        each = np.where(units.lasts, 1.0, np.minimum(1.0, units.attempts / weight[units.lasts].mean()))

    def total(values: npt.ArrayLike) -> Floats:
        sums = np.bincount(units.connector, np.asarray(values, dtype=np.float64), CONNECTOR_COUNT)
        return np.asarray(sums, dtype=np.float64)

    failed = units.failed + units.config
    columns = {
        "units": total(each),
        "affected_units": total(units.failed > 0),
        "attempts": total(units.attempts),
        "succeeded": total(units.attempts - failed),
        "failed": total(failed),
        "failed_config": total(units.config),
        "capped_weight": total(weight),
        "capped_failures": total(weight * units.failed / units.attempts),
    }
    columns["weighed_units"] = columns["units"]
    counted = ("canceled", "in_flight", "abandoned", "orphans", "from_ledger", "use_cases", "records")
    nothing = (*counted, "ephemeral_units", "surge")
    return [
        {"connector": f"source-{number:03}", "is_current": is_current}
        | {name: float(values[number]) for name, values in columns.items()}
        | dict.fromkeys(nothing, 0)
        for number in range(CONNECTOR_COUNT)
        if columns["units"][number]
    ]


def rank(
    random: np.random.Generator, many: Units, loopers: float, rules: dict[str, Rule]
) -> dict[str, tuple[dict[str, float], list[bool]]]:
    """Return by rule, of one fleet, with `draw_many`'s users for the truth: the precision at 10 of every
    sort, and of each interval whether it holds the true rate."""
    rates = random.beta(*RATE, CONNECTOR_COUNT)
    users = np.maximum(1, random.lognormal(*USERS, CONNECTOR_COUNT).astype(np.int64))
    worst = {f"source-{number:03}" for number in np.argsort(-users * rates)[:TOP]}
    now, before = (draw_users(random, rates, users, loopers) for _ in range(2))
    found = {}
    for name, rule in rules.items():
        counts = count(now, rule, is_current=True) + count(before, rule, is_current=False)
        rows = rank_connectors({"connectors": counts}, parse(CONNECTORS, [], NOW))
        found[name] = find(rows, worst), hold(rows, true_rates(many, rule, rates))
    return found


def find(rows: list[Row], worst: set[str]) -> dict[str, float]:
    """Return of every sort the share of its first ten that are among the worst ten by their true burden."""

    def precision(ordered: list[Row]) -> float:
        return len(worst & {str(row["connector"]) for row in ordered[:TOP]}) / TOP

    def low(row: Row) -> float:
        failed, attempts = float(row["failed"] or 0), float(row["attempts"] or 0)
        spread = Z * (failed * (1 - failed / attempts) + Z**2 / 4) ** 0.5
        return float((failed + Z**2 / 2 - spread) / (attempts + Z**2))

    found = {
        sort: precision(ranking.order(rows, column, "connector"))
        for sort, column in CONNECTORS.sorts.items()
        if column in rows[0]  # a fleet without clocks: nothing takes time
    }
    return found | {WILSON: precision(sorted(rows, key=low, reverse=True))}


# The capped rate is linear in a connector's own rate, so that 2 connectors with very many
# users tell what it tends to.
ENDS: Final = np.array([0.02, 0.4])


def draw_many(random: np.random.Generator, loopers: float) -> Units:
    """Return the users of 2 connectors with very many."""
    return draw_users(random, ENDS, np.array([200_000, 200_000]), loopers)


def true_rates(many: Units, rule: Rule, rates: Floats) -> Floats:
    """Return what the capped rate of each connector tends to with ever more users of the
    same kind, loopers among them."""
    ends = [
        float(row["capped_failures"] / row["capped_weight"]) for row in count(many, rule, is_current=True)
    ]
    return np.asarray(
        ends[0] + (ends[1] - ends[0]) / (ENDS[1] - ENDS[0]) * (rates - ENDS[0]), dtype=np.float64
    )


def hold(rows: list[Row], truth: Floats) -> list[bool]:
    """Return for each interval whether it holds the truth."""
    return [
        float(row["rate_low"] or 0) <= truth[int(str(row["connector"])[-3:])] <= float(row["rate_high"] or 0)
        for row in rows
        if row["rate"] is not None
    ]
