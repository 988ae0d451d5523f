"""The ranking and the regressions against a made-up truth: what the sorts find, what the intervals cover, what alerts are worth.

Everything that is judged is the product's own code; only users and syncs are made up. docs/statistics.md says how.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.progress import track
from scipy.stats import binomtest

from app.reports import evidence, ranking
from app.reports.comparison import Comparison
from app.reports.definitions.connectors import CONNECTORS
from app.reports.definitions.connectors import rank as rank_connectors
from app.reports.definitions.regressions import REGRESSION, WATCHED, assess
from app.reports.model import Row
from app.reports.parameters import parse
from benchmarks.load import UNTIL

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CONNECTOR_COUNT: Final = 250
TOP: Final = 10
EXAMPLE: Final = "Example: python3 dev.py bench statistics --repeats 200 --seed 1"

# The fleet. Failure rates of connectors, and of users about their connector's: users differ.
RATE: Final = (0.8, 10.0)  # Beta
CONCENTRATION: Final = 6.0
USERS: Final = (3.0, 1.5)  # of the logarithm of a connector's users
SYNCS: Final = (1.3, 1.0)  # of the logarithm of a user's attempted syncs
LOOPERS: Final = 0.004  # users whose cron job fails over and over, for a reason of their own
LOOP: Final = (500, 10_000)
NEWCOMERS: Final = (
    0.25  # users in their first days: one to three mistakes, of which PyAirbyte calls most configuration
)
MISTAKE: Final = 0.4
CALLED_CONFIG: Final = 0.75
SPLIT: Final = 0.15  # users in containers: a new id for every one or two syncs


@dataclass(slots=True)
class Units:
    """What the service would see: one entry a unit (an id), a user in a container being many of them."""

    connector: Ints
    attempts: Ints
    failed: Ints  # of another class than config
    config: Ints


def draw_users(random: np.random.Generator, rates: Floats, users: Ints) -> Units:
    """The syncs of `users` users of each connector, whose chance to fail one is `rates` on average."""
    connector = np.repeat(np.arange(len(rates)), users)
    number = len(connector)
    mean = np.clip(rates[connector], 1e-4, 1 - 1e-4)
    own = random.beta(mean * CONCENTRATION, (1 - mean) * CONCENTRATION)
    attempts = np.ceil(random.lognormal(*SYNCS, number)).astype(np.int64)
    failed = random.binomial(attempts, own)
    mistakes = np.where(random.random(number) < NEWCOMERS, random.integers(1, 4, number), 0)
    mistakes = random.binomial(mistakes, MISTAKE)
    config = random.binomial(mistakes, CALLED_CONFIG)
    attempts, failed = attempts + mistakes, failed + mistakes - config
    looping = random.random(number) < LOOPERS
    turns = random.integers(*LOOP, number)
    attempts = np.where(looping, turns, attempts)
    failed = np.where(looping, random.binomial(turns, 0.95), failed)
    return split(random, Units(connector, attempts, failed, np.where(looping, 0, config)), looping)


def split(random: np.random.Generator, units: Units, looping: npt.NDArray[np.bool_]) -> Units:
    """Give users in containers a new id for every sync or two, and deal their failures out over those."""
    containers = (random.random(len(units.attempts)) < SPLIT) & (units.attempts > 2) & ~looping
    whole = ~containers
    parts = [(units.connector[whole], units.attempts[whole], units.failed[whole], units.config[whole])]
    for at in np.flatnonzero(containers):
        total = int(units.attempts[at])
        fates = np.zeros(total, dtype=np.int64)
        fates[: units.failed[at]] = 1
        fates[units.failed[at] : units.failed[at] + units.config[at]] = 2
        random.shuffle(fates)
        fates = np.append(fates, -1) if total % 2 else fates  # -1: no sync
        pairs = fates.reshape(-1, 2)
        parts.append(
            (
                np.full(len(pairs), units.connector[at]),
                (pairs >= 0).sum(axis=1),
                (pairs == 1).sum(axis=1),
                (pairs == 2).sum(axis=1),
            )
        )
    return Units(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def count(units: Units, *, is_current: bool) -> list[dict[str, Any]]:
    """The rows that `sql/connectors.sql` would give."""

    def total(values: npt.ArrayLike) -> Floats:
        weights = np.asarray(values, dtype=np.float64)
        sums = np.bincount(units.connector, weights=weights, minlength=CONNECTOR_COUNT)
        return np.asarray(sums, dtype=np.float64)

    weight = np.minimum(units.attempts, 20)
    failed = units.failed + units.config
    columns = {
        "units": total(np.ones(len(units.attempts))),
        "affected_units": total(units.failed > 0),
        "attempts": total(units.attempts),
        "succeeded": total(units.attempts - failed),
        "failed": total(failed),
        "failed_config": total(units.config),
        "capped_weight": total(weight),
    }
    capped_failures = total(weight * units.failed / units.attempts)
    nothing = dict.fromkeys(
        ("canceled", "in_flight", "abandoned", "orphans", "from_ledger", "use_cases", "records"), 0
    )
    return [
        {
            "connector": f"source-{number:03}",
            "is_current": is_current,
            "capped_failures": float(capped_failures[number]),
            **{name: int(values[number]) for name, values in columns.items()},
            **nothing,
        }
        for number in range(CONNECTOR_COUNT)
        if columns["units"][number]
    ]


def rank(random: np.random.Generator) -> tuple[dict[str, float], list[bool]]:
    """One fleet: the precision at 10 of every sort, and for each interval whether it holds the true rate."""
    rates = random.beta(*RATE, CONNECTOR_COUNT)
    users = np.maximum(1, random.lognormal(*USERS, CONNECTOR_COUNT).astype(np.int64))
    burden = users * rates
    worst = {f"source-{number:03}" for number in np.argsort(-burden)[:TOP]}
    counts = count(draw_users(random, rates, users), is_current=True)
    counts += count(draw_users(random, rates, users), is_current=False)
    rows = connectors_of(counts)
    precision = {
        sort: len(worst & {str(row["connector"]) for row in ranking.order(rows, column, "connector")[:TOP]})
        / TOP
        for sort, column in CONNECTORS.sorts.items()
    }
    precision["(Wilson lower bound of the naive rate)"] = wilson(rows, worst)
    truth = true_rates(random, rates)
    held = [
        float(row["rate_low"] or 0) <= truth[int(str(row["connector"])[-3:])] <= float(row["rate_high"] or 0)
        for row in rows
        if row["rate"] is not None
    ]
    return precision, held


def connectors_of(counts: list[dict[str, Any]]) -> list[Row]:
    """The rows of the report."""

    now = dt.datetime.fromtimestamp(UNTIL, dt.UTC)
    return rank_connectors({"connectors": counts}, parse(CONNECTORS, [], now))


def wilson(rows: list[Row], worst: set[str]) -> float:
    """The precision of the well-known lower bound, for comparison."""

    def low(row: Row) -> float:
        failed, attempts = int(row["failed"] or 0), int(row["attempts"] or 0)
        return float(binomtest(failed, attempts).proportion_ci(0.9, method="wilson").low)

    chosen = sorted(rows, key=low, reverse=True)[:TOP]
    return len(worst & {str(row["connector"]) for row in chosen}) / TOP


def true_rates(random: np.random.Generator, rates: Floats) -> Floats:
    """What the capped rate of each connector tends to with ever more users of the same kind.

    It is linear in the connector's own rate, so 2 connectors with very many users tell it for all.
    """
    ends = np.array([0.02, 0.4])
    units = draw_users(random, ends, np.array([100_000, 100_000]))
    weight = np.minimum(units.attempts, 20)
    values = [
        float(
            (weight * units.failed / units.attempts)[units.connector == at].sum()
            / weight[units.connector == at].sum()
        )
        for at in (0, 1)
    ]
    slope = (values[1] - values[0]) / (ends[1] - ends[0])
    return np.asarray(values[0] + slope * (rates - ends[0]), dtype=np.float64)


def draw_votes(random: np.random.Generator, rate: float, users: int) -> list[float]:
    """The votes of users whose chance to fail a sync is `rate` on average: failures over the syncs of three days."""
    mean = min(max(rate, 1e-4), 1 - 1e-4)
    own = random.beta(mean * CONCENTRATION, (1 - mean) * CONCENTRATION, users)
    looping = random.random(users) < LOOPERS
    syncs = np.ceil(random.lognormal(0.7, 0.8, users)).astype(np.int64)
    votes = random.binomial(syncs, own) / syncs
    return [float(vote) for vote in np.where(looping, 0.95, votes)]


def release(
    random: np.random.Generator, versions: int, worse: float, rise: float
) -> list[tuple[Comparison, bool]]:
    """New versions, a share `worse` of which fails by `rise` points more often; and which those are."""
    found = []
    for number in range(versions):
        rate = float(random.beta(*RATE))
        is_worse = bool(random.random() < worse)
        new = draw_votes(random, min(rate + rise * is_worse, 0.98), int(random.integers(5, 80)))
        old = draw_votes(random, rate, int(random.integers(20, 200)))
        found.append(
            (
                Comparison(
                    "source",
                    f"source-{number}",
                    "1.1.0",
                    "1.0.0",
                    "2026-11-01",
                    new,
                    old,
                    ["2026-11-08"] * len(new),
                    list(draw_votes(random, rate, len(new))),
                ),
                is_worse,
            )
        )
    return found


@dataclass(slots=True)
class Alerts:
    """What became of many releases."""

    discovered: list[float]  # share of false ones among the alerts, one number a repeat
    watched: list[bool]  # of versions that were no worse: E of 20 or more
    power: dict[str, list[bool]]  # by number of votes: whether a worse version was found


def alert(random: np.random.Generator, repeats: int, rise: float) -> Alerts:
    """Releases of 60 versions at a time, a tenth of them worse."""
    alerts = Alerts([], [], {})
    for _ in range(repeats):
        releases = release(random, 60, 0.1, rise)
        rows = assess([comparison for comparison, _ in releases], [])
        found = [
            is_worse
            for row, (_, is_worse) in zip(rows, releases, strict=True)
            if row["verdict"] == REGRESSION
        ]
        alerts.discovered.append(1 - sum(found) / len(found) if found else 0.0)
        for row, (_, is_worse) in zip(rows, releases, strict=True):
            votes = int(row["votes"] or 0)
            if is_worse:
                size = next(f"up to {limit} votes" for limit in (20, 40, 80) if votes <= limit)
                alerts.power.setdefault(size, []).append(row["verdict"] == REGRESSION)
            else:
                alerts.watched.append(row["verdict"] in (REGRESSION, WATCHED))
    return alerts


def peek(random: np.random.Generator, repeats: int) -> float:
    """The share of versions no worse than before whose E reaches 20 at any time of 400 votes."""
    reached = 0
    for _ in range(repeats):
        rate = float(random.beta(*RATE))
        baseline = evidence.bound(np.array(draw_votes(random, rate, 100)))
        reached += bool(evidence.weigh(np.array(draw_votes(random, rate, 400)), baseline).max() >= 20)
    return reached / repeats


def main(
    repeats: Annotated[int, typer.Option(help="Fleets, and releases of 60 versions.", min=1)] = 200,
    seed: Annotated[int, typer.Option(help="The same seed gives the same numbers.")] = 1,
) -> None:
    """Simulate and print tables."""
    random = np.random.default_rng(seed)
    fleets = [
        rank(random) for _ in track(range(repeats), "Fleets", console=Console(stderr=True), transient=True)
    ]
    print(f"## Ranking: {repeats} fleets of {CONNECTOR_COUNT} connectors, seed {seed}\n")
    print("| sort | precision at 10 |\n|---|---|")
    names = fleets[0][0]
    for name in sorted(names, key=lambda each: -np.mean([precision[each] for precision, _ in fleets])):
        print(f"| {name} | {np.mean([precision[name] for precision, _ in fleets]):.3f} |")
    held = [each for _, fleet in fleets for each in fleet]
    print(f"\n90 % intervals that hold the true rate: {np.mean(held):.3f} of {len(held):,}\n")
    print(f"## Regressions: {repeats} releases of 60 versions, a tenth of them worse, seed {seed}\n")
    print("| rise | false discoveries | power | by votes |\n|---|---|---|---|")
    for rise in (0.1, 0.2, 0.3):
        alerts = alert(random, repeats, rise)
        power = [each for group in alerts.power.values() for each in group]
        by = ", ".join(f"{size}: {np.mean(group):.2f}" for size, group in sorted(alerts.power.items()))
        print(
            f"| +{100 * rise:.0f} points | {np.mean(alerts.discovered):.4f} | {np.mean(power):.3f} | {by} |"
        )
    print(f"\nE of 20 or more, at any time of 400 votes, without any rise: {peek(random, repeats * 10):.4f}")


if __name__ == "__main__":
    typer.run(main)
