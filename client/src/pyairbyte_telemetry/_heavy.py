"""Imports that take a while: made once, on the sender's thread, and never half-way through at a fork.

A child that is forked while another thread imports a module finds that module locked for ever, and hangs when
it imports it, too. So a fork waits for the import that is being made: one of many small ones, as a rule a few
milliseconds. A fork that waited in vain (for a file system that hangs, say) leaves a child that sends nothing
and counts what it would have.
"""

import importlib
import os
import threading
from types import ModuleType

FORK_WAITS = 5.0
"""Seconds for which a fork waits at most."""

# What comes first is needed by what comes later, so that each import is short. That
# is all that the order is for.
_AHEAD = (
    "encodings.idna",
    "platform",
    "datetime",
    "ssl",
    "email.parser",
    "http.client",
    "gzip",
    "._transport",
)


class _Gate:
    """Closed while an import is being made, and while a process forks."""

    def __init__(self) -> None:
        self.is_broken = False
        """Whether this process was forked in the middle of an import that nobody will ever finish."""
        self._reset()

    def _reset(self) -> None:
        self._open = threading.Lock()
        # Set while no fork waits. Without it the importer would take the lock again before the fork gets it.
        self._calm = threading.Event()
        self._calm.set()
        self._importer: int | None = None
        self._forker: int | None = None

    def load(self, name: str) -> ModuleType:
        """Return a module of this package (`.name`) or another."""
        if self.is_broken:
            raise ImportError("this process was forked in the middle of an import")
        if self._importer == threading.get_ident():  # an import within an import
            return importlib.import_module(name, __package__)
        self._calm.wait(FORK_WAITS)
        with self._open:
            self._importer = threading.get_ident()
            try:
                return importlib.import_module(name, __package__)
            finally:
                self._importer = None

    def before_fork(self) -> None:
        self._calm.clear()
        if self._importer != threading.get_ident() and self._open.acquire(timeout=FORK_WAITS):
            self._forker = threading.get_ident()

    def after_in_parent(self) -> None:
        # If not, it waited in vain, and another fork may hold the lock.
        if self._forker == threading.get_ident():
            self._forker = None
            self._open.release()
        self._calm.set()

    def after_in_child(self) -> None:
        self.is_broken = self.is_broken or self._importer not in {None, threading.get_ident()}
        self._reset()  # the thread that may hold the lock does not exist here


_gate = _Gate()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_gate.before_fork,
        after_in_parent=_gate.after_in_parent,
        after_in_child=_gate.after_in_child,
    )


def load(name: str) -> ModuleType:
    """Return a module of this package (`.name`) or another. Raises ImportError where no
    import can be made any more."""
    return _gate.load(name)


def load_delivery() -> ModuleType:
    """Import everything that sending takes, and return the `_delivery` module."""
    for name in _AHEAD:
        _gate.load(name)
    return _gate.load("._delivery")
