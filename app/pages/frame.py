"""What every page stands in: the templates, the navigation, the policy of its
content, and its bytes on the wire."""

import gzip
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from fastapi import Request, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from app.pages import addresses, charts, formats, site
from app.pages.charts.drawing import HATCH
from app.problems import Problem
from app.web import prefix
from app.web.entity import not_modified, tag_of
from app.web.resources import Resources

TEMPLATES: Final = Path(__file__).with_name("templates")
STATIC: Final = Path(__file__).with_name("static")
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
SECURITY: Final = {
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
}
STAFF: Final = "private, no-cache"
NEVER_KEPT: Final = "no-store"
HTML: Final = "text/html; charset=utf-8"
LEAST_GZIP: Final = 1_000  # bytes: less is one packet anyway
GZIP_LEVEL: Final = 6
MOST_PACKED: Final = 64  # pages: as many as are kept

STATICS: Final = Resources(STATIC)


def make_environment() -> Environment:
    """Return the environment of all templates: everything is escaped, and a name
    that is missing is an error."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(formats.FILTERS)
    environment.globals.update(
        charts=charts,
        span=formats.span,
        change=formats.change,
        counted=formats.count,
        static=STATICS.address,
        navigation=site.NAVIGATION,
        site=site,
        filter_names=addresses.FILTERS,
        hatch=Markup(HATCH),  # noqa: S704 -- a constant
    )
    return environment


ENVIRONMENT: Final = make_environment()


def load_templates(names: Iterable[str]) -> None:
    """Compile templates, and the parts that all are made of: else the first reader of each page waits for
    that."""
    for name in ("_frame", "_parts", "_mark", *names):
        ENVIRONMENT.get_template(f"{name}.html")


def render(template: str, context: Mapping[str, Any]) -> bytes:
    """Return a page."""
    return ENVIRONMENT.get_template(template).render(context).encode()


@lru_cache(maxsize=MOST_PACKED)
def mark(body: bytes) -> str:
    """Return the entity tag of a page, made once of one that is served again."""
    return tag_of(body, weak=True)


@lru_cache(maxsize=MOST_PACKED)
def pack(body: bytes) -> bytes:
    """Return a page gzipped, once of one that is served again: nothing else of an answer takes as long."""
    return gzip.compress(body, GZIP_LEVEL, mtime=0)


def respond(  # noqa: PLR0913 -- one argument a part of the answer
    request: Request,
    body: bytes,
    *,
    status: int = 200,
    media_type: str = HTML,
    cached: str = STAFF,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a page as a response: 304 to whoever has it, gzipped for whoever can read that."""
    if media_type == HTML:
        body = prefix.link(body, prefix.of(request.scope))
    sent = {**SECURITY, "cache-control": cached, "vary": "accept-encoding", **(headers or {})}
    is_kept = status == 200 and cached != NEVER_KEPT
    if is_kept:
        sent["etag"] = mark(body)
        if known := not_modified(request, sent):
            return known
    if len(body) >= LEAST_GZIP and "gzip" in request.headers.get("accept-encoding", ""):
        body = pack(body) if is_kept else gzip.compress(body, GZIP_LEVEL, mtime=0)
        sent["content-encoding"] = "gzip"
    return Response(body, status, sent, media_type)


def respond_problem(request: Request, problem: Problem, body: bytes) -> Response:
    """Return the page of a problem, which nobody keeps. It asks for no credentials:
    browsers would open a dialog."""
    own = {name: value for name, value in problem.headers().items() if name == "retry-after"}
    return respond(request, body, status=problem.status, cached=NEVER_KEPT, headers=own)
