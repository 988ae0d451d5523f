"""`python3 dev.py faults [--minutes N] [--seed S]`: the long form of the fault harness."""

import argparse
import random
import tempfile
import time
from pathlib import Path

from tests.faults.harness import Harness


def main() -> None:
    """Run until the minutes are over; print one line of figures."""
    parser = argparse.ArgumentParser(
        prog="dev.py faults", epilog="example: python3 dev.py faults --minutes 10 --seed 7"
    )
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    arguments = parser.parse_args()
    ending = time.monotonic() + arguments.minutes * 60
    with tempfile.TemporaryDirectory(prefix="telemetry-faults-") as folder:
        harness = Harness(Path(folder), arguments.seed)
        try:
            figures = harness.run(lambda _figures: time.monotonic() > ending)
        except AssertionError:
            print(
                f"seed {arguments.seed} failed; the service's last words:\n{harness.service.output()[-4000:]}"
            )
            raise
        finally:
            harness.service.clean_up()
    print(figures.line())


if __name__ == "__main__":
    main()
