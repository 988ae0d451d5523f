"""The ranking and the regressions against a made-up truth: what the sorts find, what the
intervals hold, what alerts are worth.

Everything that is judged is the product's own code; only users and syncs are made up.
docs/statistics.md has the figures.
"""

from collections.abc import Iterable
from typing import Annotated, Final, TypeVar

import numpy as np
import typer
from rich.console import Console
from rich.progress import track

from app.reports import evidence
from app.reports.comparison import WATCH
from benchmarks import adopters, ranked, released
from benchmarks.adopters import World
from benchmarks.ranked import Rule
from benchmarks.released import Method

T = TypeVar("T")

EXAMPLE: Final = (
    "Example: python3 dev.py bench statistics --fleets 60 --years 3 --seed 1 (ten minutes of one core)"
)
RULES: Final = {
    "at most 20 attempts a user": Rule(20),
    "at most 5": Rule(5),
    "20, ids linked and weighed": Rule(20, linked=True, weighed=True),
    "5, ids linked": Rule(5, linked=True),
    "5, ids linked and weighed": Rule(5, linked=True, weighed=True),
}
WORLDS: Final = {
    "nothing gets worse": World(0.0, worse=0.0),
    "+10 points": World(0.1),
    "+20 points": World(0.2),
    "+20, a third in companies of five": World(0.2, companies=1 / 3),
    "+20, self-selected adopters": World(0.2, selected=True),
    "+20, adopters who fail 20 points more": World(0.2, selected=True, eager=0.2),
    "+20, all in companies of five": World(0.2, companies=1.0),
    "+20, all in companies, a tenth in trouble": World(0.2, companies=1.0, loopers=0.1),
    "+20, all in companies, adopters who fail 20 points more": World(
        0.2, companies=1.0, selected=True, eager=0.2
    ),
}
METHODS: Final = {
    "3 days, e-BH": Method((3,), closed=False, family=1, own=False),
    "7 days, e-BH": Method((7,), closed=False, family=1, own=False),
    "7 days, e-BH, 5 votes": Method((7,), closed=False, own=False),
    "7 days, closed e-BH, 5 votes": Method((7,), own=False),
    "the same, and the same users before": released.PRODUCT,
    "3 days, closed e-BH, all gates": Method((3,)),
    "half 3, half 7 days, closed e-BH, all gates": Method((3, 7)),
}
VOTES: Final = ((5, 10), (10, 20), (20, 40), (40, 80), (80, adopters.MOST + 1))


def print_ranking(random: np.random.Generator, fleets: int) -> None:
    """Print what the sorts find under each rule, with few loopers and with many."""
    print(
        "| loopers | rule | precision at 10 of burden | of affected_units | 90 % intervals that hold "
        "the rate |"
    )
    print("|---|---|---|---|---|")
    for loopers in (0.004, 0.02):
        many = ranked.draw_many(random, loopers)
        found = [ranked.rank(random, many, loopers, RULES) for _ in watch(range(fleets), "Fleets")]
        for name in RULES:
            burden, affected = (
                np.mean([each[name][0][sort] for each in found]) for sort in ("burden", "affected_units")
            )
            held = [one for each in found for one in each[name][1]]
            print(
                f"| {100 * loopers:g} % | {name} | {burden:.3f} | {affected:.3f} | {np.mean(held):.3f} "
                f"of {len(held):,} |"
            )
    name = list(RULES)[-1]
    print(f"\nEvery sort, {name}, 2 % loopers:\n\n| sort | precision at 10 |\n|---|---|")
    sorts = {sort: np.mean([each[name][0][sort] for each in found]) for sort in found[0][name][0]}
    for sort in sorted(sorts, key=lambda each: -sorts[each]):
        print(f"| {sort} | {sorts[sort]:.3f} |")


def print_regressions(seed: int, years: int) -> None:
    """Print what alerts are worth in each world under each method, and how power grows with votes."""
    print("| world | method | alerts | of them false | power | median delay, days | E of 20, no worse |")
    print("|---|---|---|---|---|---|---|")
    for world_name, world in WORLDS.items():
        randoms = [np.random.default_rng([seed, year]) for year in range(years)]
        made = [adopters.draw_year(random, world) for random in watch(randoms, world_name)]
        for name, method in METHODS.items():
            outcomes = [released.judge_year(year, method) for year in made]
            print(f"| {world_name} | {name} | {describe(outcomes)} |", flush=True)
            if (world_name, method) == ("+20 points", released.PRODUCT):
                product = outcomes
    print("\n| votes on a version that is 20 points worse | power | versions |\n|---|---|---|")
    votes, found = join(product)
    for low, high in VOTES:
        chosen = (votes >= low) & (votes < high)
        print(f"| {low} to {high - 1} | {found[chosen].mean():.3f} | {chosen.sum():,} |")


def join(outcomes: list[released.Outcome]) -> tuple[adopters.Ints, adopters.Flags]:
    """Return of every version that is worse its votes, and whether it was found."""
    return np.concatenate([each.votes for each in outcomes]), np.concatenate(
        [each.found for each in outcomes]
    )


def describe(outcomes: list[released.Outcome]) -> str:
    """Return the cells of a row."""
    true, false = sum(each.true for each in outcomes), sum(each.false for each in outcomes)
    votes, found = join(outcomes)
    could = found[votes >= VOTES[0][0]]
    delays = [day for each in outcomes for day in each.delays]
    power = f"{could.mean():.3f} of {len(could):,}" if len(could) else ""
    late = f"{np.median(delays):g}" if delays else ""
    rate = false / max(true + false, 1)
    return (
        f"{true + false} | {false} ({rate:.3f}) | {power} | {late} | "
        f"{np.mean([each.watched for each in outcomes]):.4f}"
    )


def peek(random: np.random.Generator, repeats: int) -> float:
    """Return the share of versions no worse than before whose E reaches 20 at any time of 400 votes."""
    world, reached = World(0.0), 0
    for _ in range(repeats):
        people = adopters.draw_people(random, world, float(random.beta(*adopters.RATE)), 600)
        votes = adopters.draw_release(random, world, people, 0, is_worse=False).votes[7]
        baseline = evidence.bound(random.choice(votes.old, 100))
        reached += bool(evidence.weigh(random.choice(votes.new, 400), baseline).max() >= WATCH)
    return reached / repeats


def watch(each: Iterable[T], label: str) -> Iterable[T]:
    """Return the same, with a bar on standard error while it lasts."""
    return track(each, label, console=Console(stderr=True), transient=True)


def main(
    fleets: Annotated[int, typer.Option(help="Fleets of 250 connectors that are ranked.", min=0)] = 60,
    years: Annotated[int, typer.Option(help="Years of 600 connectors, looked at every day.", min=0)] = 3,
    seed: Annotated[int, typer.Option(help="The same seed gives the same numbers.")] = 1,
) -> None:
    """Simulate and print tables."""
    if fleets:
        print(f"## Ranking: {fleets} fleets of {ranked.CONNECTOR_COUNT} connectors, seed {seed}\n")
        print_ranking(np.random.default_rng(seed), fleets)
    if years:
        print(f"\n## Regressions: {years} years of {adopters.CONNECTORS} connectors, seed {seed}\n")
        print_regressions(seed, years)
        reached = peek(np.random.default_rng(seed), 1000)
        print(f"\nE of 20 or more, at any time of 400 votes, without any rise: {reached:.4f} of 1,000")


if __name__ == "__main__":
    typer.run(main)
