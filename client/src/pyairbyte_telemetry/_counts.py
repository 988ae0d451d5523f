"""What became of every event.

Offered = waiting + accepted + duplicate + expired + forgotten + refused + withdrawn + dropped + lost.
"""

import threading
from collections import deque


class Counts:
    """Written under a lock by senders' threads, of which there can be two for a moment after `close`.

    `drop` may be called by any thread at any moment and takes no lock.
    """

    def __init__(self) -> None:
        self.accepted = 0
        self.duplicate = 0
        self.expired = 0
        self.forgotten = 0
        self.refused = 0
        """Answered with a status that is not worth a retry, or `rejected` by itself."""
        self.withdrawn = 0
        """Not sent because the user opted out in between, or `before_send` returned None."""
        self.lost = 0
        """Given up after the last attempt, too large to send, or broken by `before_send`."""
        self.dropped = 0
        """Never taken in: the queue was full, or the interpreter was ending."""
        self.retried = 0
        """Events sent again, once for each time."""
        self.inherited = 0
        """Lost by earlier processes, which left it to this one to report."""
        self.reported = 0
        """Of the dropped, lost and inherited: reported to the service."""
        self._drops: deque[None] = deque()
        self._reporting = 0
        self._lock = threading.Lock()

    def drop(self) -> None:
        """Count one event that is not taken in.

        Appending is atomic without a lock. A lock could be held already by this very thread: the garbage
        collector may run a finalizer that sends an event at any allocation.
        """
        self._drops.append(None)

    def add(self, outcome: str, events: int = 1) -> None:
        """Count events with an outcome named like the field."""
        with self._lock:
            setattr(self, outcome, getattr(self, outcome) + events)

    def take_unreported(self) -> int:
        """Return how many losses have not been reported to the service, and count
        on the caller to report them."""
        with self._lock:
            for _ in range(len(self._drops)):
                self._drops.popleft()
                self.dropped += 1
            losses = self.dropped + self.lost + self.inherited - self.reported - self._reporting
            self._reporting += losses
            return losses

    def end_report(self, losses: int, *, reported: bool) -> None:
        """Note whether losses that were taken to be reported were."""
        with self._lock:
            self._reporting -= losses
            self.reported += losses if reported else 0

    def snapshot(self) -> dict[str, int]:
        """Return the figures. Exact once the sender is idle."""
        figures = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        figures["dropped"] += len(self._drops)
        return figures
