"""Reports over HTTP: the same two functions as the command line, behind a Bearer token."""

import datetime as dt
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from app.problems import Problem, TelemetryError
from app.reports import openapi, registry, render
from app.reports.model import Report, Table
from app.reports.parameters import parse
from app.reports.run import reading, run

RETRY_AFTER: Final = 5  # seconds: a database that is restarting is back by then
TOKEN: Final = "token"  # noqa: S105 -- the parameter's name: in the query instead of the header: the link that `serve` prints, for a browser
PRIVATE: Final = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
}  # of figures, and of that link
WRITERS: Final[Mapping[str, tuple[str, Callable[[Table], str | bytes]]]] = {
    "json": (render.JSON_TYPE, render.to_json),
    "csv": (render.CSV_TYPE, render.to_csv),
    "parquet": (render.PARQUET_TYPE, render.to_parquet),
}

bearer = HTTPBearer(
    auto_error=False, description="The report token: `TELEMETRY_REPORT_TOKEN`, or as `serve` prints it."
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]


def create_router(engine: Engine, report_token: str, denied: Sequence[UUID] = ()) -> APIRouter:
    """`GET /v1/reports/NAME`, `/v1/reports/NAME.csv` and `.parquet` for each report, for whoever brings `report_token`.

    The token comes as Bearer; or, for a browser, as the parameter `token`. `engine` may be one that can only read;
    `denied` are the units that reports leave out. Every refusal is problem JSON and holds no part of the request.
    """
    router = APIRouter(prefix="/v1/reports", tags=["reports"])

    def serve(
        request: Request,
        name: str,
        credentials: HTTPAuthorizationCredentials | None,
        form: str,
    ) -> Response:
        try:
            given = request.query_params.multi_items()
            check_token(credentials.credentials if credentials else dict(given).get(TOKEN, ""), report_token)
            table = answer(engine, name, [(key, text) for key, text in given if key != TOKEN], denied)
            return write(table, form, request.headers.get("if-none-match", ""))
        except Problem as problem:
            return refuse(problem)

    def add(report: Report, form: str) -> None:
        def read(request: Request, credentials: Credentials) -> Response:
            return serve(request, report.name, credentials, form)

        path = f"/{report.name}" if form == "json" else f"/{report.name}.{form}"
        router.add_api_route(
            path, read, methods=["GET"], response_class=Response, **openapi.describe(report, form)
        )

    for report in registry.REPORTS.values():
        for form in WRITERS:
            add(report, form)

    @router.get("/{name}", include_in_schema=False)
    def read_unknown(request: Request, name: str, credentials: Credentials) -> Response:
        return serve(request, name, credentials, "json")

    return router


def check_token(given: str, report_token: str) -> None:
    """Raise Problem 401 without the token."""
    if not secrets.compare_digest(given.encode(), report_token.encode()):
        raise Problem(401, "unauthorized", "Reports need the report token: Authorization: Bearer <token>.")


def answer(engine: Engine, name: str, given: list[tuple[str, str]], denied: Sequence[UUID] = ()) -> Table:
    """The table that the URL asks for, by name and parameters. Raises Problem 400, 404, or 503 while the database cannot answer."""
    now = dt.datetime.now(dt.UTC)
    report = registry.find(name)
    parameters = parse(report, given, now)
    try:
        with reading(engine) as connection:
            return run(report, parameters, connection, now, denied)
    except OperationalError:
        raise Problem(
            503, "database_unavailable", "The database cannot answer right now.", retry_after=RETRY_AFTER
        ) from None


def write(table: Table, form: str, known: str) -> Response:
    """200 with the table in one of the forms; or 304 to whoever knows it, by its entity tag (RFC 9110, 13.1.2).

    Raises Problem 501 where Parquet cannot be written.
    """
    media_type, render_table = WRITERS[form]
    tag = render.identify(table)
    lag = f"{table.lag_seconds:.1f}"
    headers = PRIVATE | {"etag": tag, "as-of": render.instant(table.as_of), "rollup-lag-seconds": lag}
    if any(each.strip() in (tag, "*") for each in known.split(",")):
        return Response(status_code=304, headers=headers)
    if form != "json":  # to be saved under the report's name
        name = f"{table.report.name}-{table.parameters.get('until', table.as_of.date())}.{form}"
        headers["content-disposition"] = f'attachment; filename="{name}"'
    try:
        return Response(render_table(table), media_type=media_type, headers=headers)
    except TelemetryError as error:
        raise Problem(501, "parquet_unavailable", str(error)) from None


def refuse(problem: Problem) -> Response:
    """The problem as a response. A 401 asks for a Bearer token, not for the write key that events need."""
    headers = {name.decode(): value.decode() for name, value in problem.headers()}
    if problem.status == 401:
        headers["www-authenticate"] = 'Bearer realm="reports"'
    return Response(problem.render(), problem.status, PRIVATE | headers)
