"""The command line as people and shells use it: the console script, on terminals, in pipes, interrupted."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app import __version__, cli
from tests.conftest import Service
from tests.service import CONSOLE

HEAVY = ("sqlalchemy", "fastapi", "pydantic", "alembic", "uvicorn", "httpx", "numpy")


def call(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TELEMETRY_")}
    return subprocess.run(
        [CONSOLE, *arguments], env=environment | changes, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_says_what_the_command_itself_says(name: str) -> None:
    where, summary = cli.COMMANDS[name]
    itself = cli.Deferred(name, where, summary).load()
    assert itself.help.splitlines()[0] == summary


def test_help_and_version_import_nothing_heavy() -> None:
    program = (
        "import sys; from app.cli import main\n"
        "try: main()\n"
        "except SystemExit as ended: assert not ended.code\n"
        f"assert not set(sys.modules) & {set(HEAVY)}, set(sys.modules) & {set(HEAVY)}"
    )
    for option in ("--help", "--version"):
        ended = subprocess.run(
            [sys.executable, "-c", program, option], capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr


def test_a_report_is_not_made_to_wait_for_the_service() -> None:
    program = (
        "import sys, app.reports.cli; assert not set(sys.modules) & {'fastapi', 'alembic', "
        "'uvicorn', 'asyncpg', 'app.contract.wire', 'sqlalchemy.orm'}"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_version() -> None:
    assert call("--version").stdout == f"pyairbyte-telemetry {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_options(shell: str) -> None:
    words = {"bash": {"COMP_WORDS": "pyairbyte-telemetry rep", "COMP_CWORD": "1"}}.get(
        shell, {"_TYPER_COMPLETE_ARGS": "pyairbyte-telemetry rep"}
    )
    given = {"_PYAIRBYTE_TELEMETRY_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    assert "report" in call(**given, **words).stdout
    words = {name: value.replace(" rep", " report --win").replace("1", "2") for name, value in words.items()}
    assert "--window" in call(**given, **words).stdout


@pytest.mark.parametrize(
    "arguments", [["report", "connectors", "--explain"], ["--help"], ["report", "--help"]]
)
def test_a_reader_that_has_had_enough_is_no_error(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [CONSOLE, *arguments], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert ended.stderr == ""


def test_an_interrupted_command_says_nothing(tmp_path: Path) -> None:
    """`demo` works for a while; the interrupt comes once it has begun to."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TELEMETRY_DATA_DIR": str(tmp_path / "data"),
    }
    command = [str(CONSOLE), "demo", "--users", "20000", "--url", "http://127.0.0.1:9", "--write-key", "x"]
    reading, writing = os.pipe()
    running = subprocess.Popen(
        command, env=environment, stdout=writing, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    os.close(writing)
    with running:
        running.send_signal(signal.SIGINT) if os.read(reading, 1) else None
        _, said = running.communicate(timeout=60)
    os.close(reading)
    assert "Traceback" not in said


def log_lines(service: Service, arguments: list[str], environment: dict[str, str]) -> str:
    """Return what a command that logs writes to a terminal."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [CONSOLE, *arguments], env=environment, stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs
    )
    os.close(theirs)
    reported = b""
    while b"startup complete" not in reported:
        reported += os.read(ours, 4096)
    running.send_signal(signal.SIGTERM)
    try:
        while part := os.read(ours, 4096):
            reported += part
    except OSError:  # the other end is closed
        pass
    assert running.wait(60) == 0
    os.close(ours)
    return reported.decode()


def test_logs_are_for_people_on_a_terminal_and_for_programs_elsewhere(service: Service) -> None:
    lines = [line for line in (service.folder / "stderr").read_text().splitlines() if line]
    assert all(isinstance(json.loads(line)["event"], str) for line in lines)
    environment = service.environment | {"TELEMETRY_DATA_DIR": str(service.folder / "other"), "NO_COLOR": "1"}
    reported = log_lines(
        service, ["serve", "--port", "0", "--host", "127.0.0.1", "--workers", "1"], environment
    )
    assert re.search(r"^\S+Z? \[info +\] .*startup complete", reported, re.MULTILINE | re.IGNORECASE)
    assert "{" not in reported


def test_options_of_serve_win_over_the_environment(service: Service) -> None:
    """The port of the environment is taken, by the service that runs."""
    ended = call("serve", **service.environment)
    assert ended.returncode == 1
    ended = call("serve", "--port", str(service.port), **{**service.environment, "TELEMETRY_PORT": "0"})
    assert ended.returncode == 1
    assert "Cannot listen" in ended.stderr
    assert call("serve", "--port", "70000", **service.environment).returncode == 2
    assert call("serve", "--workers", "0", **service.environment).returncode == 2
