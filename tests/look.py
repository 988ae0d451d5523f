"""A look into a database: rows, counts by outcome, the ledger law."""

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import create_engine, text

DEADLINE_SECONDS = 30


class Look:
    """Queries on a database."""

    def __init__(self, url: str) -> None:
        self.engine = create_engine(url)

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query), values)]

    def value(self, query: str, **values: Any) -> Any:
        return self.rows(query, **values)[0][0]

    def run(self, statement: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def outcomes(self) -> dict[str, int]:
        return {name: int(n) for name, n in self.rows("SELECT outcome, sum(count) FROM outcomes GROUP BY 1")}

    def check_law(self) -> None:
        """received = the sum of the outcomes."""
        counts = self.outcomes()
        assert counts.pop("received", 0) == sum(counts.values())


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
