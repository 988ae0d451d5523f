"""Entity tags are handled alike wherever there are some: reports, public figures, the
schema, static files, pages."""

import re

import httpx
import pytest

from tests.service import Service

ADDRESSES = (
    "/v1/reports/connectors",
    "/v1/reports/connectors.csv",
    "/v1/public/connectors.json",
    "/v1/schema",
    "/docs/swagger-ui.css",
    "/privacy",
    "static",
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_who_has_it_is_told_so(service: Service, address: str) -> None:
    with httpx.Client(
        base_url=service.url, headers={"Authorization": f"Bearer {service.report_token}"}, timeout=30
    ) as client:
        if address == "static":
            [address, *_] = re.findall(r'href="(/static/[^"]+\.css)"', client.get("/privacy").text)
        first = client.get(address)
        tag = first.headers["etag"]
        assert re.fullmatch(r'(W/)?"[0-9a-f]{32}"', tag)
        opaque = tag.removeprefix("W/")
        for known in (tag, opaque, f"W/{opaque}", f'"a", W/"b",{opaque}', "*"):
            again = client.get(address, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b""), known
            for name in ("etag", "cache-control"):
                assert again.headers.get(name) == first.headers.get(name), name
        for other in ('"a"', opaque.strip('"'), f'"x{opaque[1:]}', ""):
            changed = client.get(address, headers={"If-None-Match": other})
            assert (changed.status_code, changed.headers["etag"]) == (200, tag), other


def test_a_static_file_that_is_missing_is_a_problem(service: Service) -> None:
    answer = httpx.get(f"{service.url}/static/0/canary")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
