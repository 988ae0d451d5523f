"""`/docs`: the OpenAPI document to read and to try, from files of the package;
nothing comes from another host.

swagger_ui/ holds swagger-ui-dist 5.35.0 as it is published (Apache 2.0, its licence
beside it), less its source maps.
"""

from functools import cache
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Request, Response

from app import __version__
from app.problems import Problem
from app.web.entity import not_modified, tag_of

# Scripts and styles of ours only, none within the page; the viewer sets styles
# from script, which this allows.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
KINDS: Final = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "initialize.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "LICENSE": "text/plain; charset=utf-8",
}
# Links are relative, so that the page works under whatever path a proxy puts it.
PAGE: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>PyAirbyte telemetry: API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css?{__version__}">
<script src="docs/swagger-ui-bundle.js?{__version__}" defer></script>
<script src="docs/initialize.js?{__version__}" defer></script>
</head>
<body>
<div id="swagger-ui"></div>
<noscript><p>This page needs JavaScript. The document itself:
<a href="openapi.json">openapi.json</a></p></noscript>
</body>
</html>
"""


@cache
def read_file(name: str) -> bytes:
    """Return a file of the viewer."""
    return files("app.web").joinpath("swagger_ui", name).read_bytes()


def create_router() -> APIRouter:
    """Return `GET /docs` and the files that it loads."""
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    def show_page() -> Response:
        return Response(PAGE, media_type="text/html; charset=utf-8", headers=HEADERS)

    @router.get("/docs/{name}")
    def serve_file(request: Request, name: str) -> Response:
        if name not in KINDS:
            raise Problem("not_found", "There is no such file.")
        body = read_file(name)
        headers = HEADERS | {"cache-control": "public, max-age=86400", "etag": tag_of(body)}
        return not_modified(request, headers) or Response(body, media_type=KINDS[name], headers=headers)

    return router
