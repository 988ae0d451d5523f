"""The laws of the evidence against a version."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from app.reports.evidence import BETS, bound, discover, weigh

VOTES = st.lists(st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 1.0]) | st.floats(0, 1), min_size=1, max_size=12)
BASELINES = st.floats(0.01, 1.0)


@pytest.mark.parametrize("baseline", [0.05, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("number", [1, 3, 6])
def test_evidence_is_one_on_average_for_a_version_as_bad_as_the_baseline(
    baseline: float, number: int
) -> None:
    """Over every outcome of votes that are 1 with the baseline's chance: the law that Ville's inequality rests on."""
    mean = 0.0
    for votes in itertools.product((0.0, 1.0), repeat=number):
        failed = sum(votes)
        chance = baseline**failed * (1 - baseline) ** (number - failed)
        mean += chance * weigh(np.array(votes), baseline)[-1]
    assert mean == pytest.approx(1.0)


@given(VOTES, BASELINES)
def test_evidence_is_the_mean_of_the_bets(votes: list[float], baseline: float) -> None:
    course = weigh(np.array(votes), baseline)
    assert (course > 0).all()
    assert len(course) == len(votes)
    products = [
        math.prod(1 + (0.05 + number * 0.9 / (BETS - 1)) / baseline * (vote - baseline) for vote in votes)
        for number in range(BETS)
    ]
    assert course[-1] == pytest.approx(sum(products) / BETS, rel=1e-9)


@given(VOTES, BASELINES, st.randoms(use_true_random=False))
def test_the_order_of_the_votes_changes_nothing_in_the_end(votes, baseline, shuffled) -> None:  # type: ignore[no-untyped-def]
    other = list(votes)
    shuffled.shuffle(other)
    assert weigh(np.array(other), baseline)[-1] == pytest.approx(weigh(np.array(votes), baseline)[-1])


@given(VOTES, BASELINES)
def test_a_failure_more_is_never_less_evidence(votes: list[float], baseline: float) -> None:
    worse = [1.0, *votes[1:]]
    assert weigh(np.array(worse), baseline)[-1] >= weigh(np.array(votes), baseline)[-1] * (1 - 1e-12)


def test_evidence_stays_a_number() -> None:
    course = weigh(np.ones(500), bound(np.zeros(300)))
    assert np.isfinite(course).all()
    assert (np.diff(course) >= 0).all()
    assert course[-1] > 1e299


@given(VOTES)
def test_the_baseline_lies_above_the_mean(votes: list[float]) -> None:
    assert sum(votes) / len(votes) <= bound(np.array(votes)) <= 1


def test_the_baseline_is_that_of_clopper_and_pearson() -> None:
    votes = np.array([1.0] * 3 + [0.0] * 17)
    assert bound(votes) == pytest.approx(beta.ppf(0.90, 4, 17))
    assert bound(np.ones(4)) == 1.0


@given(st.lists(st.floats(0.01, 1e6), max_size=12))
def test_discoveries_are_those_of_e_bh(evidence: list[float]) -> None:
    """Wang & Ramdas: reject the k largest, for the largest k with k * E_(k) / K >= 1 / q."""
    ordered = sorted(evidence, reverse=True)
    rejected = max((k for k, each in enumerate(ordered, 1) if k * each / len(ordered) >= 10), default=0)
    found = discover(evidence)
    assert sum(found) >= rejected  # equal ones go together
    assert (
        all(
            is_found == (each >= ordered[rejected - 1])
            for each, is_found in zip(evidence, found, strict=True)
        )
        or not rejected
    )
    if not rejected:
        assert not any(found)
