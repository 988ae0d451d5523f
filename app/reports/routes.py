"""Reports over HTTP: the same two functions as the command line, behind a Bearer token."""

import datetime as dt
import secrets
from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from app.problems import PROBLEM_TYPE, Problem
from app.reports import registry, render
from app.reports.parameters import PARAMETERS, allowed, parse
from app.reports.run import Table, reading, run

RETRY_AFTER: Final = 5  # seconds: a database that is restarting is back by then
TOKEN: Final = "token"  # noqa: S105 -- the parameter's name: in the query instead of the header: the link that `serve` prints, for a browser
PRIVATE: Final = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
}  # of figures, and of that link

bearer = HTTPBearer(
    auto_error=False, description="The report token: `TELEMETRY_REPORT_TOKEN`, or as `serve` prints it."
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]
ReportName = Annotated[str, Path(description=f"One of: {', '.join(registry.REPORTS)}.")]


def create_router(engine: Engine, report_token: str) -> APIRouter:
    """`GET /v1/reports/{name}` and `/v1/reports/{name}.csv`, for whoever brings `report_token`.

    The token comes as Bearer; or, for a browser, as the parameter `token`. `engine` may be one that can only read. Every refusal is problem JSON and holds no part of the request.
    """
    router = APIRouter(prefix="/v1/reports", tags=["reports"])

    def serve(
        request: Request,
        name: str,
        credentials: HTTPAuthorizationCredentials | None,
        write: Callable[[Table], Response],
    ) -> Response:
        try:
            given = request.query_params.multi_items()
            check_token(credentials.credentials if credentials else dict(given).get(TOKEN, ""), report_token)
            return write(answer(engine, name, [(key, text) for key, text in given if key != TOKEN]))
        except Problem as problem:
            return refuse(problem)

    # Before the JSON route, whose {name} would swallow the suffix.
    @router.get(
        "/{name}.csv", summary="A report as CSV", response_class=Response, **document(render.CSV_TYPE)
    )
    def read_csv(request: Request, name: ReportName, credentials: Credentials) -> Response:
        return serve(request, name, credentials, write_csv)

    @router.get("/{name}", summary="A report as JSON", response_class=Response, **document(render.JSON_TYPE))
    def read_json(request: Request, name: ReportName, credentials: Credentials) -> Response:
        return serve(request, name, credentials, write_json)

    return router


def check_token(given: str, report_token: str) -> None:
    """Raise Problem 401 without the token."""
    if not secrets.compare_digest(given.encode(), report_token.encode()):
        raise Problem(401, "unauthorized", "Reports need the report token: Authorization: Bearer <token>.")


def answer(engine: Engine, name: str, given: list[tuple[str, str]]) -> Table:
    """The table that the URL asks for, by name and parameters. Raises Problem 400, 404, or 503 while the database cannot answer."""
    now = dt.datetime.now(dt.UTC)
    report = registry.find(name)
    parameters = parse(report, given, now)
    try:
        with reading(engine) as connection:
            return run(report, parameters, connection, now)
    except OperationalError:
        raise Problem(
            503, "database_unavailable", "The database cannot answer right now.", retry_after=RETRY_AFTER
        ) from None


def write_json(table: Table) -> Response:
    """200 with the table as JSON."""
    return Response(render.to_json(table), media_type=render.JSON_TYPE, headers=PRIVATE)


def write_csv(table: Table) -> Response:
    """200 with the table as CSV, to be saved under the report's name."""
    disposition = f'attachment; filename="{table.report.name}-{table.parameters["until"]}.csv"'
    return Response(
        render.to_csv(table),
        media_type=render.CSV_TYPE,
        headers=PRIVATE | {"content-disposition": disposition},
    )


def refuse(problem: Problem) -> Response:
    """The problem as a response. A 401 asks for a Bearer token, not for the write key that events need."""
    headers = {name.decode(): value.decode() for name, value in problem.headers()}
    if problem.status == 401:
        headers["www-authenticate"] = 'Bearer realm="reports"'
    return Response(problem.render(), problem.status, PRIVATE | headers)


def document(media_type: str) -> dict[str, Any]:
    """What OpenAPI says of a report's route: its parameters, from the one list that also parses them, and its answers."""
    problem = {"content": {PROBLEM_TYPE: {"schema": {"type": "object"}}}}
    schema: dict[str, object] = {"type": "string" if media_type == render.CSV_TYPE else "object"}
    return {
        "responses": {
            200: {"content": {media_type: {"schema": schema}}, "description": "The report."},
            400: {
                **problem,
                "description": "A parameter that the report does not have, or a value it does not take.",
            },
            401: {**problem, "description": "No report token, or another one."},
            404: {**problem, "description": "No such report."},
            503: {
                **problem,
                "description": "The database cannot answer; Retry-After says when to ask again.",
            },
        },
        "openapi_extra": {"parameters": [describe(name) for name in PARAMETERS]},
    }


def describe(name: str) -> dict[str, object]:
    """One query parameter, as OpenAPI describes it."""
    parameter = PARAMETERS[name]
    choices = parameter.choices or (tuple(registry.CONNECTORS.sorts) if name == "sort" else ())
    schema = {"type": "string", "default": parameter.default, **({"enum": list(choices)} if choices else {})}
    if name in ("until", "version"):
        del schema["default"]  # today and all are no values
    takes = allowed(registry.CONNECTORS, name)
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": f"{parameter.description} Takes {takes}; default {parameter.default}.",
        "schema": schema,
    }
