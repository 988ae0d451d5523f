"""The tests on a distributed Postgres: CITUS_DSN names a database of a single-node Citus,
which the whole run then uses.

Tests marked `one_server` are about what only one server has. A run that passed writes down which
statements it ran: `tests/data/distributed.json` holds the SHA-256 of each as last run on a cluster, and
every run says what changed since.
"""

import hashlib
import json
import os
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine

from app.admin.distribute import plan, run

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "tests" / "data" / "distributed.json"
DSN = os.environ.get("CITUS_DSN")
TRIES = 100  # the daemon comes back at any moment
SHARDS = 2  # the tests are about statements; each shard of each of 50 partitions is a table of its own


def statements() -> dict[str, str]:
    """Return the SHA-256 of each SQL file of the service by its path."""
    files = sorted((ROOT / "app").rglob("*.sql"))
    return {str(path.relative_to(ROOT)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def distribute(url: str) -> None:
    """Distribute a migrated database, as the command does."""
    engine = create_engine(url)
    with engine.connect() as connection:
        for step in plan(SHARDS, None, []):
            run(connection, step)
    engine.dispose()


def copy(administer: "psycopg.Connection[tuple[object, ...]]", template: str, name: str) -> None:
    """Copy a database. Citus's own daemon, whose connection forbids that, is
    ended and comes back by itself."""
    drop(administer, name)
    patiently(administer, template, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")


def drop(administer: "psycopg.Connection[tuple[object, ...]]", name: str) -> None:
    """Drop a database if it is there, whoever is connected."""
    patiently(administer, name, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def patiently(administer: "psycopg.Connection[tuple[object, ...]]", busy: str, statement: str) -> None:
    """Run a statement that needs a database without connections."""
    for remaining in reversed(range(TRIES)):
        administer.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", [busy]
        )
        try:
            administer.execute(statement.encode())
        except psycopg.errors.ObjectInUse:
            if not remaining:
                raise
        else:
            return


def changed_since() -> list[str]:
    """Return the statements that changed, or came, since the suite last ran on a cluster."""
    known = json.loads(RECORD.read_text("utf-8"))["statements"] if RECORD.exists() else {}
    return [path for path, digest in statements().items() if known.get(path) != digest]


def record(version: str) -> None:
    """Write down what a run on a cluster has passed with."""
    RECORD.write_text(json.dumps({"citus": version, "statements": statements()}, indent=1) + "\n", "utf-8")


def skip(items: list[pytest.Item]) -> None:
    """Skip what only one server has."""
    for item in items:
        if item.get_closest_marker("one_server"):
            item.add_marker(pytest.mark.skip(reason="of one server only: CITUS_DSN is set"))
