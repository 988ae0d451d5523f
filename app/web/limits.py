"""Which limits hold for senders: by address and by write key, in memory, off for
loopback unless set otherwise."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.problems import Problem
from app.settings import Settings
from app.web.hosts import UNKNOWN_HOST, know_hosts
from app.web.throttle import Rate, Throttle

BURST: Final = 10  # seconds' worth that may come at once
EVERYBODY: Final = 1_000_000  # nobody is refused for what all others send
# What costs as much as a request does: a limit by requests alone would let one of
# 2,500 events pass for one of one.
EVENTS_A_TOKEN: Final = 50
BYTES_A_TOKEN: Final = 32 * 1024

# Takes a token of a bucket; None, or the seconds after which there is one again.
Admit = Callable[[str], int | None]
# Takes further tokens, which may be owed.
Charge = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Limit:
    """What somebody may do: `admit` before it is done, `charge` for what it turned out to be."""

    admit: Admit
    charge: Charge

    def require(self, name: str) -> None:
        """Admit somebody. Raises Problem 429."""
        wait = self.admit(name)
        if wait is not None:
            raise too_many(wait)


# Paths that have limits of their own: nobody may keep others behind one proxy from being forgotten.
OWN_LIMITS: Final = frozenset({"/v1/forget"})
UNLIMITED: Final = Limit(lambda _name: None, lambda _name, _tokens: None)


def limit_addresses(settings: Settings) -> Limit:
    """Return the limit of an address; none for loopback unless that is set."""
    found = limit(settings.address_rate)
    if settings.limit_loopback or found is UNLIMITED:
        return found
    return Limit(
        lambda address: None if is_loopback(address) else found.admit(address),
        lambda address, tokens: None if is_loopback(address) else found.charge(address, tokens),
    )


def limit_keys(settings: Settings) -> Limit:
    """Return the limit of a write key."""
    return limit(settings.key_rate)


def limit(rate: int) -> Limit:
    """Return a limit of `rate` a second, none if it is 0."""
    if rate == 0:
        return UNLIMITED
    throttle = Throttle(
        Rate(burst=rate * BURST, per_second=rate), Rate(burst=EVERYBODY, per_second=EVERYBODY)
    )
    return Limit(throttle.admit, throttle.charge)


def make_check(
    settings: Settings, addresses: Limit, find_peer: Callable[[Mapping[str, Any]], str]
) -> Callable[[Mapping[str, Any]], Problem | None]:
    """Return what finds the problem of a request's scope, before anything is done for it: an
    unknown host, too many requests."""
    is_known = know_hosts(settings)

    def check(scope: Mapping[str, Any]) -> Problem | None:
        if not is_known(scope):
            return UNKNOWN_HOST.fresh()
        if scope["path"] in OWN_LIMITS:
            return None
        wait = addresses.admit(find_peer(scope))
        return None if wait is None else too_many(wait)

    return check


def too_many(wait: int) -> Problem:
    """Return the problem of whoever has to wait for so many seconds."""
    return Problem("too_many_requests", "Too many requests; try again later.", retry_after=min(wait, 300))


def weigh(size: int, events: int) -> float:
    """Return the tokens that a request of so many bytes and events costs beyond its first."""
    return max(0.0, size / BYTES_A_TOKEN + events / EVENTS_A_TOKEN - 1)


def is_loopback(address: str) -> bool:
    """Return whether a request comes from this machine: tests, a proxy beside us, a Unix socket."""
    return address.removeprefix("::ffff:").startswith("127.") or address in ("::1", "")
