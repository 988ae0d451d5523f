"""The life of the worker: made anew after a fork, flushed when asked, wound up at the interpreter's exit.

Nothing survives a fork: the child starts with an empty queue and fresh counts, because the parent sends what was in its.
"""

import contextlib
import sys

from . import _hooks
from ._console import silence
from ._counts import Counts
from ._worker import Identify, Letter, Marker, Worker


class Sender:
    """What the package holds one of in a process."""

    def __init__(self, identify: Identify) -> None:
        self._identify = identify
        self._over = False
        self.renew()

    def renew(self) -> None:
        """Start from nothing, as in a forked child."""
        self.counts = Counts()
        self._worker = Worker(self._identify, self.counts)
        self._hooked = False

    def put(self, letter: Letter) -> None:
        """Take an event in, or count it as dropped. Never waits."""
        if self._over:
            self.counts.drop()
            return
        self._worker.put(letter)
        if not self._hooked:
            self._hooked = True
            self._hook_multiprocessing()

    def flush(self, timeout: float | None) -> bool:
        """Wait until every event queued so far is settled. False if that took longer than `timeout` seconds."""
        worker = self._worker
        if worker.is_idle:
            return True
        marker = Marker()
        if worker.is_current or not worker.send_marker(marker):
            return False
        return marker.reached.wait(timeout)

    def close(self, timeout: float) -> bool:
        """Send what is queued within `timeout` seconds, give up the rest, and end the thread.

        False if it did not end in time. A later event starts a new one.
        """
        worker, self._worker = self._worker, Worker(self._identify, self.counts)
        return _wind_up(worker, timeout)

    def exit(self) -> None:
        """Wind up for good, within `Limits.exit_timeout`. Later events are dropped."""
        self._over = True
        with contextlib.suppress(Exception, KeyboardInterrupt):
            _wind_up(self._worker, _hooks.current.limits.exit_timeout)
        silence()

    def _hook_multiprocessing(self) -> None:
        """Wind up in multiprocessing's children too: forked ones end by `os._exit`, which passes `atexit` by."""
        process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
        with contextlib.suppress(Exception):
            if process is not None and util is not None and process.parent_process() is not None:
                util.Finalize(None, self.exit, exitpriority=10)


_SHARE = 0.9
"""Of a time-out, what the worker gets. The rest is for it to come to its end."""


def _wind_up(worker: Worker, timeout: float) -> bool:
    if worker.is_idle:
        return True
    marker = Marker(stop=True)
    worker.deadline.set(timeout * _SHARE)
    if worker.is_current or not worker.send_marker(marker):
        return False
    return marker.reached.wait(timeout)
