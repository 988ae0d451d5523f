"""The simulation of docs/statistics.md, in short: the goals hold, and it can tell a sort that works from one that does not."""

import numpy as np

from benchmarks.statistics import alert, peek, rank


def test_burden_finds_what_to_fix_and_counts_do_not() -> None:
    random = np.random.default_rng(1)
    fleets = [rank(random) for _ in range(8)]
    precision = {name: np.mean([found[name] for found, _ in fleets]) for name in fleets[0][0]}
    assert precision["burden"] >= 0.80
    assert precision["burden"] >= precision["failures"] + 0.3
    assert precision["failure_rate"] < 0.1
    held = [each for _, fleet in fleets for each in fleet]
    assert 0.85 <= np.mean(held) <= 0.97


def test_alerts_are_true_and_come() -> None:
    random = np.random.default_rng(1)
    alerts = alert(random, 12, 0.2)
    assert np.mean(alerts.discovered) <= 0.05
    assert (
        np.mean([each for group in alerts.power.values() for each in group]) >= 0.4
    )  # 0.5 over many; few here
    assert np.mean(alerts.watched) <= 0.05


def test_looking_every_day_stays_valid() -> None:
    assert peek(np.random.default_rng(1), 200) <= 0.05
