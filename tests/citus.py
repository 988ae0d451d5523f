"""The tests on a distributed Postgres: CITUS_DSN names a database of a single-node Citus,
which the whole run then uses.

Tests marked `one_server` are about what only one server has. A run writes down which statements were
sent by tests that passed, from their own process: `tests/data/distributed.json` holds the SHA-256 of each
file of SQL as it last ran so, and every whole run says which did not run as they are now.
"""

import hashlib
import json
import os
import re
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from sqlalchemy import Engine, create_engine, event

from app.admin.distribute import plan, run

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "tests" / "data" / "distributed.json"
DSN = os.environ.get("CITUS_DSN")
PARAMETER = re.compile(r"%\(\w+\)s|(?<![:\w]):[a-z]\w*")
FILLED_IN = re.compile(r"\{\w+\}|/\* within \w+ \*/")
TRIES = 100  # the daemon comes back at any moment
EXAMPLES = 3
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
    """Return the statements that changed, or came, since they last ran on a cluster."""
    known = json.loads(RECORD.read_text("utf-8"))["statements"] if RECORD.exists() else {}
    return [path for path, digest in statements().items() if known.get(path) != digest]


class Sent:
    """The statements that this process sent in tests that passed, and those of the test that runs now."""

    def __init__(self) -> None:
        """Listen to every engine."""
        self.passed: set[str] = set()
        self.now: set[str] = set()
        event.listen(Engine, "after_cursor_execute", self.note)

    def note(self, _connection: object, _cursor: object, statement: str, *_others: object) -> None:
        """Note a statement that Postgres has done."""
        self.now.add(statement)

    def end(self, *, passed: bool) -> None:
        """Keep what the test sent if it passed."""
        if passed:
            self.passed |= self.now
        self.now = set()

    def files(self) -> list[str]:
        """Return the paths of the files whose statements were sent, whole or as a step of another."""
        sent = {as_sent(statement) for statement in self.passed}
        return [path for path in statements() if is_among((ROOT / path).read_text("utf-8"), sent)]

    def record(self, version: str) -> None:
        """Write down what ran, beside what ran before."""
        now = statements()
        known = json.loads(RECORD.read_text("utf-8"))["statements"] if RECORD.exists() else {}
        known |= {path: now[path] for path in self.files()}
        kept = {path: digest for path, digest in sorted(known.items()) if path in now}
        RECORD.write_text(json.dumps({"citus": version, "statements": kept}, indent=1) + "\n", "utf-8")


def as_sent(statement: str) -> str:
    """Return a statement with the same sign for every parameter, however the driver writes it."""
    return PARAMETER.sub("?", statement.replace("\\:", ":")).replace("%%", "%")


def is_among(file: str, sent: set[str]) -> bool:
    """Return whether each statement of a file was sent; the service fills in what is missing."""
    whole = [one for one in file.split(";\n") if one.strip()]
    each = [[as_sent(part).strip() for part in FILLED_IN.split(one)] for one in whole]
    return all(any(all(part in text for part in parts) for text in sent) for parts in each)


def spare_examples(items: list[pytest.Item]) -> None:
    """Let the tests of properties try a few examples only: a step takes thirty times as long here."""
    for item in items:
        test = getattr(item, "function", None)
        # Settings given by the test itself are above those of any profile; there is no other door to them.
        own = getattr(test, "_hypothesis_internal_use_settings", None)
        if test is not None and own is not None:
            test._hypothesis_internal_use_settings = settings(
                own, max_examples=min(EXAMPLES, own.max_examples)
            )


def skip(items: list[pytest.Item]) -> None:
    """Skip what only one server has."""
    for item in items:
        if item.get_closest_marker("one_server"):
            item.add_marker(pytest.mark.skip(reason="of one server only: CITUS_DSN is set"))
