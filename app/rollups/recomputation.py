"""One transaction of the rollups: some marked sessions, what they contribute now in the place of what they did.

Whoever calls holds the buckets' rows in `rollup_buckets`, so nobody else changes what these sessions contributed.
"""

import datetime as dt
from functools import cache
from importlib.resources import files
from typing import Final

from sqlalchemy import Connection, TextClause, text

from app.store.rollup_tables import NOBODY

STAGES: Final = ("accepted", "refused", "attempts")
NUMBERING: Final = ("number_routes", "number_environments", "number_failures")
# The planner knows nothing of the marks, and a scan of events in their place would grow with history.
BY_INDEX: Final = (
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
)
AS_PLANNED: Final = "RESET enable_seqscan; RESET enable_hashjoin; RESET enable_mergejoin"
SINCE_EVER: Final = "-infinity"
UNKNOWN_ROWS: Final = 1_000  # from which on a partition without statistics gets some
MANY: Final = (
    200  # attempts from which on a session is watched: one of fewer is recomputed in a millisecond or two
)


def prepare(connection: Connection) -> None:
    """Make this connection's tables, once for its life, and commit."""
    connection.execute(text("SET work_mem = '64MB'"))
    connection.execute(text("SET jit = off"))
    for statement in read_sql("workspace").split(";\n"):
        if statement.strip():
            connection.execute(text(statement))
    connection.commit()


def analyze_unknown(connection: Connection) -> None:
    """Give the planner statistics of partitions that fill up and have none, and commit: 0.2 s, once a partition.

    Without them a step reads two weeks of the primary key for every session, beside the index on session keys: 1.6 ms
    a session in a partition of 100,000 rows.
    """
    for name in list(connection.execute(query("list_unknown"), {"rows": UNKNOWN_ROWS}).scalars()):
        connection.execute(text(f"ANALYZE (SKIP_LOCKED) {name}"))
    connection.commit()


def recompute(connection: Connection, since: dt.date | None = None) -> int:
    """Replace what the sessions in `marks` contributed by what they contribute; how many rows that is now.

    With `since`, days before it are left as they are. Does not commit.
    """
    day = {"since": SINCE_EVER if since is None else since.isoformat()}
    connection.execute(text(BY_INDEX))
    connection.execute(query("mark_accepted"))
    connection.execute(contribute(), {"nobody": NOBODY})
    connection.execute(query("take_attempts"), day)
    connection.execute(text(AS_PLANNED))
    for name in NUMBERING:
        connection.execute(query(name))
    rows = connection.execute(query("number_contributions"), day).rowcount
    connection.execute(query("add_attempts"))
    connection.execute(query("add_differences"))
    connection.execute(query("delete_empty"))
    return rows


@cache
def contribute() -> TextClause:
    """The statement that computes contributions: each stage reads the ones before it by name."""
    steps = ",\n".join(f"{stage} AS (\n{read_sql(stage)})" for stage in STAGES)
    return text(f"INSERT INTO contributions\nWITH {steps}\n{read_sql('contributions')}")


@cache
def query(name: str) -> TextClause:
    """A statement of `sql/`."""
    return text(read_sql(name))


def read_sql(name: str) -> str:
    """The text of a file of `sql/`."""
    return files("app.rollups").joinpath("sql", f"{name}.sql").read_text("utf-8")
