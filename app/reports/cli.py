"""The command `report`."""

import datetime as dt
import shutil
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial
from typing import Annotated, Final
from uuid import UUID

import typer
from rich.console import Console
from sqlalchemy.exc import OperationalError, ProgrammingError

from app.problems import Problem, TelemetryError
from app.reports import glossary, near, registry, render
from app.reports.definitions.connectors import CONNECTORS
from app.reports.model import Report, Table
from app.reports.parameters import PARAMETERS, parse
from app.reports.run import reading, run
from app.settings import Settings, load_settings
from app.store import secrets
from app.store.causes import Cause, DatabaseError, cause_of
from app.store.database import hold, open_engine

TEXT_LIMIT: Final = "25"  # rows of a text, unless told: a screenful
ALARMED: Final = 3  # exit status of --fail-on
PLAIN_WIDTH: Final = 140  # columns where the output is no terminal


class FailOn(StrEnum):
    """What is a failure."""

    alert = "alert"


class Format(StrEnum):
    """How a report is written."""

    table = "table"
    json = "json"
    csv = "csv"
    parquet = "parquet"
    svg = "svg"
    png = "png"
    html = "html"


# How the room of the pages, which lies above this one, writes what is drawn; it fills this when the command is loaded.
DRAWN: Final[dict[Format, Callable[[Table], None]]] = {}


def explain(name: str) -> str:
    """The help of a parameter, from the one list that also parses it."""
    parameter = PARAMETERS[name]
    takes = parameter.allowed or f"what the report has, as {', '.join(CONNECTORS.sorts)}"
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
    connector: Annotated[str | None, option("connector")] = None,
    name_: Annotated[str | None, option("name")] = None,
    scope: Annotated[str | None, option("scope")] = None,
    denied: Annotated[str | None, option("denied")] = None,
    sort: Annotated[str | None, option("sort")] = None,
    limit: Annotated[str | None, option("limit")] = None,
    format_: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.table,
    fail_on: Annotated[
        FailOn | None,
        typer.Option(
            "--fail-on",
            help=f"Exit with {ALARMED} if `regressions` has a version with that verdict, for cron.",
        ),
    ] = None,
    explain_: Annotated[
        bool,
        typer.Option(
            "--explain", help="Say what every figure means and where it is computed, and run nothing."
        ),
    ] = False,
) -> None:
    """Print a report.

    Example: pyairbyte-telemetry report connectors --window 7d --role destination --format csv

    Example, for cron: pyairbyte-telemetry report regressions --fail-on alert
    """
    if fail_on is not None and find(name).alarms is None:
        raise TelemetryError("--fail-on goes with the report regressions.")
    if explain_:
        typer.echo(glossary.explain(find(name)))
        return
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
        "connector": connector,
        "name": name_,
        "scope": scope,
        "denied": denied,
        "sort": sort,
        "limit": limit,
    }
    table = fetch(name, {key: text for key, text in given.items() if text is not None})
    write(table, format_)
    if fail_on is not None and table.alarms:
        raise typer.Exit(ALARMED)


def find(name: str) -> Report:
    """The report of that name. Raises TelemetryError, which names those that there are."""
    try:
        return registry.find(name)
    except Problem as problem:
        raise TelemetryError(problem.detail) from None


def deny(settings: Settings) -> list[UUID]:
    """The units that reports leave out."""
    return secrets.resolve(settings).pseudonyms().units(settings.denied) if settings.denied else []


def fetch(name: str, given: dict[str, str]) -> Table:
    """Run a report against the database of the settings. Raises TelemetryError, which says what to mend."""
    now = dt.datetime.now(dt.UTC)
    chosen = find(name)
    check_names(given, near.find_malformed)
    try:
        parameters = parse(chosen, given.items(), now)
    except Problem as problem:
        raise TelemetryError(problem.detail) from None
    settings = load_settings()
    with hold(settings) as database:
        engine = open_engine(database.url)
        try:
            with reading(engine) as connection:
                check_names(given, partial(near.find_learned, connection))
                return run(chosen, parameters, connection, now, deny(settings))
        except (OperationalError, ProgrammingError) as error:
            if isinstance(error, ProgrammingError) and cause_of(error) is not Cause.NOT_MIGRATED:
                raise
            raise DatabaseError(cause_of(error)) from None
        finally:
            engine.dispose()


def check_names(given: Mapping[str, str], find: Callable[[str], list[str] | None]) -> None:
    """Raise BadParameter, exit status 2, for a connector that does not exist; `find` returns the names near such a one."""
    for option in ("name", "connector"):
        is_given = given.get(option, PARAMETERS[option].default) != PARAMETERS[option].default
        names = find(given[option]) if is_given else None
        if names is not None:
            said = f"Near it are {', '.join(names)}." if names else "None is near it."
            raise typer.BadParameter(f"there is no such connector. {said}", param_hint=f"--{option}")


def write(table: Table, format_: Format) -> None:
    """Write a table to standard output."""
    match format_:
        case Format.json:
            typer.echo(render.to_json(table))
        case Format.csv:
            typer.echo(render.to_csv(table), nl=False)
        case Format.parquet:
            typer.echo(render.to_parquet(table), nl=False)
        case Format.svg | Format.png | Format.html:
            DRAWN[format_](table)
        case Format.table:
            console = Console(width=shutil.get_terminal_size((PLAIN_WIDTH, 25)).columns)
            console.print(render.to_text(table, console.width))
