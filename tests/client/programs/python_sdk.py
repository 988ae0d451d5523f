"""Sends each line of standard input with an SDK for Python. Arguments: the SDK's module, host, write key.

Run by an interpreter that has the SDK; not imported by anything.
"""

import importlib
import json
import sys
from datetime import datetime
from typing import Any


def main(module: str, host: str, write_key: str) -> None:
    """Print how many events the SDK says it could not deliver."""
    client_class: Any = importlib.import_module(module).Client
    failed: list[object] = []
    client = client_class(write_key, host=host, on_error=lambda error, items: failed.extend(items or [error]))
    for line in sys.stdin:
        event = json.loads(line)
        client.track(
            anonymous_id=event["anonymousId"],
            event=event["event"],
            properties=event["properties"],
            timestamp=datetime.fromisoformat(event["timestamp"]),
        )
    client.flush()
    client.join()
    sys.stdout.write(f"{len(failed)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
