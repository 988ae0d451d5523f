"""The short form of the fault harness."""

from pathlib import Path

from tests.faults.harness import Harness


def test_a_dozen_faults_lose_nothing(tmp_path: Path) -> None:
    harness = Harness(tmp_path, seed=20261123)
    try:
        figures = harness.run(lambda figures: sum(figures.faults.values()) >= 12, slack_seconds=4.0)
    finally:
        harness.service.clean_up()
    assert len(figures.account.promised) > 100
    print(figures.line())
