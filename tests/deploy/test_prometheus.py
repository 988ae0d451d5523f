"""Alert rules and the dashboard of the service: they name metrics that it has, and promtool takes them."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
import yaml

from tests.conftest import Service
from tests.samples import basic, clean_event

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "service.json"
NAME = re.compile(r"\b(telemetry_\w+)\{([^}]*)\}")


def expressions() -> dict[str, str]:
    rules = yaml.safe_load(RULES.read_text("utf-8"))["groups"][0]["rules"]
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    named = {rule["alert"]: rule["expr"] for rule in rules}
    return named | {panel["title"]: "\n".join(t["expr"] for t in panel["targets"]) for panel in panels}


@pytest.mark.parametrize("name", expressions())
def test_every_metric_and_label_is_one_of_the_services(service: Service, name: str) -> None:
    httpx.post(f"{service.url}/v1/track", json=clean_event(), headers=basic(service.write_key))
    reported = httpx.get(f"{service.url}/metrics").text
    # Metrics with labels have no sample before they were counted once.
    known = set(re.findall(r"^# TYPE (\w+) ", reported, re.MULTILINE))
    known |= {f"{each}{suffix}" for each in known for suffix in ("_bucket", "_sum", "_count")}
    labels = {"le", "job", "instance", *re.findall(r"(\w+)=\"", reported)}
    found = NAME.findall(expressions()[name])
    assert found or name == "TelemetryDown"
    for metric, selectors in found:
        assert metric in known, metric
        assert 'job="pyairbyte-telemetry"' in selectors
        assert set(re.findall(r"(\w+)=", selectors)) <= labels | {"outcome", "result", "name"}


def test_the_data_source_is_provisioned() -> None:
    file = DEPLOY / "grafana" / "provisioning" / "datasources" / "metrics.yaml"
    [source] = yaml.safe_load(file.read_text("utf-8"))["datasources"]
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Debian has promtool in the package prometheus")
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alerts.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "alerts.test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_takes_them(arguments: tuple[str, ...]) -> None:
    ended = subprocess.run(
        ["promtool", *arguments], cwd=RULES.parent, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
