"""Reports over HTTP: the same two functions as the command line, behind a Bearer token."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.problems import Problem, TelemetryError
from app.reports import openapi, registry, render
from app.reports.cache import Kept, Key, Tables, read_key
from app.reports.model import Report
from app.reports.readers import Readers
from app.reports.renewals import Renewals
from app.web.entity import not_modified
from app.web.peers import Peers
from app.web.problems import respond

TOKEN: Final = "token"  # noqa: S105 -- the parameter's name: in the query instead of the header: the link that `serve` prints, for a browser
PRIVATE: Final = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
}  # of figures, and of that link
MEDIA_TYPES: Final[Mapping[str, str]] = {
    "json": render.JSON_TYPE,
    "csv": render.CSV_TYPE,
    "parquet": render.PARQUET_TYPE,
}

FindPeer = Callable[[Mapping[str, Any]], str]
NO_PROXIES: Final = Peers(())

bearer = HTTPBearer(
    auto_error=False,
    description="A report token: `TELEMETRY_REPORT_TOKEN`, as `serve` prints it, or of `tokens create`.",
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]


def create_router(tables: Tables, readers: Readers, find_peer: FindPeer = NO_PROXIES.find) -> APIRouter:
    """Return `GET /v1/reports/NAME`, `/v1/reports/NAME.csv` and `.parquet` for each report, for
    whoever of `readers` brings a token.

    The token comes as Bearer; or, for a browser, as the parameter `token`; `find_peer` tells of a scope whose
    it is. Figures come from `tables`: `As-Of` and `Age` say how old they are, `Stale` that there can be none
    newer; `Cache-Control: no-cache` asks for new ones. Refusals are problem JSON without a part of a request.
    """
    router, renewals = APIRouter(prefix="/v1/reports", tags=["reports"]), Renewals(tables)

    async def serve(
        request: Request, name: str, credentials: HTTPAuthorizationCredentials | None, form: str
    ) -> Response:
        try:
            given = request.query_params.multi_items()
            token = credentials.credentials if credentials else dict(given).get(TOKEN, "")
            readers.require(token, find_peer(request.scope))
            key = read_key(name, [(key, text) for key, text in given if key != TOKEN])
            return await answer(renewals, key, request, form)
        except Problem as problem:
            return refuse(problem)

    def add(report: Report, form: str) -> None:
        async def read(request: Request, credentials: Credentials) -> Response:
            return await serve(request, report.name, credentials, form)

        path = f"/{report.name}" if form == "json" else f"/{report.name}.{form}"
        router.add_api_route(
            path, read, methods=["GET"], response_class=Response, **openapi.make_operation(report, form)
        )

    for report in registry.REPORTS.values():
        for form in MEDIA_TYPES:
            add(report, form)

    @router.get("/{name}", include_in_schema=False)
    async def read_unknown(request: Request, name: str, credentials: Credentials) -> Response:
        return await serve(request, name, credentials, "json")

    return router


async def answer(renewals: Renewals, key: Key, request: Request, form: str) -> Response:
    """Return what is kept without leaving the event loop, or wait for it. Raises Problem."""
    if "no-cache" in request.headers.get("cache-control", ""):
        found: Kept | Future[Kept] = await renewals.find(key)
    else:
        found = renewals.tables.look(key)
    if not isinstance(found, Kept):  # shielded: others wait for the same
        found = await asyncio.shield(asyncio.wrap_future(found))
    if form in found.bodies:
        return write(request, found, form)
    return await asyncio.to_thread(write, request, found, form)


def write(request: Request, kept: Kept, form: str) -> Response:
    """Return the table in one of the forms; 304 to whoever knows it by its entity tag.

    Raises Problem 501 where Parquet cannot be written.
    """
    table = kept.table
    headers = PRIVATE | {
        "etag": kept.tag,
        "as-of": render.instant(table.as_of),
        "age": f"{max(0.0, kept.age()):.0f}",
        "rollup-lag-seconds": f"{table.lag_seconds:.1f}",
    }
    if table.is_stale:
        headers["stale"] = render.STALE
    if known := not_modified(request, headers):
        return known
    if form != "json":  # to be saved under the report's name
        name = f"{table.report.name}-{table.parameters.get('until', table.as_of.date())}.{form}"
        headers["content-disposition"] = f'attachment; filename="{name}"'
    try:
        return Response(kept.write(form), media_type=MEDIA_TYPES[form], headers=headers)
    except TelemetryError as error:
        raise Problem("parquet_unavailable", str(error)) from None


def refuse(problem: Problem) -> Response:
    """Return the problem as a response that nobody keeps."""
    return respond(problem, PRIVATE)
