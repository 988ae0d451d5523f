"""The pages over HTTP: the login, and what stands under `/reports`."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import parse_qs, quote, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import Engine, text

from app.pages import frame, site
from app.pages.answers import Site
from app.pages.entrance import Entrance
from app.pages.kept import Pages
from app.pages.live.feed import Feed
from app.pages.session import check_origin, find_way_back, write_cookie
from app.pages.views.live import Snapshot
from app.problems import ASK_FOR_TOKEN, Problem
from app.reports.cache import Given, Tables
from app.reports.routes import refuse
from app.settings import LOOPBACK_HOSTS
from app.store.connectors import Entry

TOKEN: Final = "token"  # noqa: S105 -- the parameter's name
FORM_BYTES: Final = 8_192
FIELDS: Final = 8  # of a form; ours have two
THREADS: Final = 4  # pages are made in threads of their own, never on the event loop
METHODS: Final = ["GET", "HEAD"]


# The default views, in the order in which a reader opens them; regressions carry
# the number in the navigation.
DEFAULTS: Final[tuple[tuple[str, Given], ...]] = (
    ("home", ()),
    ("connectors", (("series", "day"),)),
    ("connectors", (("role", "destination"), ("series", "day"))),
    ("regressions", (("series", "day"),)),
    ("errors", (("series", "day"),)),
)


def keep_ahead(tables: Tables, engine: Engine) -> None:
    """Make the default views in the background once anything was counted: no figures, no work."""

    def is_needed() -> bool:
        with engine.connect() as connection:
            has_figures = connection.execute(text("SELECT 1 FROM unit_days LIMIT 1")).first() is not None
        if has_figures:
            frame.load_templates(report for report, _ in DEFAULTS)
        return has_figures

    tables.keep_ahead(DEFAULTS, is_needed)


def create_router(
    engine: Engine,
    tables: Tables,
    entrance: Entrance,
    entries: Callable[[], Mapping[str, Entry]],
    is_spooling: Callable[[], bool],
) -> APIRouter:
    """Return `/reports` and everything under it, for whom `entrance` lets in.

    `entries`: the known connectors and what a registry says of them; `is_spooling`: whether events wait.
    """
    pages = Site(Snapshot(engine), tables, entries, is_spooling, Pages(tables))
    feed = Feed(engine)
    pool = ThreadPoolExecutor(THREADS, "pages")
    router = APIRouter(include_in_schema=False)

    # One route: of several, only the first one's methods would be named to whoever uses another.
    @router.api_route("/reports/login", methods=[*METHODS, "POST"])
    async def login(request: Request) -> Response:
        if request.method != "POST":
            return show_login(request, None, status=200)
        return log_in(request, entrance, await read_form(request))

    router.add_api_route("/reports/logout", log_out, methods=["POST"])

    @router.get(f"{site.LIVE.path}/stream")
    async def get_stream(request: Request) -> Response:
        return stream(feed, entrance, request)

    @router.api_route("/reports", methods=METHODS)
    @router.api_route("/reports/{rest:path}", methods=METHODS)
    async def get_page(request: Request) -> Response:
        if TOKEN in request.query_params:
            return follow_link(request, entrance)
        if not entrance.lets_in(request):
            return show_login(request, None)
        return await asyncio.get_running_loop().run_in_executor(pool, pages.answer, request)

    return router


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a short form; nothing of one that is longer or has more of them."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > FORM_BYTES:
            return {}
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=FIELDS)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


def check(request: Request) -> None:
    """Raise Problem 403 for a form of another site."""
    headers = request.headers
    check_origin(headers.get("origin"), headers.get("host", ""), headers.get("sec-fetch-site"))


def log_in(request: Request, entrance: Entrance, form: dict[str, str]) -> Response:
    """Return the way to the page that was asked for, with the cookie; or the form again."""
    way = find_way_back(form.get("next", ""))
    try:
        check(request)
        reader = entrance.session.readers.require(form.get(TOKEN, ""), entrance.find_address(request))
    except Problem as problem:
        return show_login(request, problem, way=way)
    return go(way, entrance.session.make_cookie(reader, secure=is_secure(request)))


def stream(feed: Feed, entrance: Entrance, request: Request) -> Response:
    """Return the live stream for whoever is logged in; 503 beyond 20 listeners."""
    if not entrance.lets_in(request):
        return refuse(
            Problem("unauthorized", "Log in first: the stream is part of a page.", challenge=ASK_FOR_TOKEN)
        )
    try:
        queue = feed.join()
    except Problem as problem:
        return refuse(problem)
    headers = {**frame.SECURITY, "cache-control": frame.NEVER_KEPT, "x-accel-buffering": "no"}
    return StreamingResponse(feed.listen(queue), headers=headers, media_type="text/event-stream")


async def log_out(request: Request) -> Response:
    """Return the way to the login page, without the cookie."""
    try:
        check(request)
    except Problem as problem:
        return show_login(request, problem)
    cookie = write_cookie("", 0, secure=is_secure(request))
    return Response(status_code=303, headers={"location": "/reports/login", "set-cookie": cookie})


def follow_link(request: Request, entrance: Entrance) -> Response:
    """Return the way to the same address with the cookie, without the token: no history or log keeps it."""
    rest = [(name, text) for name, text in request.query_params.multi_items() if name != TOKEN]
    path = quote(request.scope["path"])
    way = f"{path}?{urlencode(rest)}" if rest else path
    try:
        reader = entrance.session.readers.require(request.query_params[TOKEN], entrance.find_address(request))
    except Problem as problem:
        return show_login(request, problem, way=find_way_back(way))
    return go(way, entrance.session.make_cookie(reader, secure=is_secure(request)))


def go(way: str, cookie: str) -> Response:
    """Return a redirection that logs in."""
    headers = {
        "location": way,
        "set-cookie": cookie,
        "cache-control": frame.NEVER_KEPT,
        "referrer-policy": "no-referrer",
    }
    return Response(status_code=303, headers=headers)


def show_login(request: Request, problem: Problem | None, way: str = "", status: int = 401) -> Response:
    """Return the login page: of the page that was asked for it tells the title, and nothing else."""
    asked = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
    target = way or find_way_back(asked)
    context = {"asked": site.find_page(target.partition("?")[0]), "next": target, "problem": problem}
    body = frame.render("login.html", context)
    if problem is not None:
        return frame.respond_problem(request, problem, body)
    return frame.respond(request, body, status=status, cached=frame.NEVER_KEPT)


def is_secure(request: Request) -> bool:
    """Return whether the cookie may go over TLS only: everywhere but on loopback."""
    return (request.url.hostname or "") not in LOOPBACK_HOSTS
