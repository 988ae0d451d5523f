"""What SIGHUP does: the service ends in order and starts again on the same socket."""

import os
import signal
import socket
import sys
from types import FrameType

from app.serving import shared_metrics, sockets


class Restart:
    """Whether SIGHUP asked to start again: end in order, then become itself with the same socket."""

    def __init__(self) -> None:
        """Nobody asked yet, and nobody can: there is nothing to start again."""
        self.asked = False
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def allow(self) -> None:
        """Take SIGHUP from here on; what it raises has to be caught by now."""
        signal.signal(signal.SIGHUP, self.ask)

    def ask(self, _signal: int, _frame: FrameType | None) -> None:
        """End as by SIGTERM, and remember that it is no end."""
        self.asked = True
        os.kill(os.getpid(), signal.SIGTERM)

    def start(self, listener: socket.socket) -> None:
        """Become the command that this process was started with: new code, the same pid. Does not return."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the new one takes it
        shared_metrics.forget()
        sockets.hand_over(listener, [sys.executable, *sys.orig_argv[1:]])
