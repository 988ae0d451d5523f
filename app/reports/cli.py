"""The command `report`."""

import datetime as dt
import inspect
import shutil
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import Annotated, Final

import typer
from sqlalchemy.exc import OperationalError, ProgrammingError

from app.problems import Problem, TelemetryError
from app.reports import digest, fitting, glossary, near, registry, render
from app.reports.definitions.connectors import CONNECTORS
from app.reports.digest import Digest
from app.reports.model import Report, Table
from app.reports.parameters import PARAMETERS, Parameters
from app.reports.parsing import parse
from app.reports.run import reading, run
from app.reports.written_sql import write_statements
from app.settings import Settings, load_settings
from app.store import secrets
from app.store.causes import Cause, DatabaseError, cause_of
from app.store.database import hold, open_engine

TEXT_LIMIT: Final = "25"  # rows of a text, unless asked for more: a screenful
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
    text = "text"
    markdown = "markdown"
    jsonl = "jsonl"


WIDE: Final = (Format.table, Format.text, Format.markdown)  # to be read, not computed with
# How the room of the pages, which lies above this one, writes what is drawn; it fills
# this when the command is loaded.
DRAWN: Final[dict[Format, Callable[[Table], None]]] = {}
DIGESTED: Final[dict[Format, Callable[[Digest, Table], str]]] = {}  # of home's table, for its picture


def explain(name: str) -> str:
    """Return the help of a parameter, from the one list that also parses it."""
    parameter = PARAMETERS[name]
    takes = parameter.allowed or f"what the report has, as {', '.join(CONNECTORS.sorts)}"
    shorter = f", {TEXT_LIMIT} as a table" if name == "limit" else ""
    return f"{parameter.description} Takes {takes}; default {parameter.default}{shorter}."


def option(name: str) -> typer.models.OptionInfo:
    """Return the option of a parameter. Its value is read by the reports' own parser."""
    info = typer.Option(f"--{name}", help=explain(name), show_default=False, metavar=name.upper())
    assert isinstance(info, typer.models.OptionInfo)  # noqa: S101 -- typer types it as Any
    return info


def with_parameters(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with an option for each parameter of reports, after its argument.

    It gets them as keywords with a `_` behind: the command's own argument is called `name`, too.
    """
    argument, *own, _rest = inspect.signature(command).parameters.values()
    options = [
        inspect.Parameter(
            f"{name}_",
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[str | None, option(name)],
        )
        for name in PARAMETERS
    ]
    signature = inspect.Signature([argument, *options, *own])
    command.__signature__ = signature  # type: ignore[attr-defined]
    return command


# Size: one argument an option, as typer wants them.
@with_parameters
def report(  # noqa: PLR0913
    name: Annotated[
        str,
        typer.Argument(
            help=f"Which report: {', '.join(registry.REPORTS)}; or {digest.NAME}, {digest.SUMMARY}, as "
            f"text, markdown or html."
        ),
    ],
    *,
    format_: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.table,
    fail_on: Annotated[
        FailOn | None,
        typer.Option(
            "--fail-on",
            help=f"Exit with {ALARMED} if `regressions` has a version with that verdict, for cron.",
        ),
    ] = None,
    post: Annotated[
        bool, typer.Option("--post", help="Send the digest to TELEMETRY_ALERT_WEBHOOK, too.")
    ] = False,
    explain_: Annotated[
        bool,
        typer.Option(
            "--explain", help="Say what every figure means and where it is computed, and run nothing."
        ),
    ] = False,
    sql: Annotated[
        bool,
        typer.Option(
            "--sql", help="Print the statements with their parameters, ready for EXPLAIN, and run nothing."
        ),
    ] = False,
    **parameters: str | None,
) -> None:
    """Print a report, or a digest of them.

    Example: pyairbyte-telemetry report connectors --window 7d --role destination --format csv

    Example, for cron: pyairbyte-telemetry report regressions --fail-on alert

    Example, for cron on Mondays: pyairbyte-telemetry report digest --post
    """
    if post and name != digest.NAME:
        raise TelemetryError("--post goes with the digest.")
    if fail_on is not None and find(name).alarms is None:
        raise TelemetryError("--fail-on goes with the report regressions.")
    if explain_:
        typer.echo(glossary.explain(find(name)))
        return
    asked = {key.removesuffix("_"): text for key, text in parameters.items() if text is not None}
    if sql:
        typer.echo(assemble(name, asked))
        return
    if format_ in WIDE and name != digest.NAME:
        asked = {"limit": TEXT_LIMIT} | asked
    if name == digest.NAME:
        write_digest(asked, format_, is_posted=post)
        return
    table = fetch(name, asked)
    write(table, format_)
    if fail_on is not None and table.alarms:
        raise typer.Exit(ALARMED)


def find(name: str) -> Report:
    """Return the report of that name. Raises TelemetryError, which names those that there are."""
    try:
        return registry.find(name)
    except Problem as problem:
        raise TelemetryError(problem.detail) from None


def deny(settings: Settings) -> list[int]:
    """Return the units that reports leave out."""
    return secrets.resolve(settings).pseudonyms().units(settings.denied) if settings.denied else []


def write_digest(given: dict[str, str], format_: Format, *, is_posted: bool) -> None:
    """Write the digest to standard output, and post it. Raises TelemetryError
    without a webhook to post to."""
    if format_ not in (*WIDE, *DIGESTED):
        raise TelemetryError("The digest is written as text, markdown or html.")
    asked = digest.ask(given, lambda name: find(name).parameters)
    tables = dict(zip(asked, fetch_all(list(asked.values())), strict=True))
    made = digest.compose(tables)
    webhook = load_settings().alert_webhook
    if is_posted and webhook is None:
        raise TelemetryError("--post needs TELEMETRY_ALERT_WEBHOOK.")
    if format_ in DIGESTED:
        typer.echo(DIGESTED[format_](made, tables["home"]), nl=False)
    else:
        typer.echo(digest.to_markdown(made) if format_ is Format.markdown else digest.to_text(made))
    if is_posted and webhook is not None:
        digest.post(made, webhook.get_secret_value())


def assemble(name: str, given: dict[str, str]) -> str:
    """Return the SQL of a report as it would run now. Raises TelemetryError, which says what to mend."""
    now = dt.datetime.now(dt.UTC)
    chosen, parameters = read(name, given, now)
    return write_statements(chosen, parameters, now, deny(load_settings()))


def fetch(name: str, given: dict[str, str]) -> Table:
    """Return a report, run against the database of the settings. Raises TelemetryError, which says what to
    mend."""
    [table] = fetch_all([(name, given)])
    return table


def read(name: str, given: dict[str, str], now: dt.datetime) -> tuple[Report, Parameters]:
    """Return a report and what it is asked. Raises TelemetryError, or BadParameter for a
    name that no connector has."""
    chosen = find(name)
    check_names(given, near.find_malformed)
    try:
        return chosen, parse(chosen, given.items(), now)
    except Problem as problem:
        raise TelemetryError(problem.detail) from None


def fetch_all(asked: Sequence[tuple[str, dict[str, str]]]) -> list[Table]:
    """Return reports, each with what is given to it, over one snapshot. Raises
    TelemetryError, which says what to mend."""
    now = dt.datetime.now(dt.UTC)
    chosen = [read(name, given, now) for name, given in asked]
    settings = load_settings()
    with hold(settings) as database:
        engine = open_engine(database.url)
        try:
            with reading(engine) as connection:
                for _, given in asked:
                    check_names(given, partial(near.find_learned, connection))
                denied = deny(settings)
                return [run(report, parameters, connection, now, denied) for report, parameters in chosen]
        except (OperationalError, ProgrammingError) as error:
            if isinstance(error, ProgrammingError) and cause_of(error) is not Cause.NOT_MIGRATED:
                raise
            raise DatabaseError(cause_of(error)) from None
        finally:
            engine.dispose()


def check_names(given: Mapping[str, str], find: Callable[[str], list[str] | None]) -> None:
    """Raise BadParameter, exit status 2, for a connector that does not exist; `find`
    returns the names near such a one."""
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
        case Format.markdown:
            typer.echo(render.to_markdown(table))
        case Format.jsonl:
            typer.echo(render.to_lines(table), nl=False)
        case Format.svg | Format.png | Format.html:
            DRAWN[format_](table)
        case Format.table | Format.text:
            console = fitting.open_console(shutil.get_terminal_size((PLAIN_WIDTH, 25)).columns)
            console.print(render.to_text(table, console.width))
