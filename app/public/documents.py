"""What anyone may read: the closed world as JSON Schema (`/v1/schema`), and the privacy page (`/privacy`)."""

import re
from collections.abc import Callable, Collection
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import orjson
from fastapi import APIRouter, Response
from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.contract import schema as wire_schema
from app.contract.vocabulary import CUSTOM, EXCEPTION_CLASSES, UNKNOWN
from app.problems import TelemetryError

CACHED: Final = {"cache-control": "public, max-age=300"}
SECURITY: Final = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
# Where the schema takes a word of a vocabulary; the validator itself looks it up in a set.
VOCABULARIES: Final = {
    ("Source", "name"): "ConnectorName",
    ("Destination", "name"): "ConnectorName",
    ("ExceptionInfo", "connector_name"): "ConnectorName",
    ("ExceptionInfo", "class"): "ExceptionClass",
}
LINKS: Final = {"event.schema.json": "/v1/schema"}  # documents that the service has an address for
TITLE: Final = "An event that PyAirbyte may send, and all that can be stored of it"
PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: #d0d4dc; --quiet: #f4f5f8; --link: #0b57d0; }}
@media (prefers-color-scheme: dark) {{ :root {{ --line: #3c414b; --quiet: #22252b; --link: #8ab4f8; }} }}
body {{ font: 17px/1.6 system-ui, sans-serif; max-width: 58rem; margin: 0 auto; padding: 1rem 1.1rem 4rem;
  overflow-wrap: break-word; }}
h1, h2, h3 {{ line-height: 1.25; margin: 2.2rem 0 .6rem; }}
h1 {{ font-size: 1.7rem; margin-top: 1rem; }}
h2 {{ font-size: 1.3rem; }}
a {{ color: var(--link); }}
code {{ font: .88em ui-monospace, monospace; background: var(--quiet); padding: .1em .3em; border-radius: 4px; }}
pre {{ background: var(--quiet); padding: .8rem 1rem; border-radius: 6px; overflow-x: auto; }}
pre code {{ padding: 0; overflow-wrap: normal; }}
table {{ border-collapse: collapse; width: 100%; margin: 1rem 0; font-size: .92rem; line-height: 1.45; }}
th, td {{ text-align: left; vertical-align: top; padding: .45rem .6rem .45rem 0; border-bottom: 1px solid var(--line); }}
@media (max-width: 40rem) {{
  thead {{ display: none; }}
  table, tbody, tr, td {{ display: block; width: auto; }}
  tr {{ padding: .6rem 0; border-bottom: 1px solid var(--line); }}
  td {{ border: 0; padding: .1rem 0; }}
  td:first-child {{ font-weight: 600; }}
  code {{ overflow-wrap: anywhere; }}
  td:empty {{ display: none; }}
}}
</style>
</head>
<body>
<main>
{body}</main>
</body>
</html>
"""


def create_router(connectors: Callable[[], Collection[str]]) -> APIRouter:
    """The public pages. `connectors` gives the names in force."""
    router = APIRouter(tags=["privacy"])
    page = render_page(policy().read_text("utf-8"))

    @router.get(
        "/v1/schema",
        summary="The closed world as JSON Schema: what is not in it cannot be stored",
        responses={200: {"content": {"application/schema+json": {"schema": {"type": "object"}}}}},
        response_class=Response,
    )
    def get_schema() -> Response:
        return Response(render_schema(connectors()), media_type="application/schema+json", headers=CACHED)

    @router.get(
        "/privacy",
        summary="What is collected, why, how long; how to opt out and how to be forgotten",
        responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
        response_class=Response,
    )
    async def get_privacy() -> Response:
        return Response(page, media_type="text/html", headers=CACHED | SECURITY)

    return router


def policy() -> Path:
    """The privacy page's text: beside this file in a wheel, among the documents in a checkout."""
    packaged = Path(__file__).with_name("privacy.md")
    file = packaged if packaged.is_file() else Path(__file__).parents[2] / "docs" / "privacy.md"
    if not file.is_file():
        raise TelemetryError(f"{file} is missing: the installation is incomplete.")
    return file


def build_schema(connectors: Collection[str]) -> dict[str, Any]:
    """The JSON Schema of an event, with the vocabularies as lists of words."""
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **wire_schema.describe(),
    }
    schema["title"] = TITLE
    definitions = schema["$defs"]
    for (definition, field), vocabulary in VOCABULARIES.items():
        reference = {"$ref": f"#/$defs/{vocabulary}"}
        definitions[definition]["properties"][field] = {"anyOf": [reference, {"type": "null"}]}
    definitions["ConnectorName"] = {
        "description": "a public connector; `custom` stands for every other one",
        "enum": sorted({*connectors, UNKNOWN, CUSTOM}),
    }
    definitions["ExceptionClass"] = {
        "description": "an exception class that a public package defines",
        "enum": sorted(EXCEPTION_CLASSES),
    }
    return schema


def render_schema(connectors: Collection[str]) -> bytes:
    """The schema as JSON."""
    return orjson.dumps(build_schema(connectors), option=orjson.OPT_INDENT_2)


def render_page(markdown: str) -> str:
    """A Markdown document as a page of its own: no script, nothing from elsewhere. HTML in it is shown, not obeyed."""
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = renderer.parse(markdown)
    title = "Privacy"
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", slug(inline.content))
            title = inline.content if opening.tag == "h1" else title
        inline.children = keep_links(inline.children or [])
    return PAGE.format(title=escape(title), body=renderer.renderer.render(tokens, renderer.options, {}))


def keep_links(tokens: list[Token]) -> list[Token]:
    """The inline tokens without links to other documents, which are not here; their text stays."""
    kept = []
    gone = False
    for token in tokens:
        if token.type == "link_open":
            target = LINKS.get(str(token.attrGet("href")), str(token.attrGet("href")))
            token.attrSet("href", target)
            gone = not target.startswith(("#", "/", "https://"))
        if not (gone and token.type in ("link_open", "link_close")):
            kept.append(token)
    return kept


def slug(heading: str) -> str:
    """The name under which a heading is linked to, as source hosts make it."""
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
