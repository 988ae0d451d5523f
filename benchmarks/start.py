"""How long `python3 dev.py serve` takes to its first 200: on an empty package
cache, a full one, and once more.

Works on a clone of the committed state, with its own caches and data; nothing of this checkout is touched.
"""

import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.servers import ROOT, find_port, run_server

PATIENCE_SECONDS: Final = 300.0
EXAMPLE: Final = "Example: python3 dev.py bench start --seconds 2"


def measure_start(checkout: Path, caches: Path, data_dir: Path, seconds: int) -> float:
    """Return seconds from the command to the first 200; the service then stays up for `seconds`."""
    port = find_port()
    environment = {
        "HOME": str(caches),
        "UV_CACHE_DIR": str(caches / "uv"),
        "PIP_CACHE_DIR": str(caches / "pip"),
        "TELEMETRY_DATA_DIR": str(data_dir),
        "TELEMETRY_PORT": str(port),
    }
    python = str(Path(sys.base_prefix) / "bin" / "python3")
    began = time.monotonic()
    with run_server(
        [python, "dev.py", "serve"],
        f"http://127.0.0.1:{port}",
        environment,
        folder=checkout,
        patience=PATIENCE_SECONDS,
    ):
        took = time.monotonic() - began
        time.sleep(seconds)
    return took


def clone(folder: Path) -> Path:
    """Return a clone of the committed state."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    return folder


def measure_starts(folder: Path, seconds: int) -> Iterator[tuple[str, str, float]]:
    """Yield each kind of start: its name, its limit, its time."""
    caches = folder / "caches"
    caches.mkdir()
    first, second = clone(folder / "first"), clone(folder / "second")
    data = folder / "data"
    yield (
        "cold: fresh clone, empty package cache, no data",
        "30 s",
        measure_start(first, caches, data, seconds),
    )
    yield "second start: same clone and data", "3 s", measure_start(first, caches, data, seconds)
    yield "third start: same clone and data", "3 s", measure_start(first, caches, data, seconds)
    other = folder / "other"
    yield (
        "warm: fresh clone, full package cache, no data",
        "5 s",
        measure_start(second, caches, other, seconds),
    )


def main(
    seconds: Annotated[int, typer.Option(help="Seconds that the service stays up each time.", min=0)] = 1,
) -> None:
    """Measure how long the service takes to start."""
    table = Table(title="python3 dev.py serve to the first 200")
    for column in ("start", "limit", "seconds"):
        table.add_column(column, justify="left" if column == "start" else "right")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for name, limit, took in measure_starts(Path(folder), seconds):
            table.add_row(name, limit, f"{took:.1f}")
    console = Console(width=120)
    console.print(table)
    console.print(f"command: python -m benchmarks.start {shlex.join(sys.argv[1:])}", highlight=False)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command(epilog=EXAMPLE)(main)
    app()
