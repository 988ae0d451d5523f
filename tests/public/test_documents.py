"""The closed world and the privacy page are public, need nothing and leak nothing."""

import re

import httpx

from app.contract.vocabulary import EXCEPTION_CLASSES, shipped_connectors
from app.public.documents import build_schema, render_document
from tests.conftest import Service


def test_the_schema_is_the_closed_world(service: Service) -> None:
    reply = httpx.get(f"{service.url}/v1/schema", timeout=10)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/schema+json"
    schema = reply.json()
    definitions = schema["$defs"]
    assert set(definitions["ConnectorName"]["enum"]) >= shipped_connectors() | {"custom", "unknown"}
    assert set(definitions["ExceptionClass"]["enum"]) == EXCEPTION_CLASSES
    for name, definition in {"": schema, **definitions}.items():
        if "properties" in definition:
            assert definition["additionalProperties"] is False, name
    named = definitions["Source"]["properties"]["name"]["anyOf"][0]["$ref"]
    assert named == "#/$defs/ConnectorName"
    assert definitions["Properties"]["properties"]["number_of_records"]["anyOf"][0]["maximum"] == 10**12


def test_no_text_field_of_the_schema_is_open() -> None:
    """Every string has a pattern, a list of words, a format or, where it is discarded, a length."""
    schema = build_schema(["source-faker"])

    def strings(node: object) -> list[dict[str, object]]:
        if isinstance(node, list):
            return [found for item in node for found in strings(item)]
        if not isinstance(node, dict):
            return []
        own = [node] if node.get("type") == "string" else []
        return own + [found for value in node.values() for found in strings(value)]

    # Which of its fields must be there together: their forms stand among the properties.
    schema["$defs"]["Properties"].pop("anyOf")
    found = strings(schema)
    assert len(found) > 10
    assert all({"pattern", "enum", "const", "format", "maxLength"} & set(item) for item in found)


def test_the_privacy_page_is_readable_html(service: Service) -> None:
    reply = httpx.get(f"{service.url}/privacy", timeout=10)
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    page = reply.text
    assert "<h1" in page
    assert "<table>" in page
    assert "<script" not in page
    targets = re.findall(r'href="([^"]*)"', page)
    assert targets
    for target in targets:
        if target.startswith("#"):
            assert f'id="{target[1:]}"' in page
        elif target.startswith("/"):
            wanted = 401 if target == "/reports" else 200  # the staff's login
            assert httpx.get(f"{service.url}{target}", timeout=10).status_code == wanted
        else:
            assert target.startswith("https://")


def test_html_and_links_to_other_documents_are_no_part_of_the_page() -> None:
    document = render_document("# A & B\n\n<script>x</script> [other](decisions/0001.md) [here](#a--b)\n")
    assert "<script" not in document.body
    assert "decisions" not in document.body
    assert "other" in document.body
    assert '<h1 id="a--b">' in document.body
    assert document.title == "A & B"
