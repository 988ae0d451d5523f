"""What an address under `/reports` answers: the page, its twin, or why not. All of it runs in
a thread of the pages' own."""

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog
from fastapi import Request, Response
from ulid import ULID

from app.pages import addresses, files, frame, pictures, site
from app.pages.addresses import LOW, TYPED, Query
from app.pages.directory import (
    BUILDERS,
    MOVED,
    Target,
    asks_for_file,
    find_near,
    resolve,
    unknown_connector,
)
from app.pages.kept import Page, Pages
from app.pages.views import live
from app.pages.views.common import View
from app.pages.views.connector import list_ways_out
from app.problems import Problem
from app.reports import registry
from app.reports.cache import Kept, Tables, read_key
from app.reports.model import Table
from app.reports.routes import refuse, write
from app.store.causes import answering
from app.store.connectors import Entry
from app.web import prefix

log = structlog.get_logger()

TITLES: Final[Mapping[str, str]] = {
    "unknown_connector": "No connector of that name",
    "unknown_page": "No such page",
    "database_unavailable": "The database cannot answer",
    "wrong_origin": "Sent from another site",
    "too_many_requests": "Too many tries",
    "internal": "Something broke here",
}
REFUSED: Final = "The address cannot be read"
SAFE: Final = "Events are safe: they wait in the spool."
AWAY: Final = f"The database cannot answer. {SAFE}"
STALE: Final = "The database cannot answer: these are the last good figures."
SPOOLING: Final = (
    "Events wait in the spool, because the database does not take them: the figures stand still."
)
# Of the command on the page without events: 64 hexadecimal digits that stand for nobody.
EXAMPLE_HASH: Final = hashlib.sha256(b"an example").hexdigest()
OF_NOW: Final = (
    "now",
    "session_id",
)  # of the frame: only the page without events, which is not kept, shows them
MANY, NEARLY_ALL = 8, 0.75  # connectors of enough users; share of them
ALWAYS_KNOWN: Final = ("unknown", "custom")
OWN: Final = {**dict.fromkeys(site.LISTS, (TYPED, LOW)), site.REGRESSIONS.key: (LOW,)}


def read(request: Request, target: Target) -> Query:
    """Return what an address asks for. Raises Problem 400."""
    if not target.page.report and request.query_params:
        raise Problem("unknown_parameter", "This page takes no parameters.")
    return addresses.read(
        registry.find(target.page.report or "home"),
        request.url.path.rstrip("/"),
        request.query_params.multi_items(),
        target.fixed,
        own=OWN.get(target.page.key, ()),
    )


def pick_shown(framed: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes a kept page another one when it changes."""
    return {name: value for name, value in framed.items() if name not in OF_NOW}


def is_flooded(ranked: Table | None) -> bool:
    """Return whether nearly all connectors of enough users are surges, as after an import: then none of the
    marks tells anything."""
    marks = [bool(row["surge"]) for row in ranked.rows if not row["low_data"]] if ranked else []
    return len(marks) >= MANY and sum(marks) > NEARLY_ALL * len(marks)


@dataclass(frozen=True, slots=True)
class Site:
    """What the pages are made from."""

    snapshot: live.Snapshot
    tables: Tables
    entries: Callable[[], Mapping[str, Entry]]
    is_spooling: Callable[[], bool]
    pages: Pages

    def answer(self, request: Request) -> Response:
        """Return the page of an address, for whoever is logged in."""
        path = request.url.path.rstrip("/")
        if moved := MOVED.get(path):
            query = f"?{request.url.query}" if request.url.query else ""
            return Response(status_code=303, headers={"location": f"{moved.path}{query}"})
        try:
            return self.show(request, resolve(path))
        except Problem as problem:
            return self.refuse(request, problem)
        except Exception:
            reference = str(ULID())
            log.exception("page_failed", reference=reference)
            fault = Problem("internal", "The fault is ours.")
            return self.refuse(request, fault, reference)

    def show(self, request: Request, target: Target) -> Response:
        """Return a page or a twin. Raises Problem."""
        if target.fixed and target.fixed["name"] not in (*self.entries(), *ALWAYS_KNOWN):
            raise unknown_connector()
        if target.form == "html" and target.page is not site.LIVE:
            return frame.respond(request, self.find(request, target))
        query = read(request, target)
        if target.page is site.LIVE:
            return self.show_live(request)
        if target.picture:
            return self.send_picture(request, query, target)
        found = self.tables.look(read_key(query.report.name, tuple(query.asked().items())))
        kept = found if isinstance(found, Kept) else found.result()
        return write(request, kept, target.form)

    def find(self, request: Request, target: Target) -> bytes:
        """Return a page, kept or new. Raises Problem."""
        address = str(request.url)
        kept = self.pages.find(address)
        if kept is not None and kept.frame == pick_shown(self.surround(request, target)):
            return kept.body
        view = View(self.tables, read(request, target))
        context = BUILDERS[target.page.key](view)
        framed = self.surround(
            request, target
        )  # anew: the tables may have said that the database is unavailable
        if context.get("is_empty"):
            return frame.render("empty.html", {**framed, **context})
        body = frame.render(f"{target.page.key}.html", {**framed, **context})
        self.pages.keep(address, Page(view.seen, pick_shown(framed), body))
        return body

    def surround(self, request: Request, target: Target) -> dict[str, Any]:
        """Return what a page shows beside its tables."""
        framed = self.dress({}, request, target.page)
        if target.page is site.CONNECTOR:
            framed["outside"] = list_ways_out(self.entries().get(target.fixed["name"]))
        return framed

    def send_picture(self, request: Request, query: Query, target: Target) -> Response:
        """Return a picture of a page as a file. Raises Problem 404, or 501 where PNG cannot be drawn."""
        drawn, title = pictures.draw(self.tables.find(query.report.name, **query.asked()), target.picture)
        body = files.to_svg(drawn, title)
        if target.form == "png":
            return frame.respond(request, files.to_png(body), media_type="image/png")
        # To be saved: an SVG file has its own style, which the policy of the pages forbids to a document.
        name = f"{query.fixed.get('name', query.report.name)}-{target.picture}.svg"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return frame.respond(request, body, media_type="image/svg+xml", headers=headers)

    def show_live(self, request: Request) -> Response:
        """Return the live view as a snapshot. Raises Problem 503 while the database cannot answer."""
        with answering(AWAY):
            context = live.build(self.snapshot)
        body = frame.render("live.html", self.dress(context, request, site.LIVE))
        return frame.respond(request, body, cached=frame.NEVER_KEPT)

    def dress(self, context: dict[str, Any], request: Request, page: site.Page) -> dict[str, Any]:
        """Return a context with what the frame shows."""
        now = dt.datetime.now(dt.UTC)
        under = prefix.of(request.scope)
        found = self.tables.peek("regressions", series="day")
        notices = [STALE] if self.tables.is_failing else []
        notices += [SPOOLING] if self.is_spooling() else []
        return {
            "page": page,
            "alarms": found.alarms if found else 0,
            "is_logged_in": True,
            "is_flooded": is_flooded(self.tables.peek("connectors", series="day")),
            "notices": notices,
            "as_of": None,
            "lag": "",
            "address": str(request.url.replace(path=under + request.url.path)),
            "base": str(request.base_url).rstrip("/") + under,
            "now": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "application_hash": EXAMPLE_HASH,
            "session_id": str(ULID.from_datetime(now)),
            **context,
        }

    def refuse(self, request: Request, problem: Problem, reference: str = "") -> Response:
        """Return a problem as a page; as problem JSON where a file was asked for."""
        if asks_for_file(request.url.path):
            return refuse(problem)
        if problem.status == 503:
            problem = Problem(problem.code, f"{SAFE} This page tries again in 5 s.")
        name = request.url.path.rstrip("/").rpartition("/")[2]
        context = {
            "problem": problem,
            "title": TITLES.get(problem.code, REFUSED),
            "reference": reference,
            "near": find_near(name, self.entries()) if problem.code == "unknown_connector" else [],
        }
        page = site.find_page(request.url.path)
        dressed = self.dress(context, request, page) | {"notices": []}
        return frame.respond_problem(request, problem, frame.render("problem.html", dressed))
