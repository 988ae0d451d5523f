"""A report, run: its queries against one snapshot, a pure function over their answers, a table out."""

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Final

from sqlalchemy import Connection, Engine, TextClause, text

from app.problems import Problem
from app.reports import ranking
from app.reports.interpreter import giving_way
from app.reports.model import Report, Table
from app.reports.parameters import DAY, Parameters, day_of
from app.store import statements
from app.store.tables import NOBODY

read_sql = partial(statements.read_sql, "app.reports")
# How far back versions are looked for: far enough for the votes on a version of several months.
HISTORY: Final = 180 * DAY
MOST_KEYS: Final = 62  # write keys that `units` tells apart: app/rollups/sql/keep_units.sql


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Yield a connection to read one report with: one snapshot for all of its queries, read only, whatever
    the engine allows, with room to sort in memory.
    """
    options = {"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"}
    with engine.connect().execution_options(**options) as connection:
        connection.execute(text("SET LOCAL work_mem = '64MB'"))
        yield connection


@giving_way()
def run(  # noqa: PLR0913, PLR0917  # Size: the steps of a report, in order
    report: Report,
    parameters: Parameters,
    connection: Connection,
    now: dt.datetime,
    denied: Sequence[int] = (),
    waiting_since: dt.datetime | None = None,
) -> Table:
    """Return a report as of `now` (which decides what is in flight), leaving out the units
    `denied` unless they are asked for.

    `waiting_since`: when the oldest event arrived that is not in the database yet. Raises Problem 400
    for a write key that is none, and sqlalchemy.exc.DBAPIError.
    """
    first_day: dt.date | None = connection.execute(text(read_sql("first_day"))).scalar()
    parameters = parameters.end_with_data(first_day, day_of(now))
    key = None if parameters.key is None else find_key(connection, parameters.key)
    values = bind(report, parameters, now, denied, key) | {"waiting_since": waiting_since}
    if report.planner:
        connection.execute(text(report.planner))
    series = report.series if parameters.series == "day" else None
    answers = {
        name: [dict(row) for row in connection.execute(statement(stages), values).mappings()]
        for name, stages in {**report.queries, **(series.queries if series else {})}.items()
    }
    rows = report.shape(answers, parameters)
    hides = report.hides if parameters.few == "hide" else None
    shown = [row for row in rows if not hides(row)] if hides else rows
    if len(shown) < len(rows):
        ranking.number(shown)
    oldest: dt.datetime | None = connection.execute(statements.query("app.reports", "oldest_mark")).scalar()
    moments = [moment for moment in (oldest, waiting_since) if moment is not None]
    lag = max(0.0, (now - min(moments)).total_seconds()) if moments else 0.0
    return Table(
        report,
        parameters.describe(),
        now,
        report.columns,
        shown[: parameters.limit],
        total=len(shown),
        hidden=len(rows) - len(shown),
        alarms=sum(map(report.alarms, rows)) if report.alarms else 0,
        lag_seconds=lag,
        series=series.shape(answers, parameters) if series else None,
        is_empty=first_day is None,
    )


def find_key(connection: Connection, name: str) -> int:
    """Return the number of a write key. Raises Problem 400 for one that there is not, or
    that reports cannot tell apart."""
    number: int | None = connection.execute(text(read_sql("find_key")), {"name": name}).scalar()
    if number is None:
        raise Problem(
            "invalid_parameter", "The parameter key takes the name of a write key; `keys list` has them."
        )
    if number > MOST_KEYS:
        raise Problem(
            "invalid_parameter", f"Reports tell the first {MOST_KEYS} write keys apart; this one is younger."
        )
    return number


def bind_key(parameters: Parameters, number: int | None) -> dict[str, object]:
    """Return what the SQL takes of the write key of that number: of all users without one."""
    return {
        "everybody": number is None and parameters.users == "all",
        "keys": -1 if number is None else 1 << number,
        "key_number": number,
    }


def bind(
    report: Report,
    parameters: Parameters,
    now: dt.datetime,
    denied: Sequence[int] = (),
    key: int | None = None,
) -> dict[str, object]:
    """Return the parameters of the SQL: days and instants, never the database's own clock; the number
    of the write key asked for."""
    return {
        **parameters.bind(),
        "as_of": now,
        "today": day_of(now),
        "prior_from": parameters.prior_from if report.compares else parameters.first_day,
        "first_day": parameters.first_day,
        "last_day": parameters.until,
        "history_from": parameters.until - HISTORY,
        "denied": [] if parameters.denied == "include" else list(denied),
        "waiting_since": None,
        "nobody": NOBODY,
        **bind_key(parameters, key),
    }


@cache
def statement(stages: tuple[str, ...]) -> TextClause:
    """Return the files of `sql/` as one statement: each stage a common table expression
    under its name, the last the query.

    A stage reads the ones before it by name. One of several that may stand for a
    stage lies in a folder of its name.
    """
    *earlier, last = stages
    steps = ",\n".join(f"{stage.partition('/')[0]} AS (\n{read_sql(stage)})" for stage in earlier)
    return text(f"WITH {steps}\n{read_sql(last)}" if steps else read_sql(last))
