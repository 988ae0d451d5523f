"""Real syncs with a released PyAirbyte: one that succeeds, one that fails, one that is canceled, checks.

Arguments: which telemetry module sends (`ours`, or `released` with its host name replaced), and a registry
file's folder is the working directory. Run by an interpreter that has `airbyte`; not imported by anything.
"""

import importlib
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

CONNECTOR = str(Path(__file__).with_name("broken_connector.py"))


def put_ours_in_place() -> None:
    """What the one import in `airbyte/_util/telemetry.py` would do."""
    sys.modules["airbyte._util.telemetry"] = importlib.import_module("pyairbyte_telemetry")


def redirect_the_released_client() -> None:
    """The released module's host name is fixed: replace it where `requests` sends, and nothing else."""
    requests: Any = importlib.import_module("requests")
    send = requests.adapters.HTTPAdapter.send

    def redirect(adapter: Any, request: Any, **arguments: Any) -> Any:
        request.url = request.url.replace("https://api.segment.io", os.environ["TELEMETRY_E2E_URL"])
        return send(adapter, request, **arguments)

    requests.adapters.HTTPAdapter.send = redirect


def make_local(airbyte: Any, name: str, mode: str) -> Any:
    """A source under a public name that is really the broken connector."""
    source = airbyte.get_source(name, local_executable=CONNECTOR, config={"mode": mode})
    source.select_all_streams()
    return source


def run_syncs(airbyte: Any) -> None:
    names = airbyte.exceptions  # 1.0 gave the base class another name
    error = names.AirbyteLibError if hasattr(names, "AirbyteLibError") else names.PyAirbyteError
    faker = airbyte.get_source("source-faker", config={"count": 20, "seed": 1})
    faker.check()
    faker.select_streams(["users"])
    faker.read(cache=airbyte.caches.DuckDBCache(db_path="faker.duckdb"))

    failing = make_local(airbyte, "source-postgres", "crash")
    with suppress(error):
        failing.read(cache=airbyte.caches.DuckDBCache(db_path="failing.duckdb"))
        sys.exit("the failing sync did not fail")

    canceled = make_local(airbyte, "source-github", "")
    for _ in canceled.get_records("items"):  # the temporary dataset is collected at once: PyAirbyte cancels
        pass

    refused = make_local(airbyte, "source-stripe", "refuse")
    with suppress(error):
        refused.check()
        sys.exit("the failing check did not fail")


def main() -> None:
    {"ours": put_ours_in_place, "released": redirect_the_released_client}[sys.argv[1]]()
    airbyte: Any = importlib.import_module("airbyte")
    importlib.import_module("airbyte.caches")
    run_syncs(airbyte)


main()
