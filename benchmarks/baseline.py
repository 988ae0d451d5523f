"""A commit of this repository as something to measure against: its files, its environment, its figures."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.servers import CONSOLE, ROOT, TICKS

FOLDER: Final = ROOT / "build" / "baseline"
PROBE: Final = Path(__file__).with_name("probe.py")


@dataclass(frozen=True, slots=True)
class Checkout:
    """Files of a commit with an environment of their own, or ours."""

    root: Path
    console: Path

    def ask(self, name: str, *arguments: object) -> Any:
        """Return what the probe of that name finds. Raises SystemExit with its last words if it fails."""
        command = [str(self.console.with_name("python")), "-P", str(PROBE), name, *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(self.root)}
        done = subprocess.run(
            command, check=False, cwd=self.root, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"{name} of {self.root} failed:\n{done.stderr[-4000:]}")
        return json.loads(done.stdout.splitlines()[-1])


def our_own() -> Checkout:
    """Return the checkout that we run from."""
    return Checkout(ROOT, CONSOLE)


def check_out(commit: str) -> Checkout:
    """Return the files of `commit` under build/baseline, made if they are not there,
    with what its locks list. Raises SystemExit where git does not know it."""
    named = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if named.returncode:
        raise SystemExit(f"git knows no commit {commit}: a shallow clone has none but the last.")
    sha = named.stdout.strip()
    root = FOLDER / sha[:12]
    if not root.exists():
        root.mkdir(parents=True)
        archive = subprocess.run(["git", "archive", sha], cwd=ROOT, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x"], cwd=root, input=archive, check=True)
    # Any verb of the command line makes the environment.
    subprocess.run([sys.executable, "dev.py", "--version"], cwd=root, capture_output=True, check=False)
    subprocess.run([sys.executable, "dev.py", "report", "--help"], cwd=root, capture_output=True, check=True)
    return Checkout(root, root / ".venv" / "bin" / CONSOLE.name)


def tree_cpu(*pids: int) -> tuple[float, float]:
    """Return the seconds of CPU of processes, their descendants, and those of both that have ended:
    in all, and without what the kernel did for them."""
    user, total, left, seen = 0, 0, list(pids), set()
    while left:
        pid = left.pop()
        if pid in seen:
            continue
        seen.add(pid)
        try:
            fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
            for task in Path(f"/proc/{pid}/task").iterdir():
                left += map(int, (task / "children").read_text("ascii").split())
        except OSError:
            continue  # it has just ended: whoever waits for it counts it
        own_user, own_kernel, ended_user, ended_kernel = map(int, fields[11:15])
        user += own_user + ended_user
        total += own_user + own_kernel + ended_user + ended_kernel
    return total / TICKS, user / TICKS


def postmaster(data_dir: Path) -> int:
    """Return the process of the embedded server of a data directory, wherever in it that stands."""
    [found] = data_dir.rglob("postmaster.pid")
    return int(found.read_text("ascii").splitlines()[0])
