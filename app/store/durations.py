"""How long syncs took, in classes: what the rollups store of a duration, and what the reports make of it.

Class c = 1 … 117 holds 2^((c - 1) / 4) to 2^(c / 4) ms: four classes a doubling, from a millisecond to a
week. Sums of classes are sums of logarithms, so that their mean is the class of the geometric mean.
"""

import math
from typing import Final

PER_DOUBLING: Final = 4
LONGEST_MS: Final = 7 * 86_400_000  # no session is longer: see app/rollups/sql/accepted.sql
# Where each class begins, in whole ms. Compared as integers: no logarithm of another machine decides.
EDGES: Final = [
    math.ceil(2 ** (number / PER_DOUBLING)) for number in range(int(math.log2(LONGEST_MS) * PER_DOUBLING) + 1)
]
# Means of classes are told in quarters of one.
QUARTERS: Final = 4


def to_seconds(quarters: int) -> float:
    """Return the duration in seconds that a mean class stands for, given in quarters: the middle of the
    class, at most 9 % from either end, to three digits.
    """
    milliseconds: float = 2 ** ((quarters / QUARTERS - 0.5) / PER_DOUBLING)
    return float(f"{milliseconds / 1000:.3g}")
