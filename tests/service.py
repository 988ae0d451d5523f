"""The service as a real process that a test can stop, kill and start again."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
CONSOLE = Path(sys.executable).with_name("pyairbyte-telemetry")
HASH_KEY = "test-hash-key-of-more-than-32-characters"
WRITE_KEY = "test-write-key-of-24-chars"
REPORT_TOKEN = "test-report-token-of-27-chars"
DEADLINE_SECONDS = 240  # a start took 43 s beside a load of 26 on two cores


class Service:
    """A `serve` process with a data directory and a port of its own; `database_url` is
    None when it embeds Postgres."""

    def __init__(self, folder: Path, database_url: str | None, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.port = find_free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.write_key = WRITE_KEY
        self.report_token = REPORT_TOKEN
        self.hash_key = HASH_KEY
        self.environment = self._environment(database_url) | dict(environment)
        self._database_url = database_url
        self._process: subprocess.Popen[bytes] | None = None

    def _environment(self, database_url: str | None) -> dict[str, str]:
        inherited = {
            name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("COV")
        }
        database = {"TELEMETRY_DATABASE_URL": database_url} if database_url else {}
        return {
            **inherited,
            **database,
            "HOME": str(self.folder),
            "TELEMETRY_DATA_DIR": str(self.data_dir),
            "TELEMETRY_PORT": str(self.port),
            "TELEMETRY_HASH_KEY": self.hash_key,
            "TELEMETRY_WRITE_KEYS": self.write_key,
            "TELEMETRY_REPORT_TOKEN": self.report_token,
        }

    @property
    def data_dir(self) -> Path:
        """The service's own folder."""
        return self.folder / "data"

    @property
    def database_url(self) -> str:
        """The database that the test gave it."""
        assert self._database_url, "this service embeds its database"
        return self._database_url

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The `serve` process, running or not."""
        assert self._process, "not started yet"
        return self._process

    def command(self, *arguments: str) -> list[str]:
        """The command line of any verb: the console script, which `dev.py` runs, too."""
        return [str(CONSOLE), *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another verb with the service's settings."""
        return subprocess.run(
            self.command(*arguments),
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self) -> None:
        """Start it and wait until it answers; its output is appended to what was there."""
        self.begin()
        self.await_health()

    def begin(self) -> None:
        """Start it."""
        with (self.folder / "stdout").open("ab") as stdout, (self.folder / "stderr").open("ab") as stderr:
            self._process = subprocess.Popen(
                self.command("serve"),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                cwd=ROOT,
                env=self.environment,
                start_new_session=True,
            )

    def await_health(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not self.is_healthy():
            assert self.process.poll() is None, (
                f"serve ended with {self.process.returncode}:\n{self.output()}"
            )
            assert time.monotonic() < deadline, f"serve does not answer:\n{self.output()}"
            time.sleep(0.02)

    def is_healthy(self) -> bool:
        """Whether `/healthz` answers 200."""
        try:
            return httpx.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> int:
        """Stop it as a supervisor does, with SIGTERM; answers its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_SECONDS)

    def kill(self) -> None:
        """Kill -9 it, workers included."""
        self.process.kill()
        self.process.wait(DEADLINE_SECONDS)
        self.clean_up()

    def clean_up(self) -> None:
        """Leave no process of it behind."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(DEADLINE_SECONDS)

    def output(self) -> str:
        """Everything that it has printed so far, on both channels."""
        files = [self.folder / "stdout", self.folder / "stderr"]
        return "".join(file.read_text(errors="replace") for file in files if file.exists())


def find_free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
