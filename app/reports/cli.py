"""The command `report`."""

import datetime as dt
from enum import StrEnum
from typing import Annotated, Final

import typer
from rich.console import Console
from sqlalchemy.exc import OperationalError, ProgrammingError

from app.problems import Problem, TelemetryError
from app.reports import registry, render
from app.reports.parameters import PARAMETERS, parse
from app.reports.run import Table, reading, run
from app.settings import load_settings
from app.store.database import hold, open_engine

TEXT_LIMIT: Final = "25"  # rows of a text, unless told: a screenful
PLAIN_WIDTH: Final = 140  # columns where the output is no terminal


class Format(StrEnum):
    """How a report is written."""

    table = "table"
    json = "json"
    csv = "csv"


def explain(name: str) -> str:
    """The help of a parameter, from the one list that also parses it."""
    parameter = PARAMETERS[name]
    takes = parameter.allowed or f"one of {', '.join(registry.CONNECTORS.sorts)}"
    shorter = f", {TEXT_LIMIT} as a table" if name == "limit" else ""
    return f"{parameter.description} Takes {takes}; default {parameter.default}{shorter}."


def option(name: str) -> typer.models.OptionInfo:
    """The option of a parameter. Its value is read by the reports' own parser."""
    info = typer.Option(f"--{name}", help=explain(name), show_default=False, metavar=name.upper())
    assert isinstance(info, typer.models.OptionInfo)  # noqa: S101 -- typer types it as Any
    return info


def report(  # noqa: PLR0913, PLR0917 -- one argument an option, as typer wants them
    name: Annotated[str, typer.Argument(help=f"Which report: {', '.join(registry.REPORTS)}.")],
    window: Annotated[str | None, option("window")] = None,
    until: Annotated[str | None, option("until")] = None,
    role: Annotated[str | None, option("role")] = None,
    lane: Annotated[str | None, option("lane")] = None,
    ci: Annotated[str | None, option("ci")] = None,
    prerelease: Annotated[str | None, option("prerelease")] = None,
    version: Annotated[str | None, option("version")] = None,
    sort: Annotated[str | None, option("sort")] = None,
    limit: Annotated[str | None, option("limit")] = None,
    format_: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.table,
) -> None:
    """Print a report.

    Example: pyairbyte-telemetry report connectors --window 7d --role destination --format csv
    """
    if format_ is Format.table and limit is None:
        limit = TEXT_LIMIT
    given = {
        "window": window,
        "until": until,
        "role": role,
        "lane": lane,
        "ci": ci,
        "prerelease": prerelease,
        "version": version,
        "sort": sort,
        "limit": limit,
    }
    write(fetch(name, {key: text for key, text in given.items() if text is not None}), format_)


def fetch(name: str, given: dict[str, str]) -> Table:
    """Run a report against the database of the settings. Raises TelemetryError, which says what to mend."""
    now = dt.datetime.now(dt.UTC)
    try:
        chosen = registry.find(name)
        parameters = parse(chosen, given.items(), now)
    except Problem as problem:
        raise TelemetryError(problem.detail) from None
    with hold(load_settings()) as database:
        engine = open_engine(database.url)
        try:
            with reading(engine) as connection:
                return run(chosen, parameters, connection, now)
        except OperationalError:
            raise TelemetryError("The database cannot be reached, or did not answer in time.") from None
        except ProgrammingError:
            raise TelemetryError(
                "The database has no tables, or not those of this release: run `pyairbyte-telemetry migrate`."
            ) from None
        finally:
            engine.dispose()


def write(table: Table, format_: Format) -> None:
    """Write a table to standard output."""
    match format_:
        case Format.json:
            typer.echo(render.to_json(table))
        case Format.csv:
            typer.echo(render.to_csv(table), nl=False)
        case Format.table:
            console = Console()
            if not console.is_terminal:
                console = Console(width=max(console.width, PLAIN_WIDTH))
            console.print(render.to_text(table))
