"""The pages' budget: the first visit, pages from the cache quiet and under ingestion, sizes,
and what five listeners cost."""

import gzip
import os
import re
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer
from rich.console import Console
from rich.table import Table
from scipy.stats import binom

from app.pages import site
from benchmarks.load import Measurement, measure, write_templates
from benchmarks.servers import CONSOLE, WRITE_KEY, Server, run_service

PATHS: Final = (*(page.path for page in site.PAGES), "/reports/connectors/source-faker")
CONNECTIONS: Final = 64
LISTENERS: Final = 5
TOKEN: Final = "benchmark-report-token"  # noqa: S105 -- of a server that lives for the benchmark
PAUSE_SECONDS: Final = 0.02
REPORT_WIDTH: Final = 140
AHEAD_SECONDS: Final = 20  # the default views are made at start
SETTINGS: Final = {"TELEMETRY_REPORT_TOKEN": TOKEN}


@contextmanager
def enter(server: Server) -> Iterator[httpx.Client]:
    """Log in as the banner's link does."""
    with httpx.Client(base_url=server.url, timeout=120) as client:
        client.get("/reports", params={"token": TOKEN})
        yield client


def fill(server: Server, data_dir: Path, users: int) -> None:
    """Fill the service with the demo's fleet."""
    settings = {"TELEMETRY_DATA_DIR": str(data_dir), "TELEMETRY_PORT": server.url.rpartition(":")[2]}
    command = [
        str(CONSOLE),
        "demo",
        "--users",
        str(users),
        "--url",
        server.url,
        "--write-key",
        WRITE_KEY,
    ]

    subprocess.run(command, env={**os.environ, **settings}, check=True, stdout=subprocess.DEVNULL)


def time_page(client: httpx.Client, path: str) -> float:
    """Return the seconds that a page takes, as its reader sees it."""
    start = time.perf_counter()
    client.get(path, headers={"accept-encoding": "gzip"}).raise_for_status()
    return time.perf_counter() - start


def time_pages(client: httpx.Client, rounds: int) -> dict[str, list[float]]:
    """Return the times of each page in ms, page by page in turns."""
    times: dict[str, list[float]] = {path: [] for path in PATHS}
    for _ in range(rounds):
        for path in PATHS:
            times[path].append(time_page(client, path) * 1_000)
            time.sleep(PAUSE_SECONDS)
    return times


def compare_listeners(
    server: Server, client: httpx.Client, templates: Path, seconds: int, rounds: int
) -> tuple[list[float], list[float]]:
    """Return, round by round and in turns, five listeners over none: the rates of
    `/v1/track`, the server's CPU an event."""
    rates, costs = [], []
    for number in range(rounds):
        seen: dict[int, Measurement] = {}
        for listeners in (0, LISTENERS) if number % 2 else (LISTENERS, 0):
            with ExitStack() as stack:
                for _ in range(listeners):
                    stream = stack.enter_context(client.stream("GET", f"{site.LIVE.path}/stream"))
                    threading.Thread(target=drain, args=(stream,), daemon=True).start()
                seen[listeners] = measure(server, templates, CONNECTIONS, seconds, "/v1/track")
        with_them, without = seen[LISTENERS], seen[0]
        rates.append(with_them.events_per_second / without.events_per_second)
        costs.append(cost_event(with_them) / cost_event(without))
    return rates, costs


def cost_event(seen: Measurement) -> float:
    """Return the seconds of the server's CPU for each event."""
    return seen.server_cpu / seen.events_per_second


def say_ratios(name: str, ratios: Sequence[float]) -> str:
    """Return the median of ratios, its bounds at 90 % confidence by the order of
    the rounds, and all of them."""
    ordered = sorted(ratios)
    aside = max(int(binom.ppf(0.05, len(ordered), 0.5)) - 1, 0)
    low, high = ordered[aside], ordered[-1 - aside]
    said = " ".join(f"{each:.3f}" for each in ratios)
    return f"{name}: median {statistics.median(ratios):.3f} ({low:.3f} to {high:.3f}); {said}"


def drain(stream: httpx.Response) -> None:
    """Read a stream until it is closed."""
    try:
        for _ in stream.iter_raw():
            pass
    except (httpx.HTTPError, httpx.StreamError, OSError):
        return


def render(client: httpx.Client, quiet: dict[str, list[float]], busy: dict[str, list[float]]) -> Table:
    """Return a row a page."""
    table = Table(title="Pages from the cache, as their reader sees them")
    for column in (
        "page",
        "median ms",
        "p99 ms",
        "median ms under ingestion",
        "p99 ms",
        "kB gzipped",
        "elements",
    ):
        table.add_column(column, justify="left" if column == "page" else "right")
    for path in PATHS:
        text = client.get(path).text
        table.add_row(
            path,
            f"{statistics.median(quiet[path]):.1f}",
            f"{find_p99(quiet[path]):.1f}",
            f"{statistics.median(busy[path]):.1f}",
            f"{find_p99(busy[path]):.1f}",
            f"{len(gzip.compress(text.encode(), 6)) / 1_000:.1f}",
            f"{len(re.findall(r'<[a-z]', text)):,}",
        )
    return table


def find_p99(times: list[float]) -> float:
    """Return the 99th percentile."""
    return sorted(times)[min(int(len(times) * 0.99), len(times) - 1)]


def main(
    users: Annotated[int, typer.Option(help="Users of the demo's fleet.")] = 3_000,
    rounds: Annotated[int, typer.Option(help="How often each page is read; 0: not at all.")] = 50,
    seconds: Annotated[int, typer.Option(help="Seconds of load a turn with and without listeners.")] = 3,
    turns: Annotated[int, typer.Option(help="How often both are measured; 0: not at all.")] = 10,
) -> None:
    """Measure the pages on the demo's fleet."""
    console = Console(width=REPORT_WIDTH)
    with tempfile.TemporaryDirectory() as folder:
        data_dir, templates = Path(folder) / "data", Path(folder) / "templates"
        write_templates(templates)
        with run_service(data_dir, SETTINGS) as server:
            fill(server, data_dir, users)
        with run_service(data_dir, SETTINGS) as server, enter(server) as client:
            if rounds:
                report_pages(console, server, client, templates, rounds)
            if turns:
                ratios_of = compare_listeners(server, client, templates, seconds, turns)
                for name, ratios in zip(("rate", "CPU of the server an event"), ratios_of, strict=True):
                    console.print(say_ratios(f"/v1/track, {LISTENERS} listeners over none, {name}", ratios))


def report_pages(
    console: Console, server: Server, client: httpx.Client, templates: Path, rounds: int
) -> None:
    """Print the time of the first visit and a row a page."""
    time.sleep(AHEAD_SECONDS)
    first = time_page(client, "/reports") * 1_000
    console.print(f"first visit to the overview, {AHEAD_SECONDS} s after the start: {first:.0f} ms")
    time_pages(client, 1)
    quiet = time_pages(client, rounds)
    ingestion = threading.Thread(
        target=measure, args=(server, templates, 16, max(rounds // 4, 4), "/v1/track")
    )
    ingestion.start()
    busy = time_pages(client, max(rounds // 5, 3))
    ingestion.join()
    console.print(render(client, quiet, busy))


if __name__ == "__main__":
    typer.run(main)
