"""Finds the service that the demo posts to, or runs one for as long as the demo lasts."""

import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import IO, Final

import httpx

from app.demo.send import Target
from app.problems import TelemetryError
from app.scopes import IMPORT, INGEST
from app.settings import Settings
from app.store import secrets

START_SECONDS: Final = 120.0  # a cold initdb on a slow disk
STOP_SECONDS: Final = 30.0
EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 -- compared with, not listened on


@contextmanager
def open_target(settings: Settings, url: str | None, write_key: str | None) -> Iterator[Target]:
    """Yield the service to post to: at `url`, else the one on the configured port, else
    one started for the time being.

    Raises TelemetryError when it does not start, or when its write key is not known here.
    """
    here = base_url(settings.host, settings.port)
    if url is not None:
        yield Target(url.rstrip("/"), write_key or find_write_key(settings))
    elif settings.port and is_alive(here):
        yield Target(here, write_key or find_write_key(settings))
    else:
        with run_service() as started:
            yield Target(started, write_key or find_write_key(settings))


def base_url(host: str, port: int) -> str:
    """Return the URL under which this machine reaches a service that listens on `host`."""
    name = "127.0.0.1" if host in EVERYWHERE else host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def is_alive(url: str) -> bool:
    """Return whether a service answers there."""
    try:
        return httpx.get(f"{url}/healthz", timeout=2.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def find_write_key(settings: Settings) -> str:
    """Return a write key that the service accepts: a configured one, else the one
    that its first start generated."""
    if keys := settings.extra_write_keys:
        # The fleet's days before today go to /v1/import.
        return next((key for key, scopes in keys.items() if {INGEST, IMPORT} <= scopes), next(iter(keys)))
    if not (settings.data_dir / "write-key").exists():
        raise TelemetryError(
            "No write key is known here: give one with --write-key (`keys create demo` makes one)."
        )
    key, _ = secrets.first_write_key(settings)
    return key


def find_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def run_service() -> Iterator[str]:
    """Run `serve` on a free loopback port until the block ends; its URL.
    Everything else is set as it is here."""
    url = base_url("127.0.0.1", port := find_port())
    # `env` adds to the environment that the child inherits, which only `app.settings` may read.
    changes = ["env", "TELEMETRY_HOST=127.0.0.1", f"TELEMETRY_PORT={port}"]
    command = [*changes, sys.executable, "-m", "app.cli", "serve"]
    with tempfile.TemporaryFile() as messages, ending_on_sigterm():
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=messages)  # noqa: S603 -- our own
        try:
            wait_until_alive(process, url, messages)
            yield url
        finally:
            stop(process)


def wait_until_alive(process: "subprocess.Popen[bytes]", url: str, messages: IO[bytes]) -> None:
    """Return once the service answers. Raises TelemetryError with its last message
    if it ends or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            messages.seek(0)
            lines = messages.read().decode(errors="replace").split("\n")
            reason = next((line for line in reversed(lines) if line.strip()), "it gave no reason")
            raise TelemetryError(f"The service did not start: {reason.removeprefix('Error: ')}")
        if is_alive(url):
            return
        time.sleep(0.05)
    raise TelemetryError(f"The service did not answer within {START_SECONDS:.0f} seconds.")


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Let the service finish what it has taken, then end it."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def ending_on_sigterm() -> Iterator[None]:
    """Within the block SIGTERM unwinds the stack instead of ending at once, so
    that nothing is left running."""

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    previous = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
