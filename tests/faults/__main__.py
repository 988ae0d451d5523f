"""`python3 dev.py faults [--minutes N] [--kills N] [--seed S] [--slack SECONDS]
[--ingest log]`: the long form of the fault harness."""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from tests.faults.harness import SLACK_SECONDS, Figures, Harness
from tests.faults.stream_harness import StreamHarness


def make_harness(folder: Path, seed: int, ingest: str) -> Harness:
    """Return the harness of a way in."""
    return StreamHarness(folder, seed) if ingest == "nats" else Harness(folder, seed, ingest)


def main() -> None:
    """Run until the minutes are over; print one line of figures."""
    parser = argparse.ArgumentParser(
        prog="dev.py faults", epilog="example: python3 dev.py faults --minutes 10 --seed 7"
    )
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument(
        "--kills", type=int, help="end after so many kills, and let three of four faults be kills"
    )
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument(
        "--slack",
        type=float,
        default=SLACK_SECONDS,
        help="seconds beyond the deadline that an answer may take",
    )
    parser.add_argument(
        "--ingest",
        choices=("direct", "log", "nats"),
        default="direct",
        help="TELEMETRY_INGEST; nats: log, with three nodes of NATS, which are hurt, too",
    )
    arguments = parser.parse_args()
    seconds: float = arguments.minutes * 60
    with tempfile.TemporaryDirectory(prefix="telemetry-faults-") as folder:
        harness = make_harness(Path(folder), arguments.seed, arguments.ingest)
        if arguments.kills is not None:
            harness.prefer_kills()
        try:
            with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
                task = progress.add_task("killing and stopping", total=seconds)
                beginning = time.monotonic()

                def is_over(figures: Figures) -> bool:
                    passed = time.monotonic() - beginning
                    progress.update(task, completed=passed)
                    return passed > seconds or figures.kills() >= (arguments.kills or sys.maxsize)

                figures = harness.run(is_over, arguments.slack)
        except AssertionError:
            print(f"seed {arguments.seed} failed; the last words:\n{harness.last_words()}")
            print(f"what was logged is kept in {harness.keep_logs()}")
            raise
        finally:
            harness.clean_up()
    print(figures.line())


if __name__ == "__main__":
    main()
