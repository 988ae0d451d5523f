"""deploy/compose.log.yaml: its NATS servers, run as it says, hold a log of which nothing is to be warned."""

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from app.privacy.pseudonyms import Pseudonyms
from app.settings import Settings
from app.store.stream_causes import StreamError
from app.store.stream_look import look, read_address
from tests.faults.ledger import wait_until
from tests.nats import SERVER, needs_nats
from tests.service import find_free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.log.yaml").read_text("utf-8"))
CONFIGURATION = (DEPLOY / "nats" / "nats.conf").read_text("utf-8")
NODES = [name for name in COMPOSE["services"] if name.startswith("nats-")]
INSTANCES = [each for name, each in COMPOSE["services"].items() if name.startswith("telemetry-")]
PASSWORD = "password-of-the-log"


def fill_in(text: str) -> str:
    """What compose makes of a value."""
    return re.sub(r"\$\{(\w+):[?-][^}]*\}", lambda match: PASSWORD if "LOG" in match[1] else "x" * 32, text)


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[dict[str, int]]:
    """The nodes on loopback; which port there stands for which of theirs."""
    ports = {f"{node}:{port}": find_free_port() for node in NODES for port in (4222, 8222, 6222)}
    processes = []
    for node in NODES:
        text = CONFIGURATION.replace("/data", str(tmp_path / node))
        for address, port in ports.items():
            text = text.replace(address, f"127.0.0.1:{port}")
        for port in (4222, 8222, 6222):
            text = text.replace(f" {port}\n", f" {ports[f'{node}:{port}']}\n")
        file = tmp_path / f"{node}.conf"
        file.write_text(text)
        command = [fill_in(part) for part in COMPOSE["services"][node]["command"]]
        assert command[:2] == ["-c", "/etc/nats/nats.conf"]
        log = (tmp_path / f"{node}.log").open("wb")
        processes.append(subprocess.Popen([SERVER, "-c", file, *command[2:]], stdout=log, stderr=log))
        log.close()
    try:
        for node in NODES:
            health = f"http://127.0.0.1:{ports[f'{node}:8222']}/healthz"
            wait_until(lambda health=health: answers(health), node)  # type: ignore[misc]
        yield ports
    finally:
        for process in processes:
            process.kill()
            process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


@needs_nats
def test_the_log_has_three_copies_fsynced(ports: dict[str, int]) -> None:
    environment: dict[str, Any] = INSTANCES[0]["environment"]
    url = fill_in(environment["TELEMETRY_LOG_URL"])
    monitors = environment["TELEMETRY_LOG_MONITOR_URL"]
    for address, port in ports.items():
        url = (
            re.sub(rf"{address.partition(':')[0]}(?=$|,)", f"127.0.0.1:{port}", url)
            if ":4222" in address
            else url
        )
        monitors = monitors.replace(address, f"127.0.0.1:{port}")
    settings = Settings(
        ingest="log", log_url=url, log_monitor_url=monitors, log_mb=int(environment["TELEMETRY_LOG_MB"])
    )
    address_of = read_address(settings)
    assert address_of is not None
    assert len(address_of.servers) == 3
    looks = []

    def is_made() -> bool:
        # The nodes are up before they have chosen who leads them.
        with contextlib.suppress(StreamError):
            looks.append(look(settings, address_of, Pseudonyms("k" * 32), make=True))
        return bool(looks)

    wait_until(is_made, "the stream is made")
    seen = looks[0]
    assert seen.state is not None
    assert (seen.state.replicas, seen.warnings) == (3, ())


def test_everything_is_named_bounded_and_kept() -> None:
    known = {f"TELEMETRY_{name.upper()}" for name in Settings.model_fields}
    assert len(INSTANCES) == 2
    for instance in INSTANCES:
        assert set(instance["environment"]) <= known
        assert set(NODES) < set(instance["depends_on"])
    for name, service in COMPOSE["services"].items():
        assert service["mem_limit"], name
        assert {"max-size", "max-file"} <= service["logging"]["options"].keys(), name
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            assert source in COMPOSE["volumes"] or (DEPLOY / source).exists(), volume
    room = re.search(r"max_file_store: (\d+)GB", CONFIGURATION)
    assert room
    assert int(INSTANCES[0]["environment"]["TELEMETRY_LOG_MB"]) * 2**20 < int(room[1]) * 10**9


def test_secrets_have_no_default() -> None:
    text = (DEPLOY / "compose.log.yaml").read_text("utf-8")
    for name in ("HASH_KEY", "WRITE_KEYS", "REPORT_TOKEN", "POSTGRES_PASSWORD", "LOG_PASSWORD"):
        assert f"${{TELEMETRY_{name}:?" in text
        assert f"${{TELEMETRY_{name}:-" not in text
