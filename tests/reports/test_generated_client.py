"""A client that openapi-python-client makes of our document reads every report. Installs
the generator: `dev.py e2e` only.

The generator wants an older typer than ours, so it has an environment of its own.
"""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from app.reports.registry import REPORTS
from tests.conftest import Service

pytestmark = pytest.mark.e2e

# The generator knows few types of content; what it shall take ours for is a setting of its users.
SETTINGS = """
post_hooks: []
content_type_overrides:
  application/vnd.apache.parquet: application/octet-stream
"""
GENERATOR = "openapi-python-client==0.29.1"
RUN = """
import importlib, json, sys
from generated import AuthenticatedClient
url, token, *names = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=token, raise_on_unexpected_status=True)
for name in names:
    module = importlib.import_module(f"generated.api.reports.read_{name}")
    given = {"name": "source-faker"} if name == "connector" else {}
    answer = module.sync_detailed(client=client, **given)
    assert answer.status_code == 200, (name, answer.content)
    assert answer.parsed.report == name.replace("_", "-"), name
    assert isinstance(answer.parsed.rows, list)
    assert answer.parsed.as_of.tzinfo is not None
    module = importlib.import_module(f"generated.api.reports.read_{name}_csv")
    csv = module.sync_detailed(client=client, **given)
    assert csv.status_code == 200
print(len(names))
"""


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kept = os.environ.get("PYAIRBYTE_E2E_ENVIRONMENTS")
    folder = (Path(kept) if kept else tmp_path_factory.mktemp("generator")) / "openapi-python-client"
    if not (folder / "bin" / "openapi-python-client").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "-q", GENERATOR], check=True)
    return folder / "bin"


def test_a_generated_client_reads_every_report(service: Service, generator: Path, tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    document.write_text(httpx.get(f"{service.url}/openapi.json").text)
    settings = tmp_path / "settings.yml"
    settings.write_text(SETTINGS)
    made = subprocess.run(
        [
            generator / "openapi-python-client",
            "generate",
            "--path",
            document,
            "--meta",
            "none",
            "--output-path",
            tmp_path / "generated",
            "--config",
            settings,
            "--fail-on-warning",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    names = [name.replace("-", "_") for name in REPORTS]
    ended = subprocess.run(
        [generator / "python", "-c", RUN, service.url, service.report_token, *names],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == str(len(REPORTS))
