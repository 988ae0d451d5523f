"""Token buckets in memory: an address may do something so many times at once, and so often after that.

Addresses are kept as digests under a salt that is thrown away every hour with all buckets;
they are never stored or logged.
"""

import hashlib
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final

SALT_SECONDS: Final = 3600.0
ADDRESSES: Final = 10_000  # beyond it the oldest make room
EVERYONE: Final = b"everyone"
RESERVE: Final = b"reserve"


@dataclass(slots=True)
class Bucket:
    """What is left for one address: `tokens` at the time `filled`."""

    tokens: float
    filled: float


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` at once, `per_second` after that."""

    burst: int
    per_second: float


class Throttle:
    """Limits each address, and all of them together, so that nobody can fill the
    database from many addresses."""

    def __init__(
        self,
        each: Rate,
        all_together: Rate,
        clock: Callable[[], float] = time.monotonic,
        reserve: Rate | None = None,
    ) -> None:
        """`clock` gives seconds; whoever has used up its own may draw on the
        `reserve`, which is one for all."""
        self.each = each
        self.all_together = all_together
        self.reserve = reserve
        self.clock = clock
        self.start_over()

    def start_over(self) -> None:
        """Throw the salt away, and every bucket with it."""
        self.salt = secrets.token_bytes(16)
        self.salted = self.clock()
        self.buckets: dict[bytes, Bucket] = {}

    def admit(self, address: str) -> int | None:
        """Take one token of an address; return None, or the whole seconds after which there is one again."""
        if self.clock() - self.salted > SALT_SECONDS:
            self.start_over()
        digest = hashlib.blake2b(network(address), key=self.salt, digest_size=16).digest()
        wait = self.take(digest, self.each)
        if wait is not None and (self.reserve is None or self.take(RESERVE, self.reserve) is not None):
            return wait
        return self.take(EVERYONE, self.all_together)

    def charge(self, address: str, tokens: float) -> None:
        """Take further tokens of an address that was admitted, even those that are not there:
        it waits for them next time."""
        digest = hashlib.blake2b(network(address), key=self.salt, digest_size=16).digest()
        bucket = self.buckets.get(digest)
        if bucket is not None:
            bucket.tokens = max(bucket.tokens - tokens, -float(self.each.burst))

    def take(self, name: bytes, rate: Rate) -> int | None:
        """Take one token of a bucket; return None, or the seconds to wait."""
        now = self.clock()
        bucket = self.buckets.pop(name, None) or Bucket(rate.burst, now)
        self.buckets[name] = bucket  # last in order: the first is the one not seen for longest
        bucket.tokens = min(rate.burst, bucket.tokens + (now - bucket.filled) * rate.per_second)
        bucket.filled = now
        if len(self.buckets) > ADDRESSES:
            del self.buckets[next(iter(self.buckets))]
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return None
        return math.ceil((1 - bucket.tokens) / rate.per_second)


def network(address: str) -> bytes:
    """Return the address, of IPv6 the first 64 bits: whoever has one there has all of
    them. IPv4 within IPv6 is IPv4."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address.encode()
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return parsed.packed[:8] if isinstance(parsed, IPv6Address) else parsed.packed
