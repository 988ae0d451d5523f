"""The prior, the estimates, and the published table of the ranking."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from app.reports.statistics import DEFAULT_PRIOR, Prior, estimate, fit_prior

PUBLISHED_PRIOR = Prior(alpha=0.78, beta=11.95)

# name, units, capped rate -> rate, low, high, burden, as printed
PUBLISHED = {
    "busy, a real 9 % bug": (400, 720 / 8000, ".089", ".067", ".113", "36.0"),
    "mid, 25 %": (80, 300 / 1200, ".224", ".157", ".298", "20.0"),
    "popular, 1.2 %": (900, 480 / 40500, ".013", ".007", ".019", "10.7"),
    # Every user weighs 5: one whose attempts all fail, and sixty with 6 failures of 10 attempts each in all.
    "one cron job failing 10,000 times": (61, (5 + 3) / 305, ".032", ".007", ".072", "1.6"),
    "tiny, 2 of 2 fail": (2, 1.0, ".189", ".054", ".373", "2.0"),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_table(name: str) -> None:
    units, capped_rate, rate, low, high, burden = PUBLISHED[name]
    found = estimate(PUBLISHED_PRIOR, np.array([float(units)]), np.array([capped_rate]))
    printed = [f"{value[0]:.3f}".removeprefix("0") for value in (found.rate, found.low, found.high)]
    assert printed == [rate, low, high]
    assert f"{units * capped_rate:.1f}" == burden


def test_prior_of_a_known_fleet_is_found_again() -> None:
    generator = np.random.default_rng(7)
    units = generator.integers(5, 500, 600).astype(np.float64)
    failures = generator.binomial(units.astype(int), generator.beta(1.5, 20.0, 600))
    prior = fit_prior(units, failures / units)
    assert prior.alpha / (prior.alpha + prior.beta) == pytest.approx(1.5 / 21.5, rel=0.1)
    assert prior.alpha + prior.beta == pytest.approx(21.5, rel=0.25)


@pytest.mark.parametrize(
    ("units", "capped_rates"),
    [
        ([], []),
        ([1.0], [1.0]),
        ([1.0], [0.0]),
        ([500.0] * 50, [0.0] * 50),
        ([500.0] * 50, [1.0] * 50),
        ([100.0] * 30, [0.1] * 30),
        ([1e6, 1.0], [1e-6, 1.0]),
    ],
)
def test_prior_of_an_odd_fleet_is_a_proper_one(units: list[float], capped_rates: list[float]) -> None:
    prior = fit_prior(np.array(units), np.array(capped_rates))
    found = estimate(prior, np.array([0.0, 10.0, 10.0, 2000.0, 2000.0]), np.array([0.0, 0.0, 1.0, 0.0, 1.0]))
    assert 0 < prior.alpha < np.inf
    assert 0 < prior.beta < np.inf
    for low, rate, high in zip(found.low, found.rate, found.high, strict=True):
        assert 0 <= low <= rate <= high <= 1


@pytest.mark.parametrize(
    ("capped_rate", "low", "high"), [(0.0, 0.0, 0.01), (0.1, 0.09, 0.11), (1.0, 0.99, 1.0)]
)
def test_a_uniform_fleet_expects_more_of_the_same(capped_rate: float, low: float, high: float) -> None:
    prior = fit_prior(np.full(50, 500.0), np.full(50, capped_rate))
    assert low <= prior.alpha / (prior.alpha + prior.beta) <= high


def test_an_empty_fleet_has_the_default_prior() -> None:
    prior = fit_prior(np.array([]), np.array([]))
    assert (prior.alpha, prior.beta) == pytest.approx((DEFAULT_PRIOR.alpha, DEFAULT_PRIOR.beta), rel=1e-4)


def test_more_users_narrow_the_interval() -> None:
    found = estimate(PUBLISHED_PRIOR, np.array([10.0, 100.0, 1000.0]), np.full(3, 0.1))
    widths = found.high - found.low
    assert widths[0] > widths[1] > widths[2]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are reported by Linux only")
def test_a_prior_is_fitted_in_one_thread() -> None:
    """Threads of BLAS would only spin, beside the requests of the same machine."""
    fit = (
        "import os; from app.reports.statistics import fit_prior; import numpy as np;"
        "fit_prior(np.array([9.0, 40.0]), np.array([0.1, 0.3])); print(len(os.listdir('/proc/self/task')))"
    )
    clean = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    run = subprocess.run([sys.executable, "-c", fit], env=clean, capture_output=True, text=True, check=True)
    assert run.stdout == "1\n"
