"""The simulation of docs/statistics.md, in short: the goals hold, and it can tell
what works from what does not."""

import numpy as np
import pytest

from app.reports import evidence
from app.reports.comparison import Comparison
from app.reports.definitions.regressions import REGRESSION, assess
from benchmarks.adopters import WINDOW, Release, World, draw_year
from benchmarks.ranked import Rule, draw_many, rank
from benchmarks.released import PRODUCT, Method, follow, judge_year
from benchmarks.statistics import peek

DAY = WINDOW - 1


def test_burden_finds_what_to_fix_and_counts_do_not() -> None:
    random = np.random.default_rng(1)
    rules = {"20": Rule(20), "5": Rule(5)}
    many = draw_many(random, 0.02)
    fleets = [rank(random, many, 0.02, rules) for _ in range(6)]
    precision = {name: np.mean([each["5"][0][name] for each in fleets]) for name in fleets[0]["5"][0]}
    assert precision["burden"] >= 0.75
    assert precision["burden"] >= precision["failures"] + 0.2
    assert precision["failure_rate"] < 0.1
    held = {name: np.mean([one for each in fleets for one in each[name][1]]) for name in rules}
    assert 0.85 <= held["5"] <= 0.97
    assert held["20"] < held["5"] - 0.04  # a looping job weighs four times as much


@pytest.fixture(scope="module")
def releases() -> list[Release]:
    return draw_year(np.random.default_rng(1), World(0.3), connectors=150)


def test_alerts_are_true_and_come(releases: list[Release]) -> None:
    product = judge_year(releases, PRODUCT)
    before = judge_year(releases, Method((3,), closed=False, family=1, own=False))
    assert product.false <= 1
    assert product.true > before.true > 5
    large = product.votes >= 40
    assert product.found[large].mean() >= 0.6
    assert product.watched <= 0.05
    assert np.median(product.delays) > np.median(before.delays)  # the price of the four days


def test_what_the_simulation_judges_is_the_report(releases: list[Release]) -> None:
    """E, closed e-BH and the gates of all versions on the last day of each: the
    same as in the report's rows."""
    comparisons = []
    for number, release in enumerate(releases):
        votes = release.votes[7]
        settled = int(np.searchsorted(votes.settled, DAY))
        own = [None if np.isnan(one) else float(one) for one in votes.own[:settled]]
        new, old = [float(one) for one in votes.new[:settled]], [float(one) for one in votes.old]
        names = ("source", f"source-{number}", "1.1.0", "1.0.0", "2026-11-01")
        comparisons.append(Comparison(*names, new, old, ["2026-11-08"] * settled, own))
    rows = assess(comparisons, [])
    course = follow(releases, PRODUCT)
    family = np.flatnonzero(~np.isnan(course.evidence[:, DAY]) & (course.votes[:, DAY] >= PRODUCT.family))
    found = np.zeros(len(releases), np.bool_)
    found[family] = evidence.discover(list(course.evidence[family, DAY]))
    assert [row["verdict"] == REGRESSION for row in rows] == list(found & course.passes[:, DAY])
    assert found.any()
    for row, weight, votes in zip(rows, course.evidence[:, DAY], course.votes[:, DAY], strict=True):
        assert row["votes"] == votes
        assert row["evidence"] is None or row["evidence"] == pytest.approx(weight)


def test_looking_every_day_stays_valid() -> None:
    assert peek(np.random.default_rng(1), 100) <= 0.05
