"""One transaction of the rollups: some marked sessions, what they contribute now
in the place of what they did.

Whoever calls holds the buckets' rows in `rollup_buckets`, so nobody else changes
what these sessions contributed.
"""

import datetime as dt
import re
from functools import cache, partial
from typing import Final

from sqlalchemy import Connection, TextClause, text

from app.store import placement, statements
from app.store.durations import EDGES
from app.store.tables import NOBODY

NUMBERING: Final = ("number_routes", "number_environments", "number_failures")
# The planner knows nothing of this connection's tables. A scan of events in the place of the marks
# would grow with history; a look at routes and environments for each of thousands of signals costs six
# times as much as hashing them.
BY_INDEX: Final = (
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
)
BY_HASH: Final = "RESET enable_seqscan; RESET enable_hashjoin; SET LOCAL enable_nestloop = off"
# On a cluster none of this: what the marks are joined to is planned on each node, which is told how many
# marks come, and which a setting of this connection does not reach.
AS_PLANNED: Final = (
    "RESET enable_seqscan; RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_nestloop"
)
MANY_SIGNALS: Final = 1_000  # from which on hashing pays
SHARDED: Final = "telemetry_sharded"  # in what SQLAlchemy keeps with a connection
# What a cluster is told besides, in the places that the files name: each shard plans its part of every week,
# and leaves out those in which no marked session can lie.
WEEKS: Final = "SELECT min(lower) - interval '7 days', max(upper) + interval '7 days' FROM marks"
WITHIN: Final = r"AND \1.occurred_at BETWEEN CAST(:first AS timestamptz) AND CAST(:last AS timestamptz)"
PLACE: Final = re.compile(r"/\* within (\w+) \*/")
OWN: Final = ("wanted", "signalled")  # stages that read a table of this connection
read_sql = partial(statements.read_sql, "app.rollups")
query = partial(statements.query, "app.rollups")
SINCE_EVER: Final = "-infinity"
UNKNOWN_ROWS: Final = 1_000  # from which on a partition without statistics gets some
MANY: Final = (
    200  # attempts from which on a session is watched: one of fewer is recomputed in a millisecond or two
)


def prepare(connection: Connection) -> None:
    """Make this connection's tables, once for its life, and commit."""
    connection.info[SHARDED] = placement.is_cluster(connection)
    connection.execute(text("SET work_mem = '64MB'"))
    connection.execute(text("SET jit = off"))
    for statement in read_sql("workspace").split(";\n"):
        if statement.strip():
            connection.execute(text(statement))
    connection.commit()


def analyze_unknown(connection: Connection) -> None:
    """Give the planner statistics of partitions that fill up and have none, and
    commit: 0.2 s, once a partition.

    Without them a step reads two weeks of the primary key for every session, beside the index on session
    keys: 1.6 ms a session in a partition of 100,000 rows.
    """
    for name in list(connection.execute(query("list_unknown"), {"rows": UNKNOWN_ROWS}).scalars()):
        connection.execute(text(f"ANALYZE (SKIP_LOCKED) {name}"))
    connection.commit()


def recompute(connection: Connection, since: dt.date | None = None) -> int:
    """Replace what the sessions in `marks` contributed by what they contribute; return how many rows
    that is now.

    With `since`, days before it are left as they are. Does not commit.
    """
    day = {"since": SINCE_EVER if since is None else since.isoformat()}
    contributing = {**day, "edges": EDGES}
    is_sharded = connection.info[SHARDED]
    connection.execute(text(AS_PLANNED if is_sharded else BY_INDEX))
    within = find_weeks(connection) if is_sharded else {}
    connection.execute(bounded(query("mark_accepted")) if within else query("mark_accepted"), within)
    signal = fill("signals", "wanted", "accepted", "refused")
    signals = connection.execute(bounded(signal) if within else signal, {"nobody": NOBODY, **within}).rowcount
    connection.execute(query("keep_units"), {"nobody": NOBODY})
    connection.execute(query("take_attempts"), day)
    many = signals >= MANY_SIGNALS
    connection.execute(text(BY_HASH if many and not is_sharded else AS_PLANNED))
    # A prepared plan outlives the settings that it was made under; another text has a plan of its own.
    contribute = fill(
        "contributions", "signalled", "attempts", remark="-- of many signals" if many else "-- of few"
    )
    rows = connection.execute(contribute, contributing).rowcount
    if connection.execute(query("has_unknown")).scalar():
        for name in NUMBERING:
            connection.execute(query(name))
        connection.execute(text("TRUNCATE contributions"))
        rows = connection.execute(contribute, contributing).rowcount
    connection.execute(text(AS_PLANNED))
    connection.execute(query("add_attempts"))
    connection.execute(query("add_differences"))
    connection.execute(query("delete_empty"))
    return rows


def find_weeks(connection: Connection) -> dict[str, dt.datetime]:
    """Return the first and the last instant at which an event of the marked sessions may be."""
    first, last = connection.execute(text(WEEKS)).one()
    return {} if first is None else {"first": first, "last": last}


@cache
def bounded(statement: TextClause) -> TextClause:
    """Return a statement that looks into the weeks from `:first` to `:last` only."""
    return text(PLACE.sub(WITHIN, statement.text))


@cache
def fill(table: str, *stages: str, remark: str = "") -> TextClause:
    """Return the statement that fills a table of `workspace.sql` by the query of its name,
    which reads stages by theirs."""
    steps = ",\n".join(
        f"{stage} AS {'MATERIALIZED ' if stage in OWN else ''}(\n{read_sql(stage)})" for stage in stages
    )
    return text(f"INSERT INTO {table} {remark}\nWITH {steps}\n{read_sql(table)}")
