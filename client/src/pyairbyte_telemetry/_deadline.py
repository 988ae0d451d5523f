"""How long the sender may still work."""

import threading
import time


class Deadline:
    """When the sender must be done. Unset while the process lives; setting it
    ends a pause between attempts."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._set = threading.Event()

    def set(self, seconds: float) -> None:
        """Be done in so many seconds from now."""
        self._at = time.monotonic() + seconds
        self._set.set()

    @property
    def is_set(self) -> bool:
        """Whether somebody is waiting for the end."""
        return self._at is not None

    @property
    def remaining(self) -> float:
        """Seconds left; infinite while unset."""
        return float("inf") if self._at is None else self._at - time.monotonic()

    def pause(self, seconds: float) -> bool:
        """Wait. Returns False if the deadline was set meanwhile, which ends the wait; one set before does
        not."""
        if self.is_set:
            time.sleep(seconds)
            return True
        return not self._set.wait(seconds)
