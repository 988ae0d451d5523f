"""`/docs` comes from the package: it is there without internet, and nothing else may load."""

import re

import httpx

from tests.service import Service


def test_docs_load_nothing_from_another_host(service: Service) -> None:
    page = httpx.get(f"{service.url}/docs")
    directives = dict(
        directive.strip().partition(" ")[::2]
        for directive in page.headers["content-security-policy"].split(";")
    )
    assert directives["default-src"] in ("'none'", "'self'")
    assert directives["script-src"] == "'self'"
    loaded = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="([^"]*)"', page.text)
    files = [address for address in loaded if not address.startswith("data:")]
    assert len(files) >= 3
    for address in files:
        assert "//" not in address
        assert httpx.get(f"{service.url}/{address}").status_code == 200
    assert httpx.get(f"{service.url}/openapi.json").status_code == 200
