"""The pages for everybody: what is published, the privacy page, the static files. No cookie is read or
set, and all may be cached."""

import datetime as dt
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request, Response
from markupsafe import Markup
from sqlalchemy import Engine

from app.pages import formats, frame
from app.problems import Problem
from app.public.documents import policy, render_document
from app.public.publication import SETTLING
from app.public.routes import FEW, parse_month, read, render_index, render_month
from app.store.tables.publications import OTHER
from app.web.resources import PREFIX

FOR_FIVE_MINUTES: Final = "public, max-age=300"
FOR_AN_HOUR: Final = "public, max-age=3600"
METHODS: Final = ["GET", "HEAD"]
ROLES: Final = (("source", "Sources"), ("destination", "Destinations"))
SHOWN: Final = 14  # rows of a role, unless all are asked for
AFFECTED_END: Final = 0.5  # share of users at the end of the column of bars
MOST_HIDDEN: Final = 4  # "<5" is at most this many
MOST: Final = 64  # pages that are kept
# Of a problem's code, the heading and a sentence.
SAID: Final[Mapping[str, tuple[str, str]]] = {
    "not_published": ("Not published", "No figures are published of this month."),
    "not_found": ("No such page", "There is no page at this address."),
    "database_unavailable": (
        "The database cannot answer",
        "The figures are safe. This page tries again in 5 s.",
    ),
}
FAILED: Final = ("Something broke here", "The fault is ours, and it is logged.")
Row = Mapping[str, Any]
Asked = tuple[str | None, str, bool]  # month, under which address, whether with all rows
Following = tuple[str, dt.date] | None  # the month that is published first and its day, if none is yet


def create_router(engine: Engine) -> APIRouter:
    """Return `/`, `/public`, `/public/{month}`, `/privacy` and the static files; `engine`
    may be one that only reads."""
    router = APIRouter(include_in_schema=False)
    document = render_document(policy().read_text("utf-8"))
    months = Months(engine)
    body = Markup(document.body)  # noqa: S704 -- made of our own Markdown, in which HTML is shown and not obeyed
    privacy = frame.render("privacy.html", {"title": document.title, "body": body})

    @router.api_route(PREFIX + "/{digest}/{name:path}", methods=METHODS)
    async def get_static(request: Request, digest: str, name: str) -> Response:
        return frame.STATICS.serve(request, digest, name)

    @router.api_route("/", methods=METHODS)
    async def get_root() -> Response:
        return Response(status_code=303, headers={"location": "/public", "cache-control": FOR_FIVE_MINUTES})

    @router.api_route("/public", methods=METHODS)
    def get_public(request: Request) -> Response:
        return serve(request, months, None)

    @router.api_route("/public/{month}", methods=METHODS)
    def get_month(request: Request, month: str) -> Response:
        return serve(request, months, month)

    @router.api_route("/privacy", methods=METHODS)
    async def get_privacy(request: Request) -> Response:
        return frame.respond(request, privacy, cached=FOR_FIVE_MINUTES)

    return router


class Months:
    """The pages of published months, made once: a month never changes, so that a page serves as long as the
    list of months, which each names, is the same."""

    def __init__(self, engine: Engine) -> None:
        """`engine` may be one that only reads."""
        self.engine = engine
        self.kept: OrderedDict[Asked, tuple[object, bytes]] = OrderedDict()
        self.lock = threading.Lock()

    def find(self, month: str | None, base: str, *, shows_all: bool) -> bytes:
        """Return the page of a month, of the latest if none is named; the last one that was made while the
        database cannot answer. Raises Problem 404, or 503 if there is none.
        """
        asked = (month, base, shows_all)
        with self.lock:
            shown, body = self.kept.get(asked, (None, b""))
        try:
            index = read(self.engine, render_index)
        except Problem:
            if not body:
                raise
            return body
        months = orjson.loads(index)
        following = None if months["months"] else next_publication(dt.datetime.now(dt.UTC))
        if shown != (index, following):
            body = self.make(months, month, base, following, shows_all=shows_all)
            self.keep(asked, ((index, following), body))
        return body

    def keep(self, asked: Asked, made: tuple[object, bytes]) -> None:
        """Keep a page; the one that was made longest ago gives way."""
        with self.lock:
            self.kept[asked] = made
            self.kept.move_to_end(asked)
            while len(self.kept) > MOST:
                self.kept.popitem(last=False)

    def make(
        self, index: Row, month: str | None, base: str, following: Following, *, shows_all: bool
    ) -> bytes:
        """Return a page. Raises Problem 404 or 503."""
        asked = month or index["latest"]
        found = None
        if asked:
            first = parse_month(asked)
            found = orjson.loads(read(self.engine, lambda connection: render_month(connection, first)))
        return frame.render("public.html", build(index, found, base, following, shows_all=shows_all))


def serve(request: Request, months: Months, month: str | None) -> Response:
    """Return the page of a month, of the latest if none is named."""
    base = str(request.base_url).rstrip("/")
    shows_all = request.query_params.get("all") == "show"
    try:
        body = months.find(month, base, shows_all=shows_all)
    except Problem as problem:
        return show_problem(request, problem)
    return frame.respond(request, body, cached=FOR_AN_HOUR if month else FOR_FIVE_MINUTES)


def show_problem(request: Request, problem: Problem) -> Response:
    """Return the page of a problem for everybody."""
    body = frame.render("public-problem.html", {"problem": problem, "said": SAID.get(problem.code, FAILED)})
    return frame.respond_problem(request, problem, body)


def build(
    index: Row, found: Row | None, base: str, following: Following, *, shows_all: bool
) -> dict[str, Any]:
    """Return what the page shows: users and affected users only, never numbers of syncs.

    Whoever knows his own share could subtract it from a total, and *all others* would show one user's loop.
    """
    months = [each["month"] for each in index["months"]]
    rows = found["rows"] if found else []
    return {
        "month": found["month"] if found else None,
        "published_at": found["published_at"] if found else None,
        "others": [each for each in months if not found or each != found["month"]],
        "roles": [group(rows, role, title, shows_all=shows_all) for role, title in ROLES] if found else [],
        "base": base,
        "next": following,
    }


def group(rows: Sequence[Row], role: str, title: str, *, shows_all: bool) -> dict[str, Any]:
    """Return the rows of a role: connectors by users, all others last."""
    of_role = [row for row in rows if row["role"] == role]
    named = [row for row in of_role if row["connector"] != OTHER]
    rest = [row for row in of_role if row["connector"] == OTHER]
    shown = named if shows_all else named[:SHOWN]
    return {
        "role": role,
        "title": title,
        "rows": [make_row(row, is_rest=row["connector"] == OTHER) for row in (*shown, *rest)],
        "of": len(named),
        "is_cut": len(shown) < len(named),
        "most": max((row["units"] for row in named), default=0),
    }


def make_row(row: Row, *, is_rest: bool) -> dict[str, Any]:
    """Return a row with its bars: the share of affected users, and what it may be more where it is "<5"."""
    hidden = row["affected_units"] == FEW
    units = row["units"]
    return {
        "connector": "all others" if is_rest else row["connector"],
        "is_rest": is_rest,
        "units": units,
        "affected": row["affected_units"] if hidden else formats.number(row["affected_units"]),
        "share": 0 if hidden or not units else row["affected_units"] / units,
        "more": MOST_HIDDEN / units if hidden and units else 0,
        "end": AFFECTED_END,
    }


def next_publication(now: dt.datetime) -> tuple[str, dt.date]:
    """Return the month that is published first, and the day on which it is."""
    following = (now.replace(day=1) + dt.timedelta(days=32)).replace(day=1).date()
    return f"{now:%Y-%m}", following + SETTLING
