"""What is said to the person at the terminal: on stderr, seldom, and never once the interpreter is going."""

import contextlib
import os
import sys

_silenced = False


def say(text: str) -> None:
    """Write one message to stderr, whatever stderr is."""
    stream = sys.stderr
    if _silenced or stream is None:
        return
    with contextlib.suppress(Exception):
        if stream is sys.__stderr__ and stream is not None:
            # Past its buffer: what a broken pipe leaves in there makes the interpreter end with status 120.
            stream.flush()
            os.write(stream.fileno(), f"{text}\n".encode(errors="backslashreplace"))
        else:
            stream.write(text + "\n")
            stream.flush()


def silence() -> None:
    """Say nothing any more: a daemon thread that holds stderr's lock at
    finalization would abort the process."""
    global _silenced  # noqa: PLW0603 -- one process, one terminal
    _silenced = True
