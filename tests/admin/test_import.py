"""History comes in from files, through the same verdict and the same transaction as live events."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import Service
from tests.look import Look
from tests.samples import CAPTURED_KEY, DATA, basic, captured_requests, clean_event, spoil

CAPTURED = DATA / "events" / "requests.jsonl"


def write_lines(path: Path, items: list[Any]) -> Path:
    text = "".join(f"{json.dumps(item)}\n" for item in items)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def old(number: int, year: int = 2024) -> dict[str, Any]:
    return clean_event(number_of_records=number) | {"timestamp": f"{year}-03-{number % 28 + 1:02}T12:00:00Z"}


def test_plain_archived_and_gzipped_lines_are_imported_once(
    service: Service, look: Look, tmp_path: Path
) -> None:
    plain = write_lines(tmp_path / "plain.jsonl", [old(n) for n in range(30)])
    archived = [
        old(n)
        | {
            "type": "track",
            "channel": "server",
            "projectId": "p",
            "version": 2,
            "receivedAt": "2025-03-01T00:00:00Z",
            "originalTimestamp": "2025-03-01T00:00:00Z",
            "userId": None,
            "integrations": {},
            "context": {"library": {"name": "http", "version": "1"}},
        }
        for n in range(25, 40)
    ]
    packed = write_lines(tmp_path / "archive.gz", [*archived, spoil("state", "x", old(50)), "no object"])
    with plain.open("a") as stream:
        stream.write("\nno json jane@example.com\n")
    done = service.run("import", str(plain), str(packed))
    assert done.returncode == 0, done.stderr
    assert "jane" not in done.stdout + done.stderr
    assert look.outcomes() == {"received": 47, "accepted": 40, "duplicate": 5, "rejected": 2}
    assert "not JSON" in done.stdout
    assert look.value("SELECT count(*) FROM events_default") == 0
    assert look.value("SELECT min(occurred_at)::date::text FROM events") == "2024-03-01"
    assert look.value("SELECT count(*) FROM events WHERE corrected_at IS NOT NULL") == 0
    again = service.run("import", str(plain), str(packed))
    assert again.returncode == 0
    assert look.value("SELECT count(*) FROM events") == 40
    look.check_law()


def test_captured_requests_become_what_they_became_over_http(service: Service, look: Look) -> None:
    with httpx.Client(base_url=service.url, headers=basic(service.write_key), timeout=10) as client:
        assert client.post("/v1/track", json=captured_requests()[0]["body"]).json()["outcome"] == "accepted"
    done = service.run("import", str(CAPTURED), "--write-key", service.write_key)
    assert done.returncode == 0, done.stderr
    counts = look.outcomes()
    sent = [
        event for request in captured_requests() for event in request["body"].get("batch", [request["body"]])
    ]
    assert counts["received"] == len(sent) + 1
    assert counts["duplicate"] >= 1  # the one that came over HTTP before
    assert counts["accepted"] == look.value("SELECT count(*) FROM events")
    assert Counter(counts)["rejected"] >= look.value("SELECT count(*) FROM rejections") > 0
    look.check_law()


def test_wrong_keys_and_files_are_said_so(service: Service, tmp_path: Path) -> None:
    missing = service.run("import", str(tmp_path / "missing.jsonl"))
    assert (missing.returncode, missing.stdout) == (1, "")
    file = write_lines(tmp_path / "one.jsonl", [old(1)])
    unknown = service.run("import", str(file), "--write-key", CAPTURED_KEY)
    assert unknown.returncode == 1
    assert CAPTURED_KEY not in unknown.stderr
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(b'{"event": "sync"}\n' * 1000)[:-20])
    assert "cannot be read" in service.run("import", str(cut)).stderr
