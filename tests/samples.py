"""Events that tests send: a clean one, ways to spoil it, and the requests captured from
released PyAirbyte versions."""

import base64
import copy
import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
CAPTURED_KEY = "cukeSffc0G6gFQehKDhhzSurDzVSZ2OP"  # PyAirbyte's public write key
SESSION = "01M8322HVQJ1FKNYHW4HTKE73H"
USER = "01M831Y67Z4Z89BH0DGHDMT1M9"
HASH = "1ca1a99b5402cadc0832d624ce05678fd106be2c486617b1d4568b52ade12430"


def clean_event(**properties: Any) -> dict[str, Any]:
    """A sync of source-faker that succeeded; keyword arguments replace properties."""
    return {
        "anonymousId": USER,
        "event": "sync",
        "properties": {
            "session_id": SESSION,
            "state": "succeeded",
            "version": "0.71.3",
            "python_version": "3.11.7 (CPython)",
            "os": "Linux",
            "application_hash": HASH,
            "flags": {},
            "source": {
                "name": "source-faker",
                "executor_type": "VenvExecutor",
                "version": "7.2.1",
                "config_hash": HASH,
            },
            "cache": {"type": "DuckDBCache", "config_hash": HASH},
            "number_of_records": 100,
            **properties,
        },
        "timestamp": "2026-11-23T01:59:40.914712+00:00",
    }


def spoil(path: str, value: Any, event: dict[str, Any] | None = None) -> dict[str, Any]:
    """A copy of an event with the value at a dotted path replaced; objects on the way are made."""
    spoiled = copy.deepcopy(event or clean_event())
    *parents, leaf = path.split(".")
    node = spoiled
    for key in parents:
        node = node.setdefault(key, {})
    node[leaf] = value
    return spoiled


def without(path: str) -> dict[str, Any]:
    """A clean event without the key at a dotted path."""
    event = clean_event()
    *parents, leaf = path.split(".")
    node: Any = event
    for key in parents:
        node = node[key]
    del node[leaf]
    return event


def captured_requests() -> list[dict[str, Any]]:
    """The captured requests, in order of arrival."""
    lines = (DATA / "events" / "requests.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def basic(key: str) -> dict[str, str]:
    """Headers of a JSON request with a write key, as PyAirbyte sends them."""
    token = base64.b64encode(f"{key}:".encode()).decode()
    return {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
