"""The laws of the evidence against a version."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from app.reports.evidence import BETS, ask, bound, discover, unlikely_above, weigh

VOTES = st.lists(st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 1.0]) | st.floats(0, 1), min_size=1, max_size=12)
BASELINES = st.floats(0.01, 1.0)


@pytest.mark.parametrize("baseline", [0.05, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("number", [1, 3, 6])
def test_evidence_is_one_on_average_for_a_version_as_bad_as_the_baseline(
    baseline: float, number: int
) -> None:
    """Over every outcome of votes that are 1 with the baseline's chance: the law that
    Ville's inequality rests on."""
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


# Quarters, so that sums are exact and the limits are met exactly, too.
EVIDENCE = st.lists(
    st.integers(0, 200).map(lambda each: each / 4) | st.sampled_from([0.0, 10.0, 20.0, 1e6]), max_size=6
)


def is_allowed(chosen: tuple[int, ...], evidence: list[float]) -> bool:
    """The definition: every set S has a sum of E of |S| |S and R| / (0.1 |R|) at least."""
    everyone = range(len(evidence))
    sets = (each for size in everyone for each in itertools.combinations(everyone, size + 1))
    return all(
        len(chosen) * sum(Fraction(evidence[one]) for one in each)
        >= 10 * len(each) * len({*each} & {*chosen})
        for each in sets
    )


@given(EVIDENCE)
@settings(max_examples=300)
def test_discoveries_are_those_of_the_largest_set_that_closure_allows(evidence: list[float]) -> None:
    """By the definition, over all sets and all sets of sets: what the loop of the code is short for."""
    everyone = range(len(evidence))
    sizes = [
        size
        for size in range(1, len(evidence) + 1)
        if any(is_allowed(chosen, evidence) for chosen in itertools.combinations(everyone, size))
    ]
    found = discover(evidence)
    chosen = tuple(one for one in everyone if found[one])
    assert len(chosen) == max(sizes, default=0)
    assert is_allowed(chosen, evidence)
    assert all(
        evidence[one] >= evidence[other] for one in chosen for other in everyone if other not in chosen
    )


def find_by_the_issue(evidence: list[float]) -> int:
    """How many are found by the formula as it was written down: for all j, and all k smallest outside."""
    descending = sorted(map(Fraction, evidence), reverse=True)
    for size in range(len(descending), 0, -1):
        inside, outside = descending[:size][::-1], descending[size:][::-1]
        if all(
            sum(inside[:j]) + sum(outside[:k]) >= Fraction((j + k) * j * 10, size)
            for j in range(1, size + 1)
            for k in range(len(outside) + 1)
        ):
            return size
    return 0


@given(st.lists(st.integers(0, 4000).map(lambda each: each / 4), max_size=40))
def test_discoveries_are_as_many_as_the_formula_has(evidence: list[float]) -> None:
    assert sum(discover(evidence)) == find_by_the_issue(evidence)


@given(st.lists(st.floats(0, 1e6) | st.floats(5, 200), max_size=30))
def test_what_e_bh_finds_is_found(evidence: list[float]) -> None:
    """Wang & Ramdas: reject the k largest, for the largest k with k * E_(k) / K >= 1 / q."""
    ordered = sorted(evidence, reverse=True)
    rejected = max((k for k, each in enumerate(ordered, 1) if k * each / len(ordered) >= 10), default=0)
    found = [each for each, is_found in zip(evidence, discover(evidence), strict=True) if is_found]
    assert sorted(found, reverse=True)[:rejected] == ordered[:rejected]


def test_closure_finds_more_than_e_bh() -> None:
    """e-BH asks two of three for 15 each; beside 40, 9 are enough."""
    assert discover([40.0, 9.0, 1.0]) == [True, True, False]
    assert discover([14.0, 14.0, 1.0]) == [False, False, False]
    assert discover([]) == []


@given(st.lists(st.floats(0, 1e4) | st.floats(5, 200), min_size=1, max_size=20))
def test_the_evidence_that_is_asked_for_is_enough_and_less_is_not(evidence: list[float]) -> None:
    asked = ask(evidence)
    found = discover(evidence)
    assert (asked is None) == all(found)
    if asked is not None:
        place = max((E, -n) for n, E in enumerate(evidence) if not found[n])[1] * -1
        for more, is_enough in ((asked, True), (max(asked * 0.998, evidence[place]), False)):
            tried = [*evidence[:place], more, *evidence[place + 1 :]]
            assert discover(tried)[place] == is_enough


def test_the_evidence_that_is_asked_for_depends_on_the_others() -> None:
    assert ask([1.0]) == pytest.approx(10, rel=0.002)
    assert ask([40.0, 1.0, 1.0]) == pytest.approx(9, rel=0.15)
    assert ask([1.0] * 40) == pytest.approx(361, rel=0.002)  # 400 together, and 39 of the others


def test_overwhelming_evidence_leaves_room_for_a_tenth() -> None:
    """Beside 600 that are certain a tenth more may be false: the gates of an alert keep those out."""
    assert 600 < sum(discover([1e300] * 600 + [0.5] * 600)) <= 666


@given(VOTES, VOTES)
def test_a_rise_is_unlikely_above_what_was_seen_and_the_less_is_known_the_higher(
    new: list[float], old: list[float]
) -> None:
    few, many = (unlikely_above(np.array(new * times), np.array(old * times)) for times in (1, 10))
    seen = float(np.mean(new) - np.mean(old))
    assert -1 <= seen <= many + 1e-9
    assert many <= few + 1e-9
    assert few <= 1


def test_users_without_a_failure_exclude_what_nine_in_ten_such_groups_would_show() -> None:
    clean = np.zeros(20)
    assert unlikely_above(clean, np.zeros(100_000)) == pytest.approx(1 - 0.1 ** (1 / 20), abs=1e-4)
