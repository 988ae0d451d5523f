"""A thread beside the event loop that works on the database until it is stopped: upkeep, rollups."""

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.store.database import open_admin_engine

END_SECONDS: Final = 3.0
CANCEL_SECONDS: Final = 1.0
UNAVAILABLE_SECONDS: Final = 5.0  # how soon to look again when the database is unavailable


class Background(ABC):
    """The thread of one process; a daemon, so that a server that does not answer keeps no process alive."""

    def __init__(self, name: str, url: str) -> None:
        """Work on the database at `url`, in a thread of that name."""
        self.engine = open_admin_engine(url)
        self.stopping = threading.Event()
        self.woken = threading.Event()
        self.driver: Any = None  # of the connection in use
        self.thread = threading.Thread(target=self.run, name=name, daemon=True)

    @abstractmethod
    def run(self) -> None:
        """Work until `stopping` is set."""

    def start(self) -> None:
        """Begin."""
        self.thread.start()

    def ask_to_stop(self) -> None:
        """Start nothing new."""
        self.stopping.set()
        self.woken.set()

    def stop(self) -> None:
        """End soon: cancel the statement that is running. A server that does not
        answer keeps nobody waiting."""
        self.ask_to_stop()
        driver = self.driver
        if driver is not None:
            with contextlib.suppress(Exception):
                driver.cancel_safe(timeout=CANCEL_SECONDS)
        self.thread.join(END_SECONDS)

    @contextlib.contextmanager
    def connected(self) -> Iterator[Connection]:
        """Yield a connection whose statement `stop` cancels. Raises sqlalchemy.exc.SQLAlchemyError."""
        with self.engine.connect() as connection:
            self.driver = connection.connection.driver_connection
            try:
                yield connection
            finally:
                self.driver = None


def sqlstate_of(error: SQLAlchemyError) -> str | None:
    """Return the SQLSTATE of an error, all that is logged of it: its message may quote a row."""
    return getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
