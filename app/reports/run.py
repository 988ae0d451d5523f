"""A report, run: its SQL against a connection, its ranking in memory, a table out."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from sqlalchemy import Connection, Engine, TextClause, text

from app.reports.parameters import DAY, Parameters
from app.reports.ranking import rank
from app.reports.registry import Column, Report, Row

# No session key spans more than 7 days, so a pair that touches the window lies within 7 days of it.
PAIR_SPAN: Final = 7 * DAY


@dataclass(frozen=True, slots=True)
class Table:
    """A report's answer: rows in rank order, each with every column as a key."""

    report: Report
    parameters: dict[str, str | int | None]
    as_of: dt.datetime
    columns: tuple[Column, ...]
    rows: list[Row]
    total: int


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection to read one report with: read only, whatever the engine allows, with room to sort in memory."""
    with engine.connect().execution_options(postgresql_readonly=True) as connection:
        connection.execute(text("SET LOCAL work_mem = '64MB'"))
        yield connection


def run(report: Report, parameters: Parameters, connection: Connection, now: dt.datetime) -> Table:
    """Run a report as of `now` (which decides what is in flight). One SQL statement.

    Raises sqlalchemy.exc.DBAPIError.
    """
    counts = connection.execute(statement(report.stages), bind(parameters, now)).mappings().all()
    rows = rank([dict(count) for count in counts], parameters, report)
    return Table(report, parameters.describe(), now, report.columns, rows, total=len(counts))


def bind(parameters: Parameters, now: dt.datetime) -> dict[str, object]:
    """The parameters of the SQL: instants, never the database's own clock."""
    return {
        "as_of": now,
        "window_from": parameters.window_from,
        "window_until": parameters.window_until,
        "read_from": parameters.window_from - PAIR_SPAN,
        "read_until": parameters.window_until + PAIR_SPAN,
        "role": parameters.role,
        "lane": parameters.lane,
        "ci": parameters.ci,
        "prerelease": parameters.prerelease,
        "version": parameters.version,
    }


@cache
def statement(stages: tuple[str, ...]) -> TextClause:
    """The files of `sql/` as one statement: each stage a common table expression under its name, the last the query.

    A stage reads the ones before it by name; a table of that name can take the place of a stage and of all before it.
    """
    *earlier, last = stages
    steps = ",\n".join(f"{stage} AS (\n{read_sql(stage)})" for stage in earlier)
    return text(f"WITH {steps}\n{read_sql(last)}")


def read_sql(stage: str) -> str:
    """The text of a stage."""
    return files("app.reports").joinpath("sql", f"{stage}.sql").read_text("utf-8")
