"""The public figures over HTTP: no token, any origin, cached for long, since a month never changes."""

import datetime as dt
import hashlib
import re
from collections.abc import Callable
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Header, Path, Response
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import OperationalError

from app.problems import PROBLEM_TYPE, Problem
from app.store.tables.publications import OTHER, public_figures, publications

RETRY_AFTER: Final = 5  # seconds
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
        f'of them, users with a failure that no wrong configuration caused, rounded to 5; "{FEW}": 1 to 4, in {OTHER} 0 to 4',
    ),
)

Months = Annotated[str, Path(description="A calendar month (UTC), as 2026-10.")]
Known = Annotated[str | None, Header(description="The ETag of what is known already.")]


def create_router(engine: Engine) -> APIRouter:
    """`GET /v1/public/connectors.json` and `/v1/public/connectors/YYYY-MM.json`; `engine` may be one that only reads."""
    router = APIRouter(prefix="/v1/public", tags=["public"])
    frozen: dict[dt.date, bytes] = {}  # a month is read from the database once

    @router.get(
        "/connectors.json",
        summary="The months whose figures are published",
        response_class=Response,
        responses=document("The months, newest first."),
    )
    def read_index(if_none_match: Known = None) -> Response:
        return serve(lambda: answer(read(engine, render_index), FOR_AN_HOUR, if_none_match))

    @router.get(
        "/connectors/{month}.json",
        summary="The public figures of one month; they never change",
        response_class=Response,
        responses=document("The figures.") | {404: problem("Not published (yet).")},
    )
    def read_month(month: Months, if_none_match: Known = None) -> Response:
        def find() -> Response:
            first = parse_month(month)
            if first not in frozen:
                frozen[first] = read(engine, lambda connection: render_month(connection, first))
            return answer(frozen[first], FOR_EVER, if_none_match)

        return serve(find)

    return router


def parse_month(month: str) -> dt.date:
    """The first day of a month. Raises Problem 404."""
    if MONTH.fullmatch(month) is None:
        raise not_published()
    return dt.date.fromisoformat(f"{month}-01")


def not_published() -> Problem:
    """There is no such document."""
    return Problem(
        404, "not_published", "No figures are published of this month: /v1/public/connectors.json lists them."
    )


def read(engine: Engine, render: Callable[[Connection], bytes]) -> bytes:
    """A document from the database. Raises Problem 503 while it cannot answer."""
    try:
        with engine.connect() as connection:
            return render(connection)
    except OperationalError:
        raise Problem(
            503, "database_unavailable", "The database cannot answer right now.", retry_after=RETRY_AFTER
        ) from None


def render_index(connection: Connection) -> bytes:
    """The list of months, newest first."""
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
    """The figures of a month. Raises Problem 404."""
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
    """JSON, always the same bytes of the same values."""
    return orjson.dumps(document, option=orjson.OPT_UTC_Z)


def answer(body: bytes, cached: str, known: str | None) -> Response:
    """200 with the document, or 304 if the client has it."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = ANYWHERE | {"etag": tag, "cache-control": cached}
    if known is not None and (known.strip() == "*" or tag in re.findall(r'"[^"]*"', known)):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def serve(find: Callable[[], Response]) -> Response:
    """The response, or the problem as one; browsers of any origin may read both."""
    try:
        return find()
    except Problem as refusal:
        headers = {name.decode(): value.decode() for name, value in refusal.headers()}
        return Response(refusal.render(), refusal.status, ANYWHERE | {"cache-control": "no-store"} | headers)


def problem(said: str) -> dict[str, Any]:
    """What OpenAPI says of a problem."""
    return {"content": {PROBLEM_TYPE: {"schema": {"type": "object"}}}, "description": said}


def document(said: str) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of a document's answers."""
    return {
        200: {"content": {"application/json": {"schema": {"type": "object"}}}, "description": said},
        304: {"description": "The client has it already."},
        503: problem("The database cannot answer; Retry-After says when to ask again."),
    }
