"""What telemetry costs the program that sends it: our client beside the released
PyAirbyte's module, in one run.

The released module is installed from the registry into an environment of its own, which runs both. Its
requests go to the same local hosts as ours: its host name is replaced before it sends, nothing else is.
"""

# Size: one experiment in one file.
import json
import os
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

ROOT: Final = Path(__file__).parents[1]
EXAMPLE: Final = "Example: python3 dev.py bench client --events 500"
SLOW_SECONDS: Final = 0.1
PATIENCE_SECONDS: Final = 20.0
"""How long a program may wait for a host before it is stopped: the released module waits for ever."""

LOAD: Final = {
    "ours": "import pyairbyte_telemetry as telemetry",
    "released": """
from airbyte._util import telemetry
post = telemetry.requests.post
def redirect(url, **arguments):
    return post(url.replace("https://api.segment.io", os.environ["AIRBYTE_TELEMETRY_URL"]), **arguments)
telemetry.requests.post = redirect
""",
}
SEND: Final = """
def send(state):
    telemetry.send_telemetry(
        source=telemetry.ConnectorRuntimeInfo(
            name="source-faker", executor_type="VenvExecutor", version="7.2.1", config_hash="82afdf6c" * 8),
        destination=None, cache=telemetry.WriterRuntimeInfo(type="DuckDBCache"),
        state=state, event_type=telemetry.EventType.SYNC, number_of_records=100)
"""
# Warm first, so that neither pays for its imports; each call is timed by itself.
COST: Final = """
import json, os, sys, time
{load}
{send}
send(telemetry.EventState.STARTED)
time.sleep(1)
costs = []
for _ in range(int(sys.argv[1])):
    began = time.perf_counter()
    send(telemetry.EventState.STARTED)
    costs.append(time.perf_counter() - began)
    if sum(costs) > {patience}:
        break
print(json.dumps(costs))
sys.stdout.flush()
os._exit(0)
"""
# One sync: three events, then the end. What is timed is everything after the first event.
EXIT: Final = """
import atexit, os, time
ended = None
atexit.register(lambda: os.write(1, b"%f %f" % (ended - began, time.perf_counter() - ended)))
{load}
{send}
began = time.perf_counter()
for state in (telemetry.EventState.STARTED, telemetry.EventState.STARTED, telemetry.EventState.SUCCEEDED):
    send(state)
ended = time.perf_counter()
"""
IMPORT: Final = """
import time, sys
{before}
began = time.perf_counter()
import {module}
print(time.perf_counter() - began)
"""
IMPORTS: Final = [
    ("our client, dependencies loaded before", "import requests, ulid, yaml", "pyairbyte_telemetry", 30.0),
    ("our client, from nothing", "", "pyairbyte_telemetry", None),
    (
        "the released module itself, all that it needs loaded before",
        "import airbyte._util.telemetry\ndel sys.modules['airbyte._util.telemetry']",
        "airbyte._util.telemetry",
        None,
    ),
    ("its dependencies alone", "", "requests, ulid, yaml", None),
]


@dataclass(frozen=True, slots=True)
class Host:
    """A host that behaves in one way."""

    name: str
    url: str


class Answering(BaseHTTPRequestHandler):
    """Answers every request with an empty 200, after the server's delay."""

    protocol_version = "HTTP/1.1"
    delay = 0.0

    def do_POST(self) -> None:
        """Read the request, wait, answer."""
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.delay)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def handle(self) -> None:
        """Serve a connection. Clients that are stopped reset theirs."""
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def answering(name: str, delay: float) -> Iterator[Host]:
    """Yield a host that answers after a delay."""
    kind = type("Delayed", (Answering,), {"delay": delay})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Host(name, f"http://127.0.0.1:{server.server_address[1]}")
        server.shutdown()


@contextmanager
def refusing() -> Iterator[Host]:
    """Yield a host without a service: connections are refused."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield Host("refuses connections", f"http://127.0.0.1:{bound.getsockname()[1]}")


@contextmanager
def silent() -> Iterator[Host]:
    """Yield a host that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield Host("accepts, never answers", f"http://127.0.0.1:{listener.getsockname()[1]}")


@contextmanager
def swallowing() -> Iterator[Host]:
    """Yield a host whose packets vanish: its backlog is full."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        yield Host("black hole", f"http://127.0.0.1:{full.getsockname()[1]}")
        for filler in fillers:
            filler.close()


def run(python: Path, program: str, url: str, *arguments: str) -> str | None:
    """Run a program in the environment that has both; its output, or None if it had to be stopped."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "client" / "src"),
        "AIRBYTE_TELEMETRY_URL": url,
        "AIRBYTE_ANALYTICS_ID": "01HQA7CYZTT9S2S25397KJP49A",
        "HOME": tempfile.gettempdir(),
    }
    environment.pop("DO_NOT_TRACK", None)
    try:
        ended = subprocess.run(
            [python, "-W", "ignore", "-c", program, *arguments],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS * 3,
        )
    except subprocess.TimeoutExpired:
        return None
    return ended.stdout


def install(folder: Path, version: str) -> Path:
    """Make an environment with a released PyAirbyte; its interpreter."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", f"airbyte=={version}"], check=True)
    return python


def measure_costs(python: Path, events: int) -> Table:
    """Return what one call costs its caller."""
    table = Table(title=f"one call of send_telemetry, {events} calls, the client warm (goal ≤ 30 µs)")
    for column in ("host", "client", "median", "99th percentile", "slowest"):
        table.add_column(column, justify="left" if column in {"host", "client"} else "right")
    with answering("answers at once", 0) as quick, answering("answers after 100 ms", SLOW_SECONDS) as slow:
        for host in (quick, slow):
            for client, load in LOAD.items():
                program = COST.format(load=load, send=SEND, patience=PATIENCE_SECONDS)
                output = run(python, program, host.url, str(events))
                costs = sorted(json.loads(output)) if output else []
                if not costs:
                    table.add_row(host.name, client, "stopped", "", "")
                    continue
                figures = (statistics.median(costs), costs[int(len(costs) * 0.99)], costs[-1])
                table.add_row(host.name, client, *(f"{figure * 1e6:,.1f} µs" for figure in figures))
    return table


def measure_exits(python: Path) -> Table:
    """Return what a sync of three events costs, and how long the exit is held
    up, with hosts in every state."""
    table = Table(title="three events and the exit (bound ≤ 1 s)")
    for column in ("host", "client", "three calls", "exit held up"):
        table.add_column(column, justify="left" if column in {"host", "client"} else "right")
    with (
        answering("answers at once", 0) as quick,
        refusing() as refuse,
        silent() as still,
        swallowing() as hole,
    ):
        for host in (quick, refuse, still, hole):
            for client, load in LOAD.items():
                output = run(python, EXIT.format(load=load, send=SEND), host.url)
                figures = [float(figure) for figure in output.split()] if output else []
                cells = [f"{figure * 1e3:,.1f} ms" for figure in figures] or ["never returned", "stopped"]
                table.add_row(host.name, client, *cells)
    return table


def measure_imports(python: Path, repeats: int = 7) -> Table:
    """Return how long importing takes: the least of some runs, each in a process of its own."""
    table = Table(title="import time")
    for column in ("what", "limit", "least", "median"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, before, module, limit in IMPORTS:
        program = IMPORT.format(before=before, module=module)
        times = [float(run(python, program, "") or "nan") * 1e3 for _ in range(repeats)]
        bound = f"{limit:.0f} ms" if limit else ""
        table.add_row(name, bound, f"{min(times):.1f} ms", f"{statistics.median(times):.1f} ms")
    return table


def main(
    events: Annotated[int, typer.Option(help="Calls to time.", min=1)] = 2000,
    version: Annotated[str, typer.Option(help="The released PyAirbyte to compare with.")] = "0.71.3",
    python: Annotated[
        Path | None, typer.Option(help="An interpreter that has it, to save the install.")
    ] = None,
) -> None:
    """Measure the client beside the released PyAirbyte's telemetry module."""
    console = Console(width=120)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        interpreter = python or install(Path(folder), version)
        for table in (
            measure_costs(interpreter, events),
            measure_exits(interpreter),
            measure_imports(interpreter),
        ):
            console.print(table)
    console.print(f"command: python -m benchmarks.client {shlex.join(sys.argv[1:])}", highlight=False)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command(epilog=EXAMPLE)(main)
    app()
