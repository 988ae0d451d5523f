"""The life of the worker: made anew after a fork, flushed when asked, wound up at the interpreter's exit.

Nothing survives a fork: the child starts with an empty queue and fresh counts, because
the parent sends what was in its.
"""

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

from . import _hooks, _losses, _optout
from ._console import silence
from ._counts import Counts
from ._worker import Identify, QueuedEvent, Sentinel, Worker


class Sender:
    """What the package holds one of in a process. `find_file` returns where the
    id is kept, losses beside it."""

    def __init__(self, identify: Identify, find_file: Callable[[], Path]) -> None:
        self._identify = identify
        self._find_file = find_file
        self._over = False
        self.renew()

    def renew(self) -> None:
        """Start from nothing, as in a forked child."""
        self.counts = Counts()
        self._worker = self._make_worker()
        self._hooked = False

    def _make_worker(self) -> Worker:
        return Worker(self._identify, lambda: _losses.take(self._find_file()), self.counts)

    def put(self, item: QueuedEvent) -> None:
        """Take an event in, or count it as dropped. Never waits."""
        if self._over:
            self.counts.drop()
            return
        self._worker.put(item)
        if not self._hooked:
            self._hooked = True
            self._hook_multiprocessing()

    def flush(self, timeout: float | None) -> bool:
        """Wait until every event queued so far is settled. Return False if that took
        longer than `timeout` seconds."""
        worker = self._worker
        if worker.is_idle:
            return True
        sentinel = Sentinel()
        if worker.is_current or not worker.send_sentinel(sentinel):
            return False
        return sentinel.reached.wait(timeout)

    def close(self, timeout: float) -> bool:
        """Send what is queued within `timeout` seconds, give up the rest, and end the thread.

        Return False if it did not end in time. A later event starts a new one.
        """
        worker, self._worker = self._worker, self._make_worker()
        return _wind_up(worker, timeout)

    def exit(self) -> None:
        """Wind up for good, within `Limits.exit_timeout` of sending. Later events are
        dropped, losses remembered."""
        self._over = True
        with contextlib.suppress(Exception, KeyboardInterrupt):
            _wind_up(self._worker, _hooks.current.limits.exit_timeout, _MOST_SLOWNESS)
        with contextlib.suppress(Exception, KeyboardInterrupt):
            self._remember_losses()
        silence()

    def _remember_losses(self) -> None:
        """Leave to the next process how many events were not delivered, unless the user has opted out."""
        losses = self._worker.give_up() + self.counts.take_unreported()
        file = self._find_file()
        if losses and not _optout.find_reason() and not _optout.is_file_there(file):
            _losses.add(file, losses)

    def _hook_multiprocessing(self) -> None:
        """Wind up in multiprocessing's children too: forked ones end by
        `os._exit`, which passes `atexit` by."""
        process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
        with contextlib.suppress(Exception):
            if process is not None and util is not None and process.parent_process() is not None:
                util.Finalize(None, self.exit, exitpriority=10)


_SHARE = 0.9
"""Of a time-out, what the worker gets. The rest is for it to come to its end."""


_MOST_SLOWNESS = 3.0
"""How many times as long an exit may take on a machine that is busy."""


def _wind_up(worker: Worker, timeout: float, most_slowness: float = 1.0) -> bool:
    """Have a worker end within `timeout` seconds of sending, and return whether it did; what it has to import
    before that has a time of its own.

    Imports are this machine's own business and come to an end; hosts need not. A machine that took long for
    them for being busy takes long for sending, too: then the time is longer, `most_slowness` times at most.
    """
    if worker.is_idle:
        return True
    sentinel = Sentinel(stop=True)
    if worker.is_current or not worker.send_sentinel(sentinel):
        return False
    worker.prepared.wait(_hooks.current.limits.prepare_timeout)
    timeout *= min(worker.slowness, most_slowness)
    worker.deadline.set(timeout * _SHARE)
    return sentinel.reached.wait(timeout)
