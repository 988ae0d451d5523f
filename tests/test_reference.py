"""`/docs`: the viewer of the OpenAPI document, from the package alone."""

import re
from importlib.resources import files
from urllib.parse import urljoin

import httpx

from tests.conftest import Service


def test_the_page_and_all_that_it_loads_come_from_the_service_under_a_strict_policy(service: Service) -> None:
    page = httpx.get(f"{service.url}/docs")
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?:|//[a-z]", page.text)
    assert not re.search(r"<script>|<style|\son[a-z]+=|style=", page.text)  # the policy would forbid it
    loaded = re.findall(r'(?:src|href)="([^":]+)"', page.text)
    assert len(loaded) == 4
    for link in loaded:
        found = httpx.get(urljoin(f"{service.url}/docs", link))
        assert found.status_code == 200, link
        assert found.content
    assert (
        httpx.get(f"{service.url}/docs/initialize.js").headers["content-type"].startswith("text/javascript")
    )
    assert httpx.get(f"{service.url}/redoc").status_code == 404


def test_the_viewer_comes_with_its_licence(service: Service) -> None:
    assert "Apache License" in httpx.get(f"{service.url}/docs/LICENSE").text
    folder = files("app.web").joinpath("swagger_ui")
    assert folder.joinpath("swagger-ui-bundle.js.LICENSE.txt").is_file()
    assert not [each for each in folder.iterdir() if b"sourceMappingURL=" in each.read_bytes()[-200:]]


def test_nothing_else_of_the_package_can_be_read(service: Service) -> None:
    for name in ("../reference.py", "..%2freference.py", "__init__.py", "NOTICE.txt", "canary"):
        response = httpx.get(f"{service.url}/docs/{name}")
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"


def test_every_operation_has_a_name_of_its_own(service: Service) -> None:
    paths = httpx.get(f"{service.url}/openapi.json", timeout=30).json()["paths"]
    names = [operation["operationId"] for item in paths.values() for operation in item.values()]
    assert len(set(names)) == len(names) > 40


def test_a_method_that_is_not_allowed_names_those_that_are(service: Service) -> None:
    for path in (
        "/docs",
        "/healthz",
        "/readyz",
        "/privacy",
        "/v1/schema",
        "/v1/reports/connectors",
        "/v1/track",
        "/reports/login",
    ):
        response = httpx.request("PATCH", f"{service.url}{path}")
        assert response.status_code == 405, path
        allowed = {"/v1/track": "POST", "/reports/login": "GET, HEAD, POST"}.get(path, "GET, HEAD")
        assert response.headers["allow"] == allowed, path
