"""Which limits hold for senders: by address and by write key, in memory, off for loopback unless set otherwise."""

from collections.abc import Callable
from typing import Final

from app.settings import Settings
from app.web.throttle import Rate, Throttle

BURST: Final = 10  # seconds' worth that may come at once
EVERYBODY: Final = 1_000_000  # nobody is refused for what all others send

Admit = Callable[[str], int | None]


def limit_addresses(settings: Settings) -> Admit:
    """Takes a token of an address; None, or the seconds to wait."""
    admit = limit(settings.address_rate)
    if settings.limit_loopback:
        return admit
    return lambda address: None if is_loopback(address) else admit(address)


def limit_keys(settings: Settings) -> Admit:
    """Takes a token of a write key; None, or the seconds to wait."""
    return limit(settings.key_rate)


def limit(rate: int) -> Admit:
    """Admits `rate` a second, all if it is 0."""
    if rate == 0:
        return lambda _name: None
    everybody = Rate(burst=EVERYBODY, per_second=EVERYBODY)
    return Throttle(Rate(burst=rate * BURST, per_second=rate), everybody).admit


def is_loopback(address: str) -> bool:
    """Whether a request comes from this machine: tests, a proxy beside us, a Unix socket."""
    return address.startswith("127.") or address in ("::1", "")
