"""What anyone may read: the closed world as JSON Schema (`/v1/schema`), and the privacy page's text."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request, Response
from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.contract import schema as wire_schema
from app.contract.vocabulary import CUSTOM, EXCEPTION_CLASSES, UNKNOWN
from app.problems import TelemetryError
from app.web.entity import not_modified, tag_of

CACHED: Final = {"cache-control": "public, max-age=300"}
# Where the schema takes a word of a vocabulary; the validator itself looks it up in a set.
VOCABULARIES: Final = {
    ("Source", "name"): "ConnectorName",
    ("Destination", "name"): "ConnectorName",
    ("ExceptionInfo", "connector_name"): "ConnectorName",
    ("ExceptionInfo", "class"): "ExceptionClass",
}
LINKS: Final = {"event.schema.json": "/v1/schema"}  # documents that the service has an address for
TITLE: Final = "An event that PyAirbyte may send, and all that can be stored of it"


@dataclass(frozen=True, slots=True)
class Document:
    """A Markdown document as HTML: its title, and its body from the first heading on."""

    title: str
    body: str


def create_router(connectors: Callable[[], Collection[str]]) -> APIRouter:
    """Return `/v1/schema`. `connectors` gives the names in force."""
    router = APIRouter(tags=["privacy"])

    @lru_cache(1)
    def render(_number: int) -> bytes:  # names are only ever added
        return render_schema(connectors())

    @router.get(
        "/v1/schema",
        summary="The closed world as JSON Schema: what is not in it cannot be stored",
        responses={
            200: {"content": {"application/schema+json": {"schema": {"type": "object"}}}},
            304: {"description": "The client has it already."},
        },
        response_class=Response,
    )
    async def get_schema(request: Request) -> Response:
        body = render(len(connectors()))
        headers = CACHED | {"etag": tag_of(body)}
        return not_modified(request, headers) or Response(
            body, media_type="application/schema+json", headers=headers
        )

    return router


def policy() -> Path:
    """Return the privacy page's text: beside this file in a wheel, among the documents in a checkout."""
    packaged = Path(__file__).with_name("privacy.md")
    file = packaged if packaged.is_file() else Path(__file__).parents[2] / "docs" / "privacy.md"
    if not file.is_file():
        raise TelemetryError(f"{file} is missing: the installation is incomplete.")
    return file


def build_schema(connectors: Collection[str]) -> dict[str, Any]:
    """Return the JSON Schema of an event, with the vocabularies as lists of words."""
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **wire_schema.build_schema(),
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
    """Return the schema as JSON."""
    return orjson.dumps(build_schema(connectors), option=orjson.OPT_INDENT_2)


def render_document(markdown: str) -> Document:
    """Return a Markdown document as HTML: no script, nothing from elsewhere. HTML
    in it is shown, not obeyed."""
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = renderer.parse(markdown)
    title = "Privacy"
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", slug(inline.content))
            title = inline.content if opening.tag == "h1" else title
        inline.children = keep_links(inline.children or [])
    return Document(title, renderer.renderer.render(tokens, renderer.options, {}))


def keep_links(tokens: list[Token]) -> list[Token]:
    """Return the inline tokens without links to other documents, which are not here; their text stays."""
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
    """Return the name under which a heading is linked to, as source hosts make it."""
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
