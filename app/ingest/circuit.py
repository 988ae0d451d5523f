"""One state: whether Postgres takes batches. The writer asks it, the committer
tells it, `/readyz` shows it."""

import time
from collections.abc import Callable
from typing import Final

COOLDOWN_SECONDS: Final = 5.0  # after a failure, in which nobody should rely on Postgres


class Circuit:
    """Closed while Postgres takes batches, open since one that it did not take; half open
    once `try_again` lets one try."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start closed; `clock` gives seconds."""
        self.clock = clock
        self.is_open = False
        self.failed_at = float("-inf")

    @property
    def is_reliable(self) -> bool:
        """Return whether batches are taken, and none failed within the cooldown.

        Closed is not enough: a spool that is full and empty lets every batch try Postgres first.
        """
        return not self.is_open and self.clock() - self.failed_at >= COOLDOWN_SECONDS

    def fail(self) -> None:
        """Open: Postgres did not take a batch."""
        self.is_open = True
        self.failed_at = self.clock()

    def succeed(self) -> None:
        """Close: Postgres took one."""
        self.is_open = False
        self.failed_at = float("-inf")

    def open(self) -> None:
        """Open without a batch: the database is known not to be ready."""
        self.is_open = True

    def try_again(self) -> None:
        """Let the next batch try: nothing waits in the spool that could."""
        self.is_open = False
