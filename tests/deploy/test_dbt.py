"""`dbt build` as its README says, by a login that may only read. Installs dbt: `dev.py e2e` only."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from tests.conftest import copied_database
from tests.deploy.test_queries import DEPLOY, fill
from tests.rollups.ledger import Ledger

pytestmark = pytest.mark.e2e

VERSIONS = ("dbt-core>=1.10.5,<1.11", "dbt-postgres<1.11")


@pytest.fixture(scope="module")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kept = os.environ.get("PYAIRBYTE_E2E_ENVIRONMENTS")
    folder = (Path(kept) if kept else tmp_path_factory.mktemp("dbt")) / "dbt"
    if not (folder / "bin" / "dbt").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "-q", *VERSIONS], check=True)
    return folder / "bin" / "dbt"


@pytest.fixture(scope="module")
def login(cluster_url: str, administer: "psycopg.Connection[tuple[object, ...]]") -> Iterator[dict[str, str]]:
    """What the profile reads from the environment: a filled database, and a login as the README makes it."""
    with copied_database(cluster_url, administer) as url:
        ledger = Ledger(url)
        fill(ledger)
        ledger.close()
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            connection.execute(
                "INSERT INTO outcomes (hour, batch_id, count, bucket, write_key, outcome, reason)"
                " VALUES (date_trunc('hour', now()), gen_random_uuid(), 1, 1, 1, 'accepted', '')"
            )
            connection.execute("CREATE ROLE dbt LOGIN IN ROLE telemetry_reader")
            connection.execute("CREATE SCHEMA analytics AUTHORIZATION dbt")
        parsed = make_url(url)
        yield {
            "TELEMETRY_REPORT_HOST": str(parsed.query["host"]),
            "TELEMETRY_REPORT_USER": "dbt",
            "TELEMETRY_REPORT_PASSWORD": "none",
            "TELEMETRY_REPORT_DATABASE": str(parsed.database),
        }
    administer.execute("DROP ROLE dbt")


def test_dbt_builds_tests_and_finds_it_fresh(dbt: Path, login: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "profiles.yml").write_bytes((DEPLOY / "dbt" / "profiles.example.yml").read_bytes())
    folders = (
        "--project-dir",
        DEPLOY / "dbt",
        "--profiles-dir",
        tmp_path,
        "--target-path",
        tmp_path / "target",
    )
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "DBT_LOG_PATH": str(tmp_path),
        "DO_NOT_TRACK": "1",
    }
    for command in (["build"], ["source", "freshness"]):
        ended = subprocess.run(
            [dbt, *command, *folders], env=environment | login, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stdout
        results = json.loads(
            (
                tmp_path / "target" / ("run_results.json" if command == ["build"] else "sources.json")
            ).read_text()
        )
        assert {result["status"] for result in results["results"]} <= {"success", "pass", "no-op"}
        assert "Deprecat" not in ended.stdout
    assert len(results["results"]) == 1
