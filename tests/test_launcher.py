"""`dev.py`: what it installs when, and what it becomes. Its uv and its Python are stand-ins
that write down their calls."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = sorted(ROOT.glob("requirements*.lock"))
UV = """#!/bin/sh
echo "$1 $2" >> "$UV_CALLS"
sleep "${UV_SECONDS:-0}"
test "$1" = venv || exit "${UV_STATUS:-0}"
for folder; do :; done
mkdir -p "$folder/bin" "$folder/lib/python3.11/site-packages"
cat > "$folder/bin/python" <<'END'
#!/bin/sh
test "$1" = -c && echo "$2, ${PYTHONDONTWRITEBYTECODE:-written}" >> "$0.compiled"
echo "$(basename "$PWD"):$@"
exit 3
END
chmod +x "$folder/bin/python"
"""


class Checkout:
    """A copy of the launcher with a stand-in for uv."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        shutil.copy(ROOT / "dev.py", folder)
        for lock in LOCKS:
            (folder / lock.name).write_text(f"# {lock.name}\n")
        uv = folder / ".venv-uv" / "bin" / "uv"
        uv.parent.mkdir(parents=True)
        uv.write_text(UV)
        uv.chmod(0o755)

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[str]:
        environment = {"PATH": os.environ["PATH"], "UV_CALLS": str(self.calls), **settings}
        return subprocess.Popen(
            [sys.executable, str(self.folder / "dev.py"), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd="/",
        )

    def run(self, *arguments: str, **settings: str) -> tuple[int, str, str]:
        process = self.start(*arguments, **settings)
        output, messages = process.communicate(timeout=60)
        return process.returncode, output, messages

    def list_calls(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    folder = tmp_path / "check out"
    folder.mkdir()
    return Checkout(folder)


def list_pins(lock: Path) -> set[str]:
    return set(re.findall(r"^[a-z0-9].*==.*\\$", lock.read_text(), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_lock_names_no_host(lock: Path) -> None:
    assert "://" not in lock.read_text()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_pin_has_a_hash(lock: Path) -> None:
    text = lock.read_text()
    pins = re.findall(r"^[a-z0-9].*==.*", text, re.MULTILINE)
    assert pins
    assert set(pins) == list_pins(lock)
    assert len(re.findall(r"\\\n    --hash=sha256:", text)) >= len(pins)


def test_development_list_contains_the_runtime_list() -> None:
    """`serve` takes an environment that `test` has made; so both must pin the same versions."""
    assert list_pins(ROOT / "requirements.lock") < list_pins(ROOT / "requirements-dev.lock")


def test_unknown_verb_goes_to_the_command_line(checkout: Checkout) -> None:
    code, output, messages = checkout.run("report", "connectors", "--format", "json")
    console = checkout.folder / ".venv" / "bin" / "pyairbyte-telemetry"
    assert (code, output) == (3, f"/:{console} report connectors --format json\n")
    assert "Installing requirements.lock" in messages
    assert "app.cli" in console.read_text()


def test_tests_run_in_the_checkout_with_their_arguments(checkout: Checkout) -> None:
    code, output, _ = checkout.run("test", "-k", "some thing")
    assert (code, output) == (3, "check out:-m pytest -m not e2e -k some thing\n")
    processes = min(4, (os.cpu_count() or 1) + 1)
    whole = checkout.run("test")[1]
    assert whole == f"check out:-m pytest -m not e2e -n {processes} --dist worksteal\n"
    assert (
        checkout.run("bench", "track", "--seconds", "1")[1] == "check out:-m benchmarks.track --seconds 1\n"
    )


def test_installs_again_only_when_the_lock_has_changed(checkout: Checkout) -> None:
    checkout.run("serve")
    checkout.run("serve")
    assert checkout.list_calls() == ["venv --quiet", "pip sync"]
    (checkout.folder / "requirements.lock").write_text("# changed\n")
    checkout.run("serve")
    assert checkout.list_calls() == ["venv --quiet", "pip sync", "pip sync"]


def test_bytecode_is_written_once_whatever_the_environment_says(checkout: Checkout) -> None:
    for _ in range(2):
        checkout.run("serve", PYTHONDONTWRITEBYTECODE="1")
    [compiled] = (checkout.folder / ".venv" / "bin" / "python.compiled").read_text().splitlines()
    assert compiled.startswith("import app.main")
    assert compiled.endswith(", written")


def test_serving_leaves_the_tools_of_development(checkout: Checkout) -> None:
    checkout.run("test")
    checkout.run("serve")
    assert checkout.list_calls() == ["venv --quiet", "pip sync"]
    (checkout.folder / "requirements-dev.lock").write_text("# changed\n")
    _, _, messages = checkout.run("serve")
    assert "Installing requirements-dev.lock" in messages


def test_moved_checkout_gets_a_new_environment(checkout: Checkout, tmp_path: Path) -> None:
    checkout.run("serve")
    moved = Checkout.__new__(Checkout)
    moved.folder = checkout.folder.rename(tmp_path / "moved")
    moved.calls = moved.folder / "calls"
    moved.run("serve")
    assert moved.list_calls() == ["venv --quiet", "pip sync"] * 2


def test_two_at_once_install_once(checkout: Checkout) -> None:
    processes = [checkout.start("serve", UV_SECONDS="0.3") for _ in range(3)]
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [3, 3, 3]
    assert checkout.list_calls() == ["venv --quiet", "pip sync"]


def test_failed_installation_is_said_and_tried_again(checkout: Checkout) -> None:
    code, output, messages = checkout.run("serve", UV_STATUS="1")
    assert (code, output) == (1, "")
    assert "failed" in messages
    assert "Traceback" not in messages
    assert checkout.run("serve")[0] == 3


def test_images_are_pinned_to_what_their_names_mean_now(checkout: Checkout) -> None:
    docker = checkout.folder / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text("#!/bin/sh\necho $4 >> $UV_CALLS\nprintf 'sha256:%064d\\n' ${#4}\n")
    docker.chmod(0o755)
    shutil.copytree(ROOT / "deploy", checkout.folder / "deploy")
    files = [ROOT / "Dockerfile", ROOT / "compose.yaml", *(ROOT / "deploy").glob("compose.*.yaml")]
    for file in files[:2]:
        shutil.copy(file, checkout.folder)
    path = f"{docker.parent}:{os.environ['PATH']}"
    for _ in range(2):
        code, output, messages = checkout.run("pin", PATH=path)
        assert code == 0, messages
    asked = checkout.list_calls()
    assert {"python:3.13-slim", "postgres:18", "caddy:2", "nats:2-alpine"} < set(asked)
    assert len(asked) == 2 * len(set(asked))
    for file in files:
        before, after = file.read_text(), (checkout.folder / file.relative_to(ROOT)).read_text()
        assert after != before
        assert re.sub("@sha256:[0-9]{64}", "", after) == re.sub("@sha256:[0-9a-f]{64}", "", before)
        assert not re.search(r"^\s*image: [^@\n]*:[^@\n]*$", after, re.MULTILINE), file
    assert f"postgres:18@sha256:{len('postgres:18'):064d}" in output


def test_images_are_pinned_all_or_none(checkout: Checkout) -> None:
    code, _, messages = checkout.run("pin", PATH="/nonexistent")
    assert (code, "docker" in messages) == (1, True)


def test_help_installs_nothing(checkout: Checkout) -> None:
    code, output, _ = checkout.run("--help")
    assert code == 0
    assert "serve" in output
    assert checkout.list_calls() == []
