"""`python3 dev.py siege [--minutes N] [--seed S] [--rate R] [--only KIND]`: the long form of the siege."""

import argparse
import random
import tempfile
from pathlib import Path

from tests.siege.attacks import Attacker
from tests.siege.harness import Siege

QUIET_SECONDS = 30.0
KINDS = sorted(Attacker(0, "", "", 0).attacks)


def main() -> None:
    """Besiege a service of our own; print one line of figures. Exit status 1 if
    an honest request was lost."""
    parser = argparse.ArgumentParser(
        prog="dev.py siege", epilog="example: python3 dev.py siege --minutes 5 --seed 7"
    )
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--rate", type=float, default=50, help="honest events a second")
    parser.add_argument("--force", type=float, default=1, help="multiplies the rates of the attacks")
    parser.add_argument("--only", action="append", default=[], choices=KINDS, help="a kind of attack")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="telemetry-siege-") as folder:
        siege = Siege(Path(folder), arguments.seed, arguments.rate, arguments.force, only=arguments.only)
        try:
            figures = siege.run(arguments.minutes * 60, min(QUIET_SECONDS, arguments.minutes * 60))
        except AssertionError:
            print(
                f"seed {arguments.seed} failed; the service's last words:\n{siege.service.output()[-4000:]}"
            )
            raise
        finally:
            siege.service.clean_up()
    print(figures.line())
    if figures.lost:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
