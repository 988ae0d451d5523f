"""The public figures over HTTP: no token, any origin, cached for long, since a month never changes."""

import datetime as dt
import re
from collections.abc import Callable
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Header, Path, Request, Response
from sqlalchemy import Connection, Engine, select

from app.problems import Problem
from app.store.causes import answering
from app.store.tables.publications import OTHER, public_figures, publications
from app.web.entity import not_modified, tag_of
from app.web.openapi import describe_problems
from app.web.problems import respond

MONTH: Final = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])", re.ASCII)
ANYWHERE: Final = {"access-control-allow-origin": "*"}
FOR_EVER: Final = "public, max-age=31536000, immutable"
FOR_AN_HOUR: Final = "public, max-age=3600"
FEW: Final = "<5"
COLUMNS: Final = (
    ("role", "string", "source or destination"),
    (
        "connector",
        "string",
        f"connector of the public registry; custom: any other; {OTHER}: those too few to be shown",
    ),
    (
        "units",
        "integer",
        "distinct settled users: seen over seven days or more; rounded to 5, never fewer than 10",
    ),
    (
        "affected_units",
        "integer or string",
        f'of them, users with a failure that no wrong configuration caused, rounded to 5; "{FEW}": 1 to '
        f"4, in {OTHER} 0 to 4",
    ),
)

Months = Annotated[str, Path(description="A calendar month (UTC), as 2026-10.")]
Known = Annotated[str | None, Header(alias="if-none-match", description="The ETag of what is known already.")]


def create_router(engine: Engine) -> APIRouter:
    """Return `GET /v1/public/connectors.json` and `/v1/public/connectors/YYYY-MM.json`; `engine`
    may be one that only reads."""
    router = APIRouter(prefix="/v1/public", tags=["public"])
    frozen: dict[dt.date, bytes] = {}  # a month is read from the database once

    @router.get(
        "/connectors.json",
        summary="The months whose figures are published",
        response_class=Response,
        responses=document("The months, newest first."),
    )
    def read_index(request: Request, _known: Known = None) -> Response:
        return serve(lambda: answer(request, read(engine, render_index), FOR_AN_HOUR))

    @router.get(
        "/connectors/{month}.json",
        summary="The public figures of one month; they never change",
        response_class=Response,
        responses=document("The figures.", "not_published"),
    )
    def read_month(request: Request, month: Months, _known: Known = None) -> Response:
        def find() -> Response:
            first = parse_month(month)
            if first not in frozen:
                frozen[first] = read(engine, lambda connection: render_month(connection, first))
            return answer(request, frozen[first], FOR_EVER)

        return serve(find)

    return router


def parse_month(month: str) -> dt.date:
    """Return the first day of a month. Raises Problem 404."""
    if MONTH.fullmatch(month) is None:
        raise not_published()
    return dt.date.fromisoformat(f"{month}-01")


def not_published() -> Problem:
    """Return the problem that there is no such document."""
    return Problem(
        "not_published", "No figures are published of this month: /v1/public/connectors.json lists them."
    )


def read(engine: Engine, render: Callable[[Connection], bytes]) -> bytes:
    """Return a document from the database. Raises Problem 503 while it cannot answer."""
    with answering(), engine.connect() as connection:
        return render(connection)


def render_index(connection: Connection) -> bytes:
    """Return the list of months, newest first."""
    rows = connection.execute(select(publications).order_by(publications.c.month.desc())).mappings()
    months = [
        {
            "month": f"{row['month']:%Y-%m}",
            "published_at": row["published_at"],
            "path": f"/v1/public/connectors/{row['month']:%Y-%m}.json",
        }
        for row in rows
    ]
    return dump({"latest": months[0]["month"] if months else None, "months": months})


def render_month(connection: Connection, month: dt.date) -> bytes:
    """Return the figures of a month. Raises Problem 404."""
    published_at = connection.execute(
        select(publications.c.published_at).where(publications.c.month == month)
    ).scalar()
    if published_at is None:
        raise not_published()
    rows = connection.execute(
        select(public_figures)
        .where(public_figures.c.month == month)
        .order_by(
            public_figures.c.role.desc(),
            public_figures.c.connector == OTHER,
            public_figures.c.units.desc(),
            public_figures.c.connector,
        )
    ).mappings()
    return dump(
        {
            "month": f"{month:%Y-%m}",
            "published_at": published_at,
            "columns": [{"name": name, "type": kind, "description": said} for name, kind, said in COLUMNS],
            "rows": [
                {name: FEW if row[name] is None else row[name] for name, _, _ in COLUMNS} for row in rows
            ],
        }
    )


def dump(document: dict[str, Any]) -> bytes:
    """Return JSON, always the same bytes of the same values."""
    return orjson.dumps(document, option=orjson.OPT_UTC_Z)


def answer(request: Request, body: bytes, cached: str) -> Response:
    """Return the document; 304 to whoever has it."""
    headers = ANYWHERE | {"etag": tag_of(body), "cache-control": cached}
    return not_modified(request, headers) or Response(body, media_type="application/json", headers=headers)


def serve(find: Callable[[], Response]) -> Response:
    """Return the response, or the problem as one; browsers of any origin may read both."""
    try:
        return find()
    except Problem as refusal:
        return respond(refusal, ANYWHERE | {"cache-control": "no-store"})


def document(said: str, *codes: str) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of a document's answers."""
    return {
        200: {"content": {"application/json": {"schema": {"type": "object"}}}, "description": said},
        304: {"description": "The client has it already."},
        **describe_problems(*codes, "database_unavailable"),
    }
