"""A short siege: every kind of attack at once, and no honest request is lost."""

from pathlib import Path

from tests.siege.attacks import Attacker
from tests.siege.harness import Siege

SECONDS = 15.0
RATE = 5.0
# The machine that runs the tests runs others beside them: how fast it is, is for `dev.py siege` to say.
FORCE = 0.3
PATIENT = {"TELEMETRY_DEADLINE_MS": "20000"}
# Pools, what is remembered, answers under way; the attacks of one of the former days took ten times that.
MORE_MB = 150


def test_a_short_siege(tmp_path: Path) -> None:
    siege = Siege(tmp_path, seed=17, rate=RATE, force=FORCE, settings=PATIENT)
    try:
        figures = siege.run(SECONDS, quiet_seconds=3.0)
    finally:
        siege.service.clean_up()
    assert figures.lost == 0, figures.line()
    assert set(figures.attacks) == set(Attacker(0, "", "", 0).attacks), figures.line()
    before, _, _, after = figures.memory_mb
    assert after < before + MORE_MB, figures.line()
    assert "Traceback" not in siege.service.output()
