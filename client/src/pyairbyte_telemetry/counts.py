"""What became of every event. Offered = waiting + accepted + duplicate + expired + forgotten + refused + withdrawn + dropped + lost."""

from collections import deque
from dataclasses import dataclass, field, fields


@dataclass
class Counts:
    """Written by the sender's thread alone, but for `drop`, which any thread may call at any moment."""

    accepted: int = 0
    duplicate: int = 0
    expired: int = 0
    forgotten: int = 0
    refused: int = 0
    """Answered with a status that is not worth a retry, or `rejected` by itself."""
    withdrawn: int = 0
    """Not sent because the user opted out in between."""
    lost: int = 0
    """Given up after the last attempt, or too large to send."""
    dropped: int = 0
    """Never taken in: the queue was full, or the interpreter was ending."""
    retried: int = 0
    """Events sent again, once for each time."""
    reported: int = 0
    """Of the dropped and lost: told to the service."""
    _drops: deque[None] = field(default_factory=deque, repr=False)

    def drop(self) -> None:
        """Count one event that is not taken in.

        Appending is atomic without a lock. A lock could be held already by this very thread: the garbage collector may
        run a finalizer that sends an event at any allocation.
        """
        self._drops.append(None)

    @property
    def settled(self) -> int:
        """How many events that were taken in have come to their end."""
        delivered = self.accepted + self.duplicate + self.expired + self.forgotten + self.refused
        return delivered + self.withdrawn + self.lost

    def add(self, outcome: str) -> None:
        """Count one event with an outcome named like the field."""
        setattr(self, outcome, getattr(self, outcome) + 1)

    def lose(self, events: int) -> None:
        """Count events that were given up."""
        self.lost += events

    def collect_unreported(self) -> int:
        """Return how many losses the service has not been told of."""
        for _ in range(len(self._drops)):
            self._drops.popleft()
            self.dropped += 1
        return self.dropped + self.lost - self.reported

    def report(self, losses: int) -> None:
        """Count losses as told."""
        self.reported += losses

    def snapshot(self) -> dict[str, int]:
        """Return the figures. Exact once the sender is idle."""
        figures = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "_drops"}
        figures["dropped"] += len(self._drops)
        return figures
