#!/usr/bin/env python3
"""A connector that misbehaves as its configuration says, in Airbyte's protocol. Only the standard library."""

import json
import sys
import time
from pathlib import Path
from typing import Any

SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}}}
SPEC = {"connectionSpecification": {"type": "object", "properties": {"mode": {"type": "string"}}}}
STREAM = {"name": "items", "json_schema": SCHEMA, "supported_sync_modes": ["full_refresh"]}


def say(kind: str, **content: Any) -> None:
    sys.stdout.write(json.dumps({"type": kind, **content}) + "\n")
    sys.stdout.flush()


def read(mode: str) -> int:
    for number in range(5):
        record = {"stream": "items", "data": {"id": number}, "emitted_at": int(time.time() * 1000)}
        say("RECORD", record=record)
    return 1 if mode == "crash" else 0


def main() -> int:
    command = sys.argv[1]
    mode = ""
    if "--config" in sys.argv:
        config = json.loads(Path(sys.argv[sys.argv.index("--config") + 1]).read_text())
        mode = config.get("mode", "")
    if command == "spec":
        say("SPEC", spec=SPEC)
    elif command == "check":
        status = "FAILED" if mode == "refuse" else "SUCCEEDED"
        say("CONNECTION_STATUS", connectionStatus={"status": status, "message": "as reported"})
    elif command == "discover":
        say("CATALOG", catalog={"streams": [STREAM]})
    elif command == "read":
        return read(mode)
    return 0


if __name__ == "__main__":
    sys.exit(main())
