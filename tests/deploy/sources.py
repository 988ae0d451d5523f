"""Writes deploy/dbt/models/sources.yml from the comments of the views: `python3 -m tests.deploy.sources`."""

import tempfile
from pathlib import Path
from typing import Any

import psycopg
import yaml

from app import postgres
from app.store import migrations

# What dbt tests of every view: these columns are never NULL, those take these words only.
NEVER_NULL = ("day", "hour", "month", "role", "connector", "attempts", "outcome", "count", "window_days")
SOMETIMES_NULL = {("v1_connector_days", "attempts")}  # of days older than 400 days
WORDS = {"role": ["source", "destination"], "lane": ["write", "cache", "direct"]}
# `dbt source freshness`: the hour of the newest counted outcome. A day without any is a fault.
FRESHNESS = {
    "v1_outcomes": {
        "loaded_at_field": "hour",
        "freshness": {
            "warn_after": {"count": 6, "period": "hour"},
            "error_after": {"count": 24, "period": "hour"},
        },
    }
}
FILE = Path(__file__).parents[2] / "deploy" / "dbt" / "models" / "sources.yml"


def describe(connection: "psycopg.Connection[Any]") -> str:
    """The sources as dbt has them."""
    tables: dict[str, dict[str, Any]] = {}
    for view, said, column, meaning in connection.execute(
        "SELECT c.relname, obj_description(c.oid), a.attname, col_description(c.oid, a.attnum)"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'report'"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 ORDER BY c.relname, a.attnum"
    ):
        settings = {"config": FRESHNESS[view]} if view in FRESHNESS else {}
        table = tables.setdefault(view, {"name": view, "description": said, **settings, "columns": []})
        table["columns"].append({"name": column, "description": meaning, **list_tests(view, column)})
    source = {
        "name": "report",
        "schema": "report",
        "description": "Views of the telemetry receiver. Columns are only ever added; another meaning "
        "is another view.",
        "tables": list(tables.values()),
    }
    return str(yaml.safe_dump({"version": 2, "sources": [source]}, sort_keys=False, width=100))


def list_tests(view: str, column: str) -> dict[str, Any]:
    """Return the tests of a column as dbt has them."""
    is_told = column in NEVER_NULL and (view, column) not in SOMETIMES_NULL
    tests: list[Any] = ["not_null"] if is_told else []
    if column in WORDS:
        tests.append({"accepted_values": {"arguments": {"values": WORDS[column]}}})
    return {"data_tests": tests} if tests else {}


def main() -> None:
    """Write the file from a database of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="sources-") as folder,
        postgres.open_server(Path(folder)) as server,
    ):
        migrations.migrate(server.url)
        with psycopg.connect(server.url.replace("+psycopg", "")) as connection:
            FILE.write_text(describe(connection), "utf-8")


if __name__ == "__main__":
    main()
