"""The units for systemd are valid."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service import ROOT

UNITS = ROOT / "deploy" / "systemd"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed here")
def test_units_are_valid(tmp_path: Path) -> None:
    for unit in UNITS.iterdir():
        # Only the command is not where it would be.
        text = unit.read_text().replace("/opt/pyairbyte-telemetry/bin/pyairbyte-telemetry", sys.executable)
        (tmp_path / unit.name).write_text(text)
    units = [str(tmp_path / unit.name) for unit in UNITS.iterdir()]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "pyairbyte" in line]
    assert (done.returncode, said) == (0, [])
