"""Starts servers on free ports with a folder of their own, and stops them. Linux
only: figures come from /proc."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
CONSOLE: Final = Path(sys.executable).with_name("pyairbyte-telemetry")
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 15.0
TICKS: Final = os.sysconf("SC_CLK_TCK")
WRITE_KEY: Final = "benchmark-write-key-of-30-chars"
# What the service runs under, so that the references run under the same.
UVICORN: Final = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: where it listens and which process it is."""

    url: str
    pid: int

    @property
    def resident_mb(self) -> float:
        """Resident memory of the process now, in MB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    @property
    def workers(self) -> list[int]:
        """The processes that serve: its children where there are several, else itself."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text("ascii").split()
        spawned = [each for each in children if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()]
        return [int(each) for each in spawned] or [self.pid]

    @property
    def peak_mb(self) -> float:
        """The most that it, or the largest of its workers, ever was, in MB."""
        status = [Path(f"/proc/{worker}/status").read_text("ascii") for worker in self.workers]
        lines = [line for each in status for line in each.splitlines() if line.startswith("VmHWM:")]
        return max(int(line.split()[1]) for line in lines) * 1024 / 1e6

    @property
    def cpu_seconds(self) -> float:
        """User and system time of the workers so far."""
        stats = [Path(f"/proc/{worker}/stat").read_text("ascii") for worker in self.workers]
        fields = [each.rpartition(")")[2].split() for each in stats]
        return sum(int(each[11]) + int(each[12]) for each in fields) / TICKS


def find_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def machine_cpu() -> float:
    """Busy seconds of all cores since the machine started."""
    user, nice, system, _idle, _wait, irq, softirq, *_ = map(
        int, Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + irq + softirq) / TICKS


@contextmanager
def run_server(
    arguments: list[str],
    url: str,
    environment: Mapping[str, str] | None = None,
    *,
    folder: Path = ROOT,
    patience: float = START_SECONDS,
) -> Iterator[Server]:
    """Run a command in `folder` until it answers; stop it at the end, and show its output if it died."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            arguments,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until_ready(process, f"{url}/healthz", patience)
        except RuntimeError:
            output.seek(0)
            sys.stderr.write(output.read().decode(errors="replace"))
            raise
        else:
            yield Server(url, process.pid)
        finally:
            stop(process)


def wait_until_ready(process: "subprocess.Popen[bytes]", url: str, patience: float = START_SECONDS) -> None:
    """Poll until the server answers, with any status. Raises RuntimeError when it ends or takes too long."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode} before it answered")
        try:
            urllib.request.urlopen(url, timeout=1).close()  # noqa: S310 -- our own loopback URL
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"no answer at {url} within {patience:.0f} s")


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Ask the process to end, then make it."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def run_app(app: str, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run an ASGI app, `module:name`, under uvicorn as the service does, one worker."""
    port = find_port()
    command = [sys.executable, "-m", "uvicorn", app, "--host", "127.0.0.1", "--port", str(port), *UVICORN]
    with run_server(command, f"http://127.0.0.1:{port}", environment) as server:
        yield server


@contextmanager
def run_service(
    data_dir: Path, environment: Mapping[str, str] | None = None, *, console: Path = CONSOLE
) -> Iterator[Server]:
    """Run the service itself with its embedded database in `data_dir`, one worker, accepting `WRITE_KEY`;
    or that of another checkout, whose command line `console` is."""
    port = find_port()
    settings = {
        "TELEMETRY_DATA_DIR": str(data_dir),
        "TELEMETRY_HOST": "127.0.0.1",
        "TELEMETRY_PORT": str(port),
        "TELEMETRY_WORKERS": "1",
        "TELEMETRY_WRITE_KEYS": WRITE_KEY,
    }
    command = [str(console), "serve"]
    with run_server(command, f"http://127.0.0.1:{port}", {**settings, **(environment or {})}) as server:
        yield server
