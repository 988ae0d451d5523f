"""Evidence that a version fails more often than the one before it: one vote a returning user, a betting e-process, e-BH.

A test on syncs mistakes one user's loop for a thousand observations, and a p-value that is looked at every day is low
sooner or later. Here every user votes once, and the evidence E stays valid whenever it is looked at: if the new version is
no worse than m, E is above 1/a at any time with a chance of a at most (Ville's inequality).

Sources: docs/metrics.md, section 3. Waudby-Smith & Ramdas (2024), Estimating means of bounded random variables by betting,
JRSS B 86(1). Wang & Ramdas (2022), False discovery rate control with e-values, JRSS B 84(3).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv
from scipy.stats import false_discovery_control

Floats = npt.NDArray[np.float64]

BETS: Final = 12
FRACTIONS: Final = np.linspace(0.05, 0.95, BETS)  # of 1/m, the largest bet that cannot lose everything
MOST: Final = np.log(
    1e300
)  # of a bet's winnings: less evidence than there is is evidence still, and JSON knows no infinity
BOUND: Final = 0.90
FALSE_DISCOVERIES: Final = 0.1


def bound(votes: Floats) -> float:
    """The upper 90 % bound of the mean of votes in [0, 1], shape (n,), n > 0: Clopper and Pearson's with the sum of the votes.

    It is exact for votes of 0 and 1 and wider than need be for those between: they vary less.
    """
    total, number = float(votes.sum()), len(votes)
    if total >= number:
        return 1.0
    return float(betaincinv(total + 1, number - total, BOUND))


def weigh(votes: Floats, baseline: float) -> Floats:
    """E after each of the votes, shape (n,): the mean over 12 bets b of the product of 1 + b (vote - baseline).

    `votes` in [0, 1], in the order in which they were settled; `baseline` in (0, 1]. Bets are 0.05 to 0.95 of 1/baseline, so
    every factor is positive.
    """
    bets = FRACTIONS / baseline
    logs = np.cumsum(np.log1p(np.outer(bets, votes - baseline)), axis=1)
    return np.asarray(np.exp(np.minimum(logs, MOST)).mean(axis=0), dtype=np.float64)


def discover(evidence: Sequence[float]) -> list[bool]:
    """Which of many hypotheses are rejected with a false-discovery rate of 0.1 at most, however they depend: e-BH.

    The same as Benjamini and Hochberg's procedure on 1/E.
    """
    if not evidence:
        return []
    chances = 1 / np.maximum(np.asarray(evidence, dtype=np.float64), 1.0)
    return [bool(each <= FALSE_DISCOVERIES) for each in false_discovery_control(chances, method="bh")]
