"""`distribute`: turns a migrated database with the Citus extension into a distributed one.

Every statement is a transaction of its own and is left out if its work is done already, so the command may be
killed and run again. What it does is Citus's own: https://docs.citusdata.com/en/stable/develop/api_udf.html
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import track
from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from app.admin.quiet import check_quiet
from app.problems import TelemetryError
from app.settings import Settings, load_settings
from app.store import placement
from app.store.connected import connected

OLDEST: Final = (
    12,
    0,
)  # the first release in which every node plans queries and partitions are distributed with their parent
ADDRESS: Final = re.compile(r"(?P<host>[A-Za-z0-9._-]{1,253}):(?P<port>[0-9]{1,5})")
MOST_SHARDS: Final = 4_096  # one a bucket
IS_PLACED: Final = "SELECT FROM citus_tables WHERE table_name = CAST(:table AS regclass)"
IS_NODE: Final = "SELECT FROM pg_dist_node WHERE nodename = :host AND nodeport = :port"
IS_COORDINATOR: Final = f"{IS_NODE} AND groupid = 0"


@dataclass(frozen=True, slots=True)
class Step:
    """One statement with its parameters, and the query that finds a row if its work is
    done; None: it may be repeated."""

    statement: str
    parameters: dict[str, Any]
    done: str | None = None

    def __str__(self) -> str:
        """Return the statement with its parameters in their places, to be read."""
        return re.sub(r":(\w+)", lambda found: quote(self.parameters[found[1]]), self.statement) + ";"


def quote(value: str | int) -> str:
    """Return a parameter as a literal. Parameters are names of tables, hosts and
    numbers: none holds a quote."""
    return str(value) if isinstance(value, int) else f"'{value}'"


def plan(shards: int, coordinator: tuple[str, int] | None, workers: list[tuple[str, int]]) -> Iterator[Step]:
    """Yield the statements in order: nodes, reference tables, distributed tables, the copies
    that are left over, and the views of schema `report`, which ask as their owner from then on."""
    if coordinator:
        host, port = coordinator
        yield Step(
            "SELECT citus_set_coordinator_host(:host, :port)", {"host": host, "port": port}, IS_COORDINATOR
        )
    for host, port in workers:
        yield Step("SELECT citus_add_node(:host, :port)", {"host": host, "port": port}, IS_NODE)
    for table in placement.reference_tables():
        yield Step("SELECT create_reference_table(:table)", {"table": table}, IS_PLACED)
    first, *others = placement.distributed_tables()
    key = placement.KEY
    yield Step(
        "SELECT create_distributed_table(:table, :key, shard_count => :shards)",
        {"table": first, "key": key, "shards": shards},
        IS_PLACED,
    )
    for table in others:
        yield Step(
            "SELECT create_distributed_table(:table, :key, colocate_with => :first)",
            {"table": table, "key": key, "first": first},
            IS_PLACED,
        )
    for table in (*placement.reference_tables(), first, *others):
        yield Step("SELECT truncate_local_data_after_distributing_table(:table)", {"table": table})
    yield Step(placement.GUARD_VIEWS, {})


def distribute(
    shards: Annotated[
        int, typer.Option(min=1, max=MOST_SHARDS, help="Into how many parts each table is divided.")
    ] = 32,
    worker: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT", help="A node to add, once for each. None: all shards stay here."),
    ] = None,
    coordinator: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="How the workers reach this database. Needed with --worker."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the statements that are still to run, and run none.")
    ] = False,
) -> None:
    """Distribute a migrated database over the nodes of a Citus cluster, by bucket.

    Stop every instance first. It may be interrupted and run again; what is done is left out. There is no way
    back but a dump. When this is worth it: docs/scale.md.

    Example: pyairbyte-telemetry distribute --coordinator db-0:5432 --worker
    db-1:5432 --worker db-2:5432 --dry-run
    """
    nodes = [parse_address(given) for given in worker or ()]
    if nodes and coordinator is None:
        raise TelemetryError("--worker needs --coordinator HOST:PORT: workers call the coordinator back.")
    steps = list(plan(shards, parse_address(coordinator) if coordinator else None, nodes))
    settings = load_settings()
    with connected() as (connection, _):
        check(connection, settings)
        open_steps = [step for step in steps if not is_done(connection, step)]
        if dry_run:
            for step in open_steps:
                typer.echo(str(step))
            return
        for step in track(open_steps, "Distributing", console=Console(stderr=True)):
            run(connection, step)
    typer.echo(f"Distributed: {len(placement.distributed_tables())} tables by {placement.KEY}.")


def parse_address(given: str) -> tuple[str, int]:
    """Return host and port. Raises TelemetryError for anything else."""
    found = ADDRESS.fullmatch(given)
    if found is None or not 1 <= int(found["port"]) <= 65_535:
        raise TelemetryError("A node is named as HOST:PORT, such as db-1:5432.")
    return found["host"], int(found["port"])


def check(connection: Connection, settings: Settings) -> None:
    """Raise TelemetryError for a database without a Citus that is new enough, or in
    use, and while events wait."""
    if settings.database_url is None:
        raise TelemetryError(
            "The embedded Postgres cannot be distributed: set TELEMETRY_DATABASE_URL to a database with "
            "Citus."
        )
    installed = connection.execute(text("SELECT to_regproc('citus_version') IS NOT NULL")).scalar()
    if not installed:
        raise TelemetryError(
            "This database has no Citus: add citus to shared_preload_libraries, restart Postgres on "
            "every node, and "
            "run CREATE EXTENSION citus in this database."
        )
    answer = str(connection.execute(text("SELECT citus_version()")).scalar_one())
    version = tuple(int(part) for part in re.findall(r"\d+", answer)[:2])
    if version < OLDEST:
        raise TelemetryError(f"Citus {'.'.join(map(str, version))} is too old: 12.0 or later is needed.")
    check_quiet(connection, settings)
    connection.rollback()


def is_done(connection: Connection, step: Step) -> bool:
    """Return whether the work of a step is done already."""
    return step.done is not None and connection.execute(text(step.done), step.parameters).first() is not None


def run(connection: Connection, step: Step) -> None:
    """Run a step and commit. Raises TelemetryError, which names the statement, and
    the reason by its code only."""
    try:
        connection.execute(text(step.statement), step.parameters)
        connection.commit()
    except DBAPIError as error:
        code = getattr(error.orig, "sqlstate", None)
        raise TelemetryError(
            f"Failed with SQLSTATE {code}: {step} What ran before is done; mend the cause and run this again."
        ) from None
