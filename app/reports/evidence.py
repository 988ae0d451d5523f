"""Evidence that a version fails more often than the one before it: one vote a returning user, a
betting e-process, closed e-BH.

A test on syncs mistakes one user's loop for a thousand observations, and a p-value that is looked
at every day is low sooner or later. Here every user votes once, and the evidence E stays valid
whenever it is looked at: if the new version is no worse than m, E is above 1/a at any time with a
chance of a at most (Ville's inequality).

Sources: docs/metrics.md, section 3. Waudby-Smith & Ramdas (2024), Estimating means of bounded random
variables by betting, JRSS B 86(1). Wang & Ramdas (2022), False discovery rate control with e-values, JRSS B
84(3). Xu, Fischer & Ramdas (2025), Bringing closure to false discovery rate control: beating the
e-Benjamini-Hochberg procedure, arXiv:2504.11759.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

Floats = npt.NDArray[np.float64]

BETS: Final = 12
FRACTIONS: Final = np.linspace(0.05, 0.95, BETS)  # of 1/m, the largest bet that cannot lose everything
MOST: Final = np.log(
    1e300
)  # of a bet's winnings: less evidence than there is is evidence still, and JSON knows no infinity
BOUND: Final = 0.90
# 1/q: a tenth of what is found may be false.
ODDS: Final = 10.0


def bound(votes: Floats) -> float:
    """Return the upper 90 % bound of the mean of votes in [0, 1], shape (n,), n > 0: Clopper and
    Pearson's with the sum of the votes.

    It is exact for votes of 0 and 1 and wider than need be for those between: they vary less.
    """
    total, number = float(votes.sum()), len(votes)
    if total >= number:
        return 1.0
    return float(betaincinv(total + 1, number - total, BOUND))


def unlikely_above(new: Floats, old: Floats) -> float:
    """Return the rise of the mean vote, in [0, 1], above which none is likely: what
    "not enough data" does exclude.

    Upper 90 % bound of mean(new) - mean(old): each has Clopper and Pearson's bound, and their distances add
    up in quadrature (MOVER, Donner & Zou 2012). Shapes (n,) and (m,), n, m > 0.
    """
    above, below = bound(new) - new.mean(), old.mean() - (1 - bound(1 - old))
    return float(min(new.mean() - old.mean() + np.hypot(above, below), 1.0))


def weigh(votes: Floats, baseline: float) -> Floats:
    """Return E after each of the votes, shape (n,): the mean over 12 bets b of the
    product of 1 + b (vote - baseline).

    `votes` in [0, 1], in the order in which they were settled; `baseline` in (0, 1]. Bets are 0.05 to 0.95 of
    1/baseline, so every factor is positive.
    """
    bets = FRACTIONS / baseline
    logs = np.cumsum(np.log1p(np.outer(bets, votes - baseline)), axis=1)
    return np.asarray(np.exp(np.minimum(logs, MOST)).mean(axis=0), dtype=np.float64)


def discover(evidence: Sequence[float]) -> list[bool]:
    """Return which of many hypotheses are rejected with a false-discovery rate of 0.1 at most,
    however they depend: closed e-BH.

    The largest set R for which every set S of hypotheses has a sum of E of |S| |S and R| / (0.1 |R|) at
    least. It holds e-BH's set. `evidence` >= 0; of equal E at the edge the first ones are rejected.

    Whichever set of a size passes, the one of the largest E of that size passes, too, and of the
    sets S with j in R and k outside the least sum is that of the j and the k smallest: so one
    loop over sizes sees them all.
    """
    values = np.asarray(evidence, dtype=np.float64)
    order = np.argsort(-values, kind="stable")
    descending = values[order]
    sizes = np.arange(1, len(values) + 1)
    # The least E of the set alone: what most sizes fail at.
    for size in sizes[sizes * descending >= ODDS][::-1]:
        if is_closed(descending[:size][::-1], descending[size:][::-1]):
            return [bool(each) for each in np.isin(np.arange(len(values)), order[:size])]
    return [False] * len(values)


def ask(evidence: Sequence[float]) -> float | None:
    """Return the E from which on the strongest hypothesis that `discover` leaves would be
    found, the others as they are.

    To a thousandth; None where all are found. More E never hurts, and 10 for each hypothesis is
    always enough: so halving finds it.
    """
    found = discover(evidence)
    left = [place for place, is_found in enumerate(found) if not is_found]
    if not left:
        return None
    place = max(left, key=lambda each: (evidence[each], -each))
    low, high = float(evidence[place]), ODDS * len(evidence)
    while high > low + 0.001 * high:
        middle = (low + high) / 2
        tried = [*evidence]
        tried[place] = middle
        low, high = (low, middle) if discover(tried)[place] else (middle, high)
    return high


def is_closed(chosen: Floats, others: Floats) -> bool:
    """Return whether for all j <= |chosen| and k <= |others| the j and the k smallest sum up
    to (j + k) j / (0.1 |chosen|).

    Both ascend. With j given, each of the others changes the difference by E - j / (0.1 |chosen|): the
    worst k takes those that lessen it.
    """
    size = len(chosen)
    counts = np.arange(1, size + 1, dtype=np.float64)
    needed = ODDS * counts
    worst = np.searchsorted(size * others, needed)
    sums = np.cumsum(chosen) + np.concatenate(([0.0], np.cumsum(others)))[worst]
    return bool((size * sums >= (counts + worst) * needed).all())
