"""`/v1/track` under load, against a textbook endpoint and a bare ASGI app, in one run on one machine."""

import shlex
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from app.postgres import open_server
from benchmarks.load import Measurement, find_wrk, measure, write_templates
from benchmarks.servers import Server, run_app, run_service

CONNECTIONS: Final = (64, 256)
TARGETS: Final = ("noop", "bare", "textbook", "textbook-async", "service")
WARM_UP_SECONDS: Final = 2
EXAMPLE: Final = "Example: python3 dev.py bench track --seconds 6 --only bare --only service"


@contextmanager
def run_target(name: str, data_dir: Path) -> Iterator[tuple[Server, str]]:
    """Run one of the targets; yields the server and the path to post to."""
    if name == "service":
        with run_service(data_dir) as server:
            yield server, "/v1/track"
    elif name.startswith("textbook"):
        with (
            open_server(data_dir) as database,
            run_app("benchmarks.textbook:app", {"BENCHMARK_DATABASE_URL": database.url}) as server,
        ):
            yield server, "/v1/track-async" if name == "textbook-async" else "/v1/track"
    else:
        with run_app(f"benchmarks.bare:{'app' if name == 'bare' else 'noop'}") as server:
            yield server, "/v1/track"


def measure_round(names: list[str], seconds: int, data_dir: Path) -> Iterator[tuple[str, int, Measurement]]:
    """Measure each target at each number of connections, after a short warm-up."""
    templates = data_dir / "templates"
    write_templates(templates)
    for name in names:
        with run_target(name, data_dir) as (server, route):
            measure(server, templates, CONNECTIONS[0], WARM_UP_SECONDS, route)
            for connections in CONNECTIONS:
                yield name, connections, measure(server, templates, connections, seconds, route)


def keep_best(
    rounds: Iterable[tuple[str, int, Measurement]],
) -> list[tuple[str, int, Measurement]]:
    """Return the fastest measurement of each target and number of connections: what else
    ran then disturbed it least."""
    best: dict[tuple[str, int], Measurement] = {}
    for name, connections, each in rounds:
        known = best.get((name, connections))
        if known is None or each.events_per_second > known.events_per_second:
            best[name, connections] = each
    return [(*key, each) for key, each in best.items()]


def render(measurements: list[tuple[str, int, Measurement]]) -> Table:
    """Return one row a target and number of connections; the ratios are to the
    baselines at as many connections."""
    rates = {(name, connections): each.events_per_second for name, connections, each in measurements}
    table = Table(title="/v1/track, one worker, default fsync, generator on the same machine")
    for column in ("target", "connections", "events/s", "x textbook", "x bare", "p50 ms", "p99 ms", "errors"):
        table.add_column(column, justify="left" if column == "target" else "right")
    for column in ("server CPU", "wrk CPU", "machine CPU", "peak MB"):
        table.add_column(column, justify="right")
    for name, connections, each in measurements:
        table.add_row(
            name,
            str(connections),
            f"{each.events_per_second:,.0f}",
            ratio(each.events_per_second, best_textbook(rates, connections)),
            ratio(each.events_per_second, rates.get(("bare", connections))),
            f"{each.p50_ms:.1f}",
            f"{each.p99_ms:.1f}",
            str(each.errors),
            f"{each.server_cpu:.2f}",
            f"{each.generator_cpu:.2f}",
            f"{each.machine_cpu:.2f}",
            f"{each.peak_mb:.0f}",
        )
    return table


def best_textbook(rates: dict[tuple[str, int], float], connections: int) -> float | None:
    """Return the faster of the two textbook endpoints, so that the ratio flatters nobody."""
    measured = [rates.get((name, connections)) for name in ("textbook", "textbook-async")]
    return max((rate for rate in measured if rate is not None), default=None)


def ratio(rate: float, reference: float | None) -> str:
    """Return how many times the reference, where that was measured."""
    return f"{rate / reference:.2f}" if reference else "-"


def main(
    seconds: Annotated[int, typer.Option(help="Seconds of load for each row.", min=1)] = 6,
    rounds: Annotated[int, typer.Option(help="Times to go through all targets; the best counts.", min=1)] = 1,
    only: Annotated[list[str] | None, typer.Option(help=f"Measure only these: {', '.join(TARGETS)}.")] = None,
) -> None:
    """Measure /v1/track beside its baselines."""
    find_wrk()
    names = [name for name in TARGETS if not only or name in only]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        every = (each for _ in range(rounds) for each in measure_round(names, seconds, Path(folder)))
        measurements = keep_best(every)
    console = Console(width=140)
    console.print(render(measurements))
    console.print("machine CPU near the number of cores while server CPU is low: something else was running")
    console.print(f"command: python -m benchmarks.track {shlex.join(sys.argv[1:])}", highlight=False)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command(epilog=EXAMPLE)(main)
    app()
