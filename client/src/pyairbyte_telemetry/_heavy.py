"""Imports that take long: made once, on the sender's thread, and never half-way through at a fork.

A child that is forked while another thread imports a module finds that module locked for ever, and hangs when it imports
it, too. So a fork waits for the import that is being made: one of many small ones, as a rule some ten milliseconds. If
that takes longer than a fork may wait, the child puts it aside and can import anew (all but a compiled module that was
cut in the middle of its own initialisation). What `requests` itself would import later, in the middle of a request, is
imported here too.
"""

import importlib

# Light, and imported before the gate is registered on purpose. Its own lock is taken before a fork and released after it,
# and `urllib3` takes it while it is imported. What is registered first is run last before a fork: were that the gate, the
# fork would wait with the lock for a sender that waits for the lock. Were it imported while a fork waits, it would only be
# released: "cannot release un-acquired lock".
import logging  # noqa: F401
import os
import sys
import threading
from contextlib import suppress
from types import ModuleType
from typing import Any

FORK_WAITS = 1.0
"""Seconds for which a fork waits at most."""

# What comes first is needed by what comes later, so that each import is short. That is all that the order is for.
_AHEAD = (
    "encodings.idna",
    "platform",
    "uuid",
    "random",
    "email.parser",
    "zipfile",
    "importlib.metadata",
    "yaml",
    "ssl",
    "http.cookiejar",
    "charset_normalizer",
    "idna",
    "urllib3.connection",
    "urllib3",
    "requests",
)


class _Gate:
    """Closed while an import is being made, and while a process forks."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._open = threading.Lock()
        # Set while no fork waits. Without it the importer would take the lock again before the fork gets it.
        self._calm = threading.Event()
        self._calm.set()
        self._importer: int | None = None
        self._forker: int | None = None

    def load(self, name: str) -> ModuleType:
        """Import a module of this package (`.name`) or another."""
        self._calm.wait(FORK_WAITS)
        with self._open:
            self._importer = threading.get_ident()
            try:
                return importlib.import_module(name, __package__)
            finally:
                self._importer = None

    def before_fork(self) -> None:
        self._calm.clear()
        if self._open.acquire(timeout=FORK_WAITS):
            self._forker = threading.get_ident()

    def after_in_parent(self) -> None:
        if (
            self._forker == threading.get_ident()
        ):  # if not, it waited in vain, and another fork may hold the lock
            self._forker = None
            self._open.release()
        self._calm.set()

    def after_in_child(self) -> None:
        importer = self._importer
        self._reset()  # the thread that may hold the lock does not exist here
        if importer is not None:
            with suppress(Exception):
                _put_aside(importer)


def _put_aside(importer: int) -> None:
    """Forget the modules that a thread was importing which does not exist here, so that they can be imported anew."""
    locks: dict[str, Any] = importlib._bootstrap._module_locks  # type: ignore[attr-defined]
    halves = [name for name, lock in list(locks.items()) if getattr(lock(), "owner", None) == importer]
    for half in halves:
        locks.pop(half, None)
        for name in list(sys.modules):
            if name == half or name.startswith(half + "."):
                del sys.modules[name]


_gate = _Gate()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_gate.before_fork,
        after_in_parent=_gate.after_in_parent,
        after_in_child=_gate.after_in_child,
    )


def load() -> ModuleType:
    """Import everything that sending takes, and return the `delivery` module."""
    for name in _AHEAD:
        with suppress(ImportError):  # not every `requests` takes each of them
            _gate.load(name)
    return _gate.load("._delivery")
