"""Which connections may stay: so many an address, so many in all. The longest idle
one gives way to a new one."""

import resource
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final, Protocol

from app.web.throttle import network

CONNECTIONS: Final = 4_000  # a process; each costs about 10 KB
REFUSED: Final = 400  # that wait for their refusal to be read
OTHER_FILES: Final = 200  # descriptors that a process needs for everything else
# Of the longest idle, how many are asked to give way: some wait for an answer of ours.
ASKED: Final = 32


def bound_connections() -> int:
    """Return how many connections this process may have: no more than it has descriptors for, or
    accepting fails in silence."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(CONNECTIONS, max(1, descriptors - OTHER_FILES - REFUSED))


class Guest(Protocol):
    """A connection."""

    def give_way(self) -> bool:
        """Close if nobody would miss it; return whether it does."""


class Gate:
    """Counts connections by address, and in all.

    Both are kept in the order in which they were last answered; the first is the longest idle one.
    """

    def __init__(self, each: int, is_exempt: Callable[[str], bool], total: int | None = None) -> None:
        """Let in `each` connections an address (0: any number) unless it is exempt, and `total` in all."""
        self.each = each
        self.is_exempt = is_exempt
        self.total = bound_connections() if total is None else total
        self.all: dict[Guest, bytes | None] = {}
        self.refused: set[Guest] = set()  # whose refusal waits to be read
        self.by_network: dict[bytes, dict[Guest, None]] = {}

    def enter(self, guest: Guest, address: str) -> bool:
        """Return whether a connection may stay; an idle one may have to give way to it."""
        place = None if self.each == 0 or self.is_exempt(address) else network(address)
        peers = self.by_network.get(place, {}) if place is not None else {}
        if len(peers) >= self.each > 0 and not make_room(peers):
            return False
        if len(self.all) >= self.total and not make_room(self.all):
            return False
        self.all[guest] = place
        if place is not None:
            self.by_network.setdefault(place, {})[guest] = None
        return True

    def answered(self, guest: Guest) -> None:
        """Put a connection that was answered last in order."""
        place = self.all.pop(guest, b"")
        if place == b"":  # it has left
            return
        self.all[guest] = place
        if place is not None:
            peers = self.by_network[place]
            del peers[guest]
            peers[guest] = None

    def dismiss(self, guest: Guest) -> bool:
        """Take a connection out of the count; return whether it may wait until its refusal is read."""
        self.leave(guest)
        if len(self.refused) >= REFUSED:
            return False
        self.refused.add(guest)
        return True

    def leave(self, guest: Guest) -> None:
        """Forget a connection, if it is known."""
        self.refused.discard(guest)
        place = self.all.pop(guest, None)
        if place is not None:
            peers = self.by_network[place]
            del peers[guest]
            if not peers:
                del self.by_network[place]


def make_room(guests: Iterable[Guest]) -> bool:
    """Have one of the longest idle connections give way; return whether one does."""
    return any(guest.give_way() for guest in list(islice(guests, ASKED)))
