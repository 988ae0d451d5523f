"""The statistics of the ranking: a Beta prior fitted to the fleet, and rates with intervals that lean on it.

The evidence of a connector is its users, not its syncs: one looping job must not look like ten thousand
observations. So a connector with n users and capped rate r counts as n trials with n·r failures.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import betainccinv, betaincinv, betaln

Floats = npt.NDArray[np.float64]

INTERVAL: Final = 0.90


@dataclass(frozen=True, slots=True)
class Prior:
    """A Beta distribution of failure rates: what is expected of a connector of which nothing is known yet."""

    alpha: float
    beta: float


# The prior of the published table (docs on ranking): what a fleet that says nothing is taken for.
DEFAULT_PRIOR: Final = Prior(alpha=0.78, beta=11.95)
# How far, in log units, a fleet may pull odds and weight of the prior from the default: a factor of e² is one
# standard deviation. A dozen connectors outweigh it; it only keeps fleets without failures, or of one
# connector, from fitting a prior of zero or infinite weight.
LEASH: Final = 2.0
# A prior may not be surer than this that nothing (or everything) ever fails: below about 0.06 the mean of a
# posterior without failures lies outside of its own interval.
MIN_SHAPE: Final = 0.1
MAX_SHAPE: Final = 1e6
LOG_ODDS: Final = float(np.log(DEFAULT_PRIOR.alpha / DEFAULT_PRIOR.beta))
LOG_WEIGHT: Final = float(np.log(DEFAULT_PRIOR.alpha + DEFAULT_PRIOR.beta))


@dataclass(frozen=True, slots=True)
class Estimates:
    """Posterior mean and bounds of the central interval, one number a connector, each in [0, 1]."""

    rate: Floats
    low: Floats
    high: Floats


def fit_prior(units: Floats, capped_rates: Floats) -> Prior:
    """Return the prior, fitted to a fleet by empirical Bayes: maximise the beta-binomial likelihood of all
    connectors.

    `units` (users, >= 0) and `capped_rates` (in [0, 1]) have one entry a connector, of any number of users:
    the likelihood weighs the small ones. An empty fleet gives DEFAULT_PRIOR.
    """
    # In an order of their own: a sum of floats, and with it the last digits of every rate, depends on it.
    order = np.lexsort((capped_rates, units))
    units, failures = units[order], (units * capped_rates)[order]

    def cost(shape_logs: Floats) -> float:
        alpha, beta = np.exp(shape_logs)
        likelihood = betaln(alpha + failures, beta + units - failures) - betaln(alpha, beta)
        pull = (np.log(alpha / beta) - LOG_ODDS) ** 2 + (np.log(alpha + beta) - LOG_WEIGHT) ** 2
        return float(pull / (2 * LEASH**2) - likelihood.sum())

    pooled = (DEFAULT_PRIOR.alpha + failures.sum()) / (np.exp(LOG_WEIGHT) + units.sum())
    start = LOG_WEIGHT + np.log([pooled, 1 - pooled])
    bounds = [(np.log(MIN_SHAPE), np.log(MAX_SHAPE))] * 2
    found = minimize(cost, np.clip(start, *bounds[0]), method="L-BFGS-B", bounds=bounds)
    alpha, beta = np.exp(found.x)
    return Prior(alpha=float(alpha), beta=float(beta))


def estimate(prior: Prior, units: Floats, capped_rates: Floats) -> Estimates:
    """Return rate = (alpha + units·capped_rate) / (alpha + beta + units), and its 90 % interval with n =
    units."""
    failures = units * capped_rates
    alpha, beta = prior.alpha + failures, prior.beta + units - failures
    tail = (1 - INTERVAL) / 2
    return Estimates(
        rate=alpha / (alpha + beta),
        low=np.asarray(betaincinv(alpha, beta, tail), dtype=np.float64),
        high=np.asarray(betainccinv(alpha, beta, tail), dtype=np.float64),
    )


def bound(share: float, units: float) -> tuple[float, float]:
    """Return Jeffreys' 90 % interval of a share among so many users: the Beta posterior of the prior (1/2,
    1/2)."""
    alpha, beta = share * units + 0.5, (1 - share) * units + 0.5
    tail = (1 - INTERVAL) / 2
    return float(betaincinv(alpha, beta, tail)), float(betainccinv(alpha, beta, tail))
