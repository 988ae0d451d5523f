"""The statistics of the ranking: a Beta prior fitted to the fleet, and rates with intervals that lean on it.

The evidence of a connector is its users, not its syncs: one looping job must not look like ten thousand observations.
So a connector with n users and capped rate r counts as n trials with n·r failures.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import betainccinv, betaincinv, betaln, logit

Floats = npt.NDArray[np.float64]

INTERVAL: Final = 0.90


@dataclass(frozen=True, slots=True)
class Prior:
    """A Beta distribution of failure rates: what is expected of a connector of which nothing is known yet."""

    alpha: float
    beta: float


# The prior of the published table (docs on ranking): what a fleet that says nothing is taken for.
DEFAULT_PRIOR: Final = Prior(alpha=0.78, beta=11.95)
# How far, in log units, a fleet may pull mean and weight of the prior from the default: a factor of e² is one standard
# deviation. A dozen connectors outweigh it; it only keeps fleets without failures, or of one connector, from
# fitting a prior of zero or infinite weight.
LEASH: Final = 2.0
# A prior may not be surer than this that nothing (or everything) ever fails: below about 0.06 the mean of a posterior
# without failures lies outside of its own interval.
MIN_SHAPE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Estimates:
    """Posterior mean and bounds of the central interval, one number a connector, each in [0, 1]."""

    rate: Floats
    low: Floats
    high: Floats


def fit_prior(units: Floats, capped_rates: Floats) -> Prior:
    """Fit the prior to a fleet by empirical Bayes: maximise the beta-binomial likelihood of all connectors.

    `units` (users, ≥ 0) and `capped_rates` (in [0, 1]) have one entry a connector, of any number of users: the likelihood
    weighs the small ones. An empty fleet gives DEFAULT_PRIOR.
    """
    failures = units * capped_rates
    centre = np.array([_logit_mean(DEFAULT_PRIOR), np.log(DEFAULT_PRIOR.alpha + DEFAULT_PRIOR.beta)])

    def cost(point: Floats) -> float:
        prior = _prior_at(point)
        likelihood = betaln(prior.alpha + failures, prior.beta + units - failures) - betaln(
            prior.alpha, prior.beta
        )
        return float(-likelihood.sum() + ((point - centre) ** 2).sum() / (2 * LEASH**2))

    return _prior_at(minimize(cost, centre, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9}).x)


def _logit_mean(prior: Prior) -> float:
    return float(logit(prior.alpha / (prior.alpha + prior.beta)))


def _prior_at(point: Floats) -> Prior:
    """The prior with (logit of the mean, log of alpha + beta)."""
    mean, weight = 1 / (1 + np.exp(-point[0])), np.exp(point[1])
    return Prior(alpha=max(MIN_SHAPE, float(mean * weight)), beta=max(MIN_SHAPE, float((1 - mean) * weight)))


def estimate(prior: Prior, units: Floats, capped_rates: Floats) -> Estimates:
    """Rate = (alpha + units·capped_rate) / (alpha + beta + units), and its 90 % interval with n = units."""
    failures = units * capped_rates
    alpha, beta = prior.alpha + failures, prior.beta + units - failures
    tail = (1 - INTERVAL) / 2
    return Estimates(
        rate=alpha / (alpha + beta),
        low=np.asarray(betaincinv(alpha, beta, tail), dtype=np.float64),
        high=np.asarray(betainccinv(alpha, beta, tail), dtype=np.float64),
    )
