"""The command line `pyairbyte-telemetry`: every verb is a function in the module of its area,
imported when it is called."""

import gc
import sys
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from app import __version__
from app.problems import Problem, TelemetryError

# Where a command is, a function or a group, and its line in `--help`: the first of its
# docstring, which a test compares.
COMMANDS: Final = {
    "serve": (
        "app.serving.cli:serve",
        "Start the service, with the embedded Postgres unless TELEMETRY_DATABASE_URL names another.",
    ),
    "migrate": (
        "app.serving.cli:migrate",
        "Bring the database's schema up to date; `serve` does it too.",
    ),
    "report": ("app.pages.cli:report", "Print a report, or a digest of them."),
    "demo": (
        "app.demo.cli:demo",
        "Post a made-up fleet of PyAirbyte users through the HTTP API.",
    ),
    "forget": (
        "app.erasure.cli:forget",
        "Delete everything under an anonymous id, and store nothing under it any more.",
    ),
    "doctor": (
        "app.admin.cli:doctor",
        "Look at settings, data dir, database and clock, and say what is wrong. Exit status 1 if "
        "anything is.",
    ),
    "rebuild": (
        "app.rollups.cli:rebuild",
        "Make attempts and daily sums anew from the stored events; the service may go on meanwhile.",
    ),
    "import": (
        "app.admin.imports:import_",
        "Import history: times are kept as they are. What was stored before is recognised.",
    ),
    "distribute": (
        "app.admin.distribute:distribute",
        "Distribute a migrated database over the nodes of a Citus cluster, by bucket.",
    ),
    "size": (
        "app.admin.sizes:size",
        "Say what so many users need: events a second, cores, disk, and which step of docs/scale.md.",
    ),
    "keys": ("app.admin.keys:keys_app", "Write keys: who may send events."),
    "tokens": (
        "app.admin.tokens:tokens_app",
        "Report tokens: who may read reports, beside TELEMETRY_REPORT_TOKEN.",
    ),
    "connectors": (
        "app.admin.cli:connectors_app",
        "Names of public connectors, which may be stored.",
    ),
}


DATABASE_PACKAGES: Final = ("sqlalchemy", "psycopg")

# What is imported stays: looking for cycles in it, as often as is usual, took a twelfth of its CPU.
CONTAINERS_BETWEEN_COLLECTIONS: Final = 50_000


class Deferred(TyperCommand):
    """A command that is a name and a line of help until it is called: what it
    imports takes most of a second."""

    def __init__(self, name: str, where: str, summary: str) -> None:
        """`where` is a module and what it calls the command, with a colon between."""
        super().__init__(name, callback=None, help=summary)
        self.where = where

    def load(self) -> Any:
        """Return the command itself."""
        module, _, attribute = self.where.partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            group = typer.main.get_group(found)
            group.name = self.name
            return group
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(self.name)(found)
        return typer.main.get_command(alone)

    def make_context(self, *arguments: Any, **named: Any) -> Any:
        """Return the context of the command itself, to which it belongs from here on."""
        return self.load().make_context(*arguments, **named)


class Commands(TyperGroup):
    """The group of all commands."""

    def __init__(self, **attributes: Any) -> None:
        """Add the commands to what typer found."""
        super().__init__(**attributes)
        for name, (where, summary) in COMMANDS.items():
            self.commands[name] = Deferred(name, where, summary)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Receives PyAirbyte's anonymous usage events and reports which connectors to fix first.",
)


def print_version(wanted: bool) -> None:
    """Print the version and end, if that is wanted."""
    if wanted:
        typer.echo(f"pyairbyte-telemetry {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Receive PyAirbyte's anonymous usage events and report which connectors to fix first."""


def load_all() -> Any:
    """Return the command line with every command in its place, for what reads all of it."""
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        group.commands[name] = command.load()
    return group


def name_file(error: OSError) -> str:
    """Return the file that an error of the system is about, if it is about one."""
    return f": {error.filename}" if isinstance(error.filename, str) else ""


def main() -> None:
    """Run the command line; a problem is one line on stderr and exit status 1."""
    gc.set_threshold(CONTAINERS_BETWEEN_COLLECTIONS)
    try:
        app()
    except (TelemetryError, Problem) as error:
        message = error.detail if isinstance(error, Problem) else str(error)
        typer.echo(f"Error: {' '.join(message.split())}", err=True)  # one line, whatever it quotes
        sys.exit(1)
    except OSError as error:
        # What the system refuses is for the operator to mend.
        typer.echo(f"Error: {error.strerror or type(error).__name__}{name_file(error)}", err=True)
        sys.exit(1)
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in DATABASE_PACKAGES:
            raise
        causes = import_module("app.store.causes")  # only now: most commands end without
        typer.echo(f"Error: {causes.explain(error)}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
