"""What is said to the person at the terminal: on stderr, seldom, and never once the interpreter is going."""

import contextlib
import sys

_silenced = False


def say(text: str) -> None:
    """Write one message to stderr, whatever stderr is."""
    if _silenced or sys.stderr is None:
        return
    with contextlib.suppress(Exception):
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def silence() -> None:
    """Say nothing any more: a daemon thread that holds stderr's lock at
    finalization would abort the process."""
    global _silenced  # noqa: PLW0603 -- one process, one terminal
    _silenced = True
