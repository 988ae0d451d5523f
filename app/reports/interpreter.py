"""How soon a thread that computes hands the interpreter over to the event loop."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# Python's 5 ms are waited for by an event several times over: whenever the driver has let go of the
# interpreter to write to a socket or to read from it. For good, 0.5 ms costs ingestion some per cent.
SECONDS: Final = 0.0005

lock = threading.Lock()
computing: list[float] = []  # of each computation, the interval that was in force when it began


@contextmanager
def giving_way() -> Iterator[None]:
    """Hand the interpreter over ten times as often while the block lasts, in whatever thread it runs."""
    with lock:
        computing.append(computing[0] if computing else sys.getswitchinterval())
        sys.setswitchinterval(SECONDS)
    try:
        yield
    finally:
        with lock:
            before = computing.pop()
            if not computing:
                sys.setswitchinterval(before)
