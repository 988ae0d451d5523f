"""Every query of the files for other tools runs as `telemetry_reader` and has an answer."""

import datetime as dt
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from app.public import publication
from tests.conftest import copied_database
from tests.deploy.sources import FILE, describe
from tests.reports.rows import NOW, refuse, sync, upgrade
from tests.rollups.ledger import Ledger

DEPLOY = Path(__file__).parents[2] / "deploy"
METRICS = DEPLOY / "grafana" / "dashboards" / "service.json"  # on Prometheus: test_prometheus.py
DASHBOARDS = sorted(set((DEPLOY / "grafana" / "dashboards").glob("*.json")) - {METRICS})
QUESTIONS = sorted((DEPLOY / "questions").glob("*.sql"))
MODELS = sorted((DEPLOY / "dbt" / "models").glob("*.sql"))
# Grafana replaces these before it sends a query.
MACROS = {
    r"\$__timeFilter\((\w+)\)": r"\1 BETWEEN now() - interval '90 days' AND now()",
    r"\$window": "28",
    r"\$role": "source",
    r"\$connector": "source-faker",
}


@pytest.fixture(scope="module")
def reader(
    cluster_url: str, administer: "psycopg.Connection[tuple[object, ...]]"
) -> Iterator["psycopg.Connection[Any]"]:
    """A filled database, seen by telemetry_reader."""
    with copied_database(cluster_url, administer, "deploy") as url:
        ledger = Ledger(url)
        fill(ledger)
        ledger.close()
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            connection.execute("SET ROLE telemetry_reader")
            yield connection


def fill(ledger: Ledger) -> None:
    """Two months of a source that got worse, every kind of event among it; the first month published."""
    now = dt.datetime.now(dt.UTC)
    shift = now - NOW - dt.timedelta(days=1)
    rows = [*upgrade(30, 15), refuse(sync("failed")), sync("succeeded", event="validate", cache=None)]
    rows += [sync("failed", unit="w", session="w", destination="destination-csv")]
    rows = [row | {name: row[name] + shift for name in ("occurred_at", "received_at")} for row in rows]
    ledger.write([rows, rows[:1]])
    ledger.roll_up()
    with ledger.engine.connect() as connection:
        for hour, kind, reason in ((now, "withheld", "anonymousId"),):
            connection.exec_driver_sql(
                "INSERT INTO tallies (hour, batch_id, count, bucket, write_key, kind, reason)"
                " VALUES (date_trunc('hour', %(hour)s::timestamptz), gen_random_uuid(), 1, 1, 1, "
                "%(kind)s, %(reason)s)",
                {"hour": hour, "kind": kind, "reason": reason},
            )
        connection.commit()
        later = now.replace(day=1) + dt.timedelta(days=35)
        publication.publish_due(connection, threading.Event(), now=later)


def panels() -> list[Any]:
    found = {}
    for file in DASHBOARDS:
        dashboard = json.loads(file.read_text("utf-8"))
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                found[f"{file.stem}: {panel['title']}"] = target["rawSql"]
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                found[f"{file.stem}: variable {variable['name']}"] = variable["query"]
    return [pytest.param(query, id=name) for name, query in found.items()]


def answers(reader: "psycopg.Connection[Any]", query: str) -> list[tuple[Any, ...]]:
    return reader.execute(query.encode()).fetchall()


@pytest.mark.parametrize("query", panels())
def test_grafana(reader: "psycopg.Connection[Any]", query: str) -> None:
    for macro, replacement in MACROS.items():
        query = re.sub(macro, replacement, query)
    assert "$" not in query
    rows = answers(reader, query)
    assert rows
    assert any(value is not None for row in rows for value in row)


@pytest.mark.parametrize("file", QUESTIONS, ids=lambda file: file.stem)
def test_questions(reader: "psycopg.Connection[Any]", file: Path) -> None:
    text = file.read_text("utf-8")
    assert text.startswith("-- ")
    assert "-- Picture: " in text
    assert answers(reader, text)


def compile_model(file: Path) -> str:
    """What dbt makes of a model."""
    text = re.sub(r"\{\{ source\('(\w+)', '(\w+)'\) \}\}", r"\1.\2", file.read_text("utf-8"))

    def refer(found: re.Match[str]) -> str:
        return f"(\n{compile_model(file.with_name(f'{found[1]}.sql'))}) AS {found[1]}"

    return re.sub(r"\{\{ ref\('(\w+)'\) \}\}", refer, text)


@pytest.mark.parametrize("file", MODELS, ids=lambda file: file.stem)
def test_dbt_models(reader: "psycopg.Connection[Any]", file: Path) -> None:
    assert answers(reader, compile_model(file))


def test_dbt_sources_are_the_views(reader: "psycopg.Connection[Any]") -> None:
    assert FILE.read_text("utf-8") == describe(reader), "python3 -m tests.deploy.sources"


def test_dbt_exposures_name_what_is_there() -> None:
    exposures = yaml.safe_load((DEPLOY / "dbt" / "models" / "exposures.yml").read_text("utf-8"))["exposures"]
    sources = yaml.safe_load(FILE.read_text("utf-8"))["sources"][0]["tables"]
    known = {f"source('report', '{table['name']}')" for table in sources}
    known |= {f"ref('{file.stem}')" for file in MODELS}
    assert {each for exposure in exposures for each in exposure["depends_on"]} <= known


def test_grafana_provisioning_names_its_data_source() -> None:
    folder = DEPLOY / "grafana" / "provisioning"
    [source] = yaml.safe_load((folder / "datasources" / "telemetry.yaml").read_text("utf-8"))["datasources"]
    assert "$" in source["secureJsonData"]["password"]
    for file in DASHBOARDS:
        dashboard = json.loads(file.read_text("utf-8"))
        assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {source["uid"]}
    assert len({json.loads(file.read_text("utf-8"))["uid"] for file in DASHBOARDS}) == len(DASHBOARDS)
