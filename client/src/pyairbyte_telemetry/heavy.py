"""Imports that take long: made once, on the sender's thread, and never half-way through at a fork.

A child that is forked while another thread imports a module finds that module locked for ever. So a fork waits for the
imports, a bounded time. What `requests` itself would import later, in the middle of a request, is imported here too.
"""

import importlib
import os
import threading
from types import ModuleType

_FORK_WAITS = 1.0


class _Gate:
    """Closed while imports are being made."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._held = False

    def before_fork(self) -> None:
        self._held = self.lock.acquire(timeout=_FORK_WAITS)

    def after_in_parent(self) -> None:
        if self._held:
            self._held = False
            self.lock.release()

    def after_in_child(self) -> None:
        self.lock = threading.Lock()  # the old one may be held by a thread that does not exist here
        self._held = False


_gate = _Gate()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_gate.before_fork,
        after_in_parent=_gate.after_in_parent,
        after_in_child=_gate.after_in_child,
    )


def load() -> ModuleType:
    """Import everything that sending takes, and return the `delivery` module."""
    with _gate.lock:
        for name in ("encodings.idna", "importlib.metadata", "platform", "uuid", "yaml"):
            importlib.import_module(name)
        return importlib.import_module(".delivery", __package__)
