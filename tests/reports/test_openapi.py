"""The OpenAPI document of the reports, as a generated client takes it: at its word."""

from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest
from fastapi import FastAPI

from app.reports.cache import open_tables
from app.reports.parameters import PARAMETERS
from app.reports.readers import Readers
from app.reports.registry import REPORTS
from app.reports.routes import create_router
from tests.reports.rows import Store, sync
from tests.reports.test_http import BEARER, TOKEN, listen


@pytest.fixture
def client(store: Store) -> Iterator[httpx.Client]:
    store.write([sync("failed"), sync("succeeded", unit="bob", source="source-file")])
    app = FastAPI()
    app.include_router(create_router(open_tables(store.reader), Readers(TOKEN)))
    for url in listen(app):
        with httpx.Client(base_url=url, headers=BEARER, timeout=60) as client:
            yield client


@pytest.fixture
def document(client: httpx.Client) -> Any:
    return client.get("/openapi.json").json()


def operations(document: Any) -> Iterator[tuple[str, Any]]:
    for path, item in document["paths"].items():
        yield path, item["get"]


def test_every_report_has_its_own_paths_and_operations(document: Any) -> None:
    wanted = {f"/v1/reports/{name}{suffix}" for name in REPORTS for suffix in ("", ".csv", ".parquet")}
    assert set(document["paths"]) == wanted
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(names)) == len(names)
    for path, operation in operations(document):
        report = REPORTS[path.removeprefix("/v1/reports/").partition(".")[0]]
        assert [each["name"] for each in operation["parameters"]] == list(report.parameters)
        assert all("example" in each for each in operation["parameters"])
        assert operation["security"] == [{"HTTPBearer": []}]
        assert {"200", "400", "401", "503"} <= operation["responses"].keys()


@pytest.mark.parametrize("which", ["default", "example"])
def test_what_the_document_offers_is_taken_and_the_answer_is_as_it_says(
    client: httpx.Client, document: Any, which: str
) -> None:
    for path, operation in operations(document):
        given = {
            each["name"]: each["schema"].get("default", each["example"])
            if which == "default"
            else each["example"]
            for each in operation["parameters"]
        }
        response = client.get(path, params=given)
        assert response.status_code == 200, (path, response.text)
        content = operation["responses"]["200"]["content"]
        (media_type,) = content
        assert response.headers["content-type"].partition(";")[0] == media_type.partition(";")[0]
        if media_type == "application/json":
            jsonschema_rs.validate(content[media_type]["schema"], response.json())
            jsonschema_rs.validate(content[media_type]["schema"], content[media_type]["example"])


def test_defaults_given_and_not_given_answer_the_same(client: httpx.Client, document: Any) -> None:
    for path, operation in operations(document):
        needed = {each["name"]: each["example"] for each in operation["parameters"] if each["required"]}
        given = {
            each["name"]: each["schema"]["default"]
            for each in operation["parameters"]
            if "default" in each["schema"]
        }
        tags = [client.get(path, params=asked).headers["etag"] for asked in (needed, needed | given)]
        assert tags[0] == tags[1], path


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_takes_every_parameter_at_its_default(client: httpx.Client, name: str) -> None:
    """Clients made from one list of parameters for all reports send those, too."""
    needed = dict.fromkeys(REPORTS[name].required, "source-faker")
    for parameter in PARAMETERS.values():
        if parameter.name in ("sort", *needed, *REPORTS[name].defaults):
            continue  # every report has its own
        response = client.get(f"/v1/reports/{name}", params={parameter.name: parameter.default, **needed})
        taken = "name" if parameter.name == "name" else ""
        assert response.status_code == 200 or taken, (parameter.name, response.text)


def test_a_default_that_depends_on_other_parameters_is_not_declared(document: Any) -> None:
    """A generated client would send `prerelease=exclude` beside a pre-release that its user named."""
    parameters = document["paths"]["/v1/reports/connectors"]["get"]["parameters"]
    (prerelease,) = (each for each in parameters if each["name"] == "prerelease")
    assert "default" not in prerelease["schema"]
