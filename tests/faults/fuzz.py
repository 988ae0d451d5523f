"""`python3 dev.py fuzz [--bodies N] [--seed S]`: mutated captured bodies against the
real service, the long form."""

import argparse
import http.client
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from tests.faults.mutations import CANARY, mutate
from tests.samples import basic, captured_requests
from tests.service import Service

PATHS = ("/v1/track", "/v1/track", "/v1/batch", "/v1/import", "/v1/validate")
PATIENCE_SECONDS = 30


def memory_mb(service: Service) -> int:
    """Resident memory of the service."""
    for line in Path(f"/proc/{service.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) // 1024
    raise AssertionError("the service is gone")


def send(
    connection: http.client.HTTPConnection, service: Service, rng: random.Random, documents: list[Any]
) -> int:
    """Send one mutated body; the status. Raises AssertionError for an echo or a fault of the service."""
    document = rng.choice(documents)
    path = rng.choice(PATHS)
    body, gzipped = mutate(rng, {"batch": [document, document]} if path == "/v1/batch" else document)
    headers = basic(service.write_key) | ({"Content-Encoding": "gzip"} if gzipped else {})
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    answer = response.read()
    assert response.status < 500, f"{response.status} for {body[:500]!r}"
    assert CANARY.encode() not in answer, f"an echo of {body[:500]!r}"
    for raw in (document.get("anonymousId"), document["properties"].get("session_id")):
        assert not isinstance(raw, str) or len(raw) < 20 or raw.encode() not in answer
    return response.status


def fuzz(service: Service, bodies: int, seed: int) -> tuple[Counter[int], int, int]:
    """Send so many mutated bodies; statuses, and the memory in MB after the first tenth and in the end."""
    rng = random.Random(seed)
    documents = [request["body"] for request in captured_requests() if request["path"] == "/v1/track"]
    statuses: Counter[int] = Counter()
    warm = 0
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE_SECONDS)
    for number in track(
        range(bodies), "sending", disable=not sys.stderr.isatty(), console=Console(stderr=True)
    ):
        try:
            statuses[send(connection, service, rng, documents)] += 1
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            connection.close()  # the service answered 413 before it read the whole body, and closed
            statuses[0] += 1
        if number == bodies // 10:
            warm = memory_mb(service)
    connection.close()
    return statuses, warm, memory_mb(service)


def main() -> None:
    """Run the long form and print one line."""
    parser = argparse.ArgumentParser(
        prog="dev.py fuzz", epilog="example: python3 dev.py fuzz --bodies 100000 --seed 1"
    )
    parser.add_argument("--bodies", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="telemetry-fuzz-") as folder:
        service = Service(Path(folder), None, {})
        service.start()
        try:
            statuses, warm, end = fuzz(service, arguments.bodies, arguments.seed)
            assert CANARY not in service.output()
            assert service.stop() == 0
        finally:
            service.clean_up()
    print(
        f"{arguments.bodies} bodies, seed {arguments.seed}: {dict(statuses)}; memory {warm} MB, then {end} MB"
    )


if __name__ == "__main__":
    main()
