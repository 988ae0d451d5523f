"""What `versus` asks of a checkout, in that checkout's own Python: one line of JSON. It uses what the code
has had since the first version that is compared."""

import asyncio
import datetime as dt
import importlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from sqlalchemy import create_engine, text

from app.rollups import worker
from app.store import migrations, partitions
from benchmarks import storage

# What its module imports has moved since; there it still has the same names.
reports: Any = importlib.import_module("benchmarks.reports")
WEEK: Final = dt.timedelta(days=7)


def draw(path: str, users: str, days: str) -> None:
    """Write the demo's events, one a line."""
    with Path(path).open("w", encoding="ascii") as lines:
        for event in storage.demo_events(int(users), int(days)):
            lines.write(json.dumps([event.at, event.body]) + "\n")


def read(path: str) -> Iterator[Any]:
    """Yield what `draw` wrote, as `store` takes it."""
    with Path(path).open(encoding="ascii") as lines:
        for line in lines:
            at, body = json.loads(line)
            yield SimpleNamespace(at=at, body=body)


def migrate(url: str, path: str) -> None:
    """Make the tables, and the partitions that the events of `path` need."""
    migrations.migrate(url)
    moments = [event.at for event in read(path)]
    first, last = (dt.datetime.fromtimestamp(each(moments), dt.UTC) for each in (min, max))
    weeks = range(-2, (last - first).days // 7 + 3)
    with create_engine(url).connect() as connection:
        partitions.make_all(connection, [partitions.monday(first) + number * WEEK for number in weeks])


def store(url: str, path: str, batch: str) -> int:
    """Return how many events the write statement stored."""
    return asyncio.run(storage.store(url, read(path), int(batch)))[0]


def drain(url: str) -> None:
    """Roll up all that is stored."""
    worker.drain(url)


def settle(url: str) -> None:
    """Leave autovacuum nothing to do."""
    reports.settle(url)


def report(url: str) -> dict[str, tuple[float, float]]:
    """Return the ms that each report took: of the clock, and of CPU (the backend's and this thread's)."""
    engine = reports.open_engine(url)
    found = {}
    for name, given in (reports.CALLS[0], *reports.CALLS):  # the first twice: it loads what all need
        definition = reports.registry.find(name)
        now = dt.datetime.now(dt.UTC)
        with reports.reading(engine) as connection:
            backend = connection.execute(text("SELECT pg_backend_pid()")).scalar()
            before = read_clocks(backend)
            reports.run(definition, reports.parse(definition, given.items(), now), connection, now)
            clock, spent = (end - begin for begin, end in zip(before, read_clocks(backend), strict=True))
        found[" ".join([name, *given.values()])] = (clock / 1e6, spent / 1e6)
    engine.dispose()
    return found


def read_clocks(backend: int) -> tuple[int, int]:
    """Return the time now, and the CPU that this thread and a backend have used, in ns."""
    used = int(Path(f"/proc/{backend}/schedstat").read_text("ascii").split()[0])
    return time.perf_counter_ns(), used + time.thread_time_ns()


PROBES: Final[dict[str, Callable[..., object]]] = {
    each.__name__: each for each in (draw, migrate, store, drain, settle, report)
}


if __name__ == "__main__":
    print(json.dumps(PROBES[sys.argv[1]](*sys.argv[2:])))
