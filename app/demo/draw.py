"""Draws from a seeded generator: ids, hashes and counts, the same on every platform and Python.

Only `random()`, `getrandbits` and what is computed from them in floating point is used; nothing here reads
the clock, the environment or the order of a set.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import Final, TypeVar

CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
RANDOM_BITS: Final = 80
DAY: Final = 86_400.0
HOUR: Final = 3_600.0

T = TypeVar("T")


def encode_ulid(moment: float, randomness: int) -> str:
    """Return a ULID minted at `moment` (seconds since 1970) with 80 bits of `randomness`."""
    number = (int(moment * 1000) << RANDOM_BITS) | randomness
    return "".join(CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))


def draw_ulid(random: Random, moment: float) -> str:
    """Return a fresh ULID minted at `moment`."""
    return encode_ulid(moment, random.getrandbits(RANDOM_BITS))


def draw_hash(random: Random) -> str:
    """Return what a SHA-256 looks like: 64 lower-case hexadecimal digits."""
    return f"{random.getrandbits(256):064x}"


def draw_uuid(random: Random) -> str:
    """Return a random UUID (version 4)."""
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def draw_count(random: Random, mean: float) -> int:
    """Return a Poisson count, by Knuth's product: fit for small means."""
    limit, count, product = math.exp(-mean), 0, random.random()
    while product > limit:
        count += 1
        product *= random.random()
    return count


def draw_skewed(random: Random, median: float, spread: float) -> float:
    """Return a positive, right-skewed amount: log-normal around `median`; one `spread` is a factor of e."""
    return median * math.exp(spread * draw_normal(random))


def draw_normal(random: Random) -> float:
    """Return a standard normal deviate (Box and Muller)."""
    return math.sqrt(-2.0 * math.log(1.0 - random.random())) * math.cos(math.tau * random.random())


def pick(random: Random, choices: Sequence[tuple[T, float]]) -> T:
    """Return one of `choices` (value, weight)."""
    remaining = random.random() * sum(weight for _, weight in choices)
    for value, weight in choices:
        remaining -= weight
        if remaining < 0:
            return value
    return choices[-1][0]


def shuffle(random: Random, values: Sequence[T]) -> list[T]:
    """Return a copy of `values` in random order."""
    return [
        value for _, value in sorted(((random.random(), value) for value in values), key=lambda pair: pair[0])
    ]


def format_timestamp(moment: float, *, offset: bool) -> str:
    """Return ISO 8601 as `datetime.isoformat` writes it: no fraction when it is zero,
    `+00:00` only with `offset`."""
    instant = datetime.fromtimestamp(moment, UTC)
    return (instant if offset else instant.replace(tzinfo=None)).isoformat()
