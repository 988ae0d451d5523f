"""A report's SQL as text, every parameter in its place: what `run` executes, for whoever wants its plan."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Final

from psycopg import sql

from app.reports.model import Report
from app.reports.parameters import Parameters
from app.reports.run import bind, statement

# Where SQLAlchemy's `text` takes a parameter: `:name`, and not `::type`.
PARAMETER: Final = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")


def write_statements(
    report: Report, parameters: Parameters, now: dt.datetime, denied: Sequence[int] = ()
) -> str:
    """Return the statements of a report in the order in which they run, each under a comment that names it.

    EXPLAIN may stand before any of them. Where plans need a setting, that is a
    statement of its own, at the head.
    """
    values = bind(report, parameters, now, denied) | write_key(parameters)
    parts = [f"-- {report.name}: for the planner\n{report.planner};"] if report.planner else []
    series = report.series.queries if report.series and parameters.series == "day" else {}
    for name, stages in {**report.queries, **series}.items():
        parts.append(f"-- {report.name}: {name}\n{fill(statement(stages).text, values)};")
    return "\n\n".join(parts)


def write_key(parameters: Parameters) -> dict[str, object]:
    """Return what the SQL takes of a write key that is asked for; its number is
    looked up where the SQL runs."""
    if parameters.key is None:
        return {}
    number = sql.SQL("(SELECT id FROM write_keys WHERE name = {})").format(parameters.key)
    mask = sql.SQL("(SELECT CAST(1 AS bigint) << id FROM write_keys WHERE name = {})").format(parameters.key)
    return {"everybody": False, "keys": mask, "key_number": number}


def write(value: object) -> str:
    """Return a value as SQL."""
    composed = value if isinstance(value, sql.Composable) else sql.Literal(value)
    return composed.as_string()


def fill(text: str, values: Mapping[str, object]) -> str:
    """Return a statement with literals in the place of its parameters. Raises
    KeyError for one without a value."""
    return PARAMETER.sub(lambda found: write(values[found[1]]), text.rstrip())
