"""From an address under `/reports` to the page, the twin or the picture that stands there."""

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from app.pages import site
from app.pages.site import Page
from app.pages.views import (
    connector,
    connectors,
    home,
    quality,
    recovery,
    regressions,
    tables,
    trend,
)
from app.pages.views.common import Context, View
from app.problems import Problem
from app.reports.parameters import CONNECTOR as CONNECTOR_NAME

Build = Callable[[View], Context]
TWINS: Final = re.compile(r"(?P<path>.*)\.(?P<form>json|csv|parquet)")
PICTURE: Final = re.compile(r"(?P<path>.*)/(?P<picture>[a-z]+)\.(?P<form>svg|png)")
BUILDERS: Final[Mapping[str, Build]] = {
    "home": home.build,
    "connectors": connectors.build,
    "connector": connector.build,
    "regressions": regressions.build,
    "errors": tables.build_errors,
    "trend": trend.build,
    "recovery": recovery.build,
    "versions": tables.build_versions,
    "funnel": tables.build_funnel,
    "pairs": tables.build_pairs,
    "platforms": tables.build_platforms,
    "data-quality": quality.build,
    "meaning": lambda _view: quality.explain(),
}
# Reports whose figures stand on the page of another: their twins and pictures have the report's name.
MOVED: Final[Mapping[str, Page]] = {f"{site.BASE}/home": site.OVERVIEW, f"{site.BASE}/caches": site.PAIRS}
NOT_IN_NAMES: Final = re.compile("[^a-z0-9]+")
ROLES: Final = ("source-", "destination-")
NEAR: Final = 5  # names that are offered
LEAST_ASKED, MOST_ASKED = 3, 80  # characters that are looked for in names; that are compared with them


@dataclass(frozen=True, slots=True)
class Target:
    """What an address names: a page, with a form if it is the page's twin or one of its pictures."""

    page: Page
    fixed: Mapping[str, str] = field(default_factory=dict)
    form: str = "html"
    picture: str = ""


def resolve(path: str) -> Target:
    """Return what stands at a path under `/reports`, without its slash at the end. Raises Problem 404."""
    form, picture = "html", ""
    if found := PICTURE.fullmatch(path):
        path, picture, form = found["path"], found["picture"], found["form"]
    elif found := TWINS.fullmatch(path):
        path, form = found["path"], found["form"]
    if path == f"{site.BASE}/home" and form != "html":
        return Target(site.OVERVIEW, form=form, picture=picture)
    if path == f"{site.BASE}/caches" and form != "html":
        return Target(site.CACHES, form=form, picture=picture)
    for page in (*site.PAGES, site.MEANING):
        if page.path == path and (page.report or form == "html"):
            return Target(page, form=form, picture=picture)
    name = path.removeprefix(f"{site.CONNECTORS.path}/")
    if name != path and CONNECTOR_NAME.fullmatch(name):
        return Target(site.CONNECTOR, {"name": name}, form, picture)
    raise unknown_page() if name == path else unknown_connector()


def asks_for_file(path: str) -> bool:
    """Return whether an address is that of a twin or a picture, if of any."""
    return bool(PICTURE.fullmatch(path) or TWINS.fullmatch(path))


def find_near(asked: str, names: Collection[str]) -> list[str]:
    """Return the names of connectors that are close to one that was asked for, however it is spelled, the
    closest first: `Salesforce`, `source_salesforce` and `sorce-salesforce` are close to source-salesforce.
    """
    name = NOT_IN_NAMES.sub("-", asked[:MOST_ASKED].lower()).strip("-")
    in_full = [name] if name.startswith(ROLES) else [f"{role}{name}" for role in ROLES]
    whole = [each for each in (name, *in_full) if each in names]
    close = difflib.get_close_matches(in_full[0], names, NEAR)
    holding = sorted(each for each in names if len(name) >= LEAST_ASKED and name in each)
    return list(dict.fromkeys([*whole, *close, *holding]))[:NEAR]


def unknown_page() -> Problem:
    """Return the problem of an address where nothing stands."""
    return Problem("unknown_page", "There is no page at this address.")


def unknown_connector() -> Problem:
    """Return the problem of a connector that no registry has."""
    return Problem(
        "unknown_connector",
        "The address names a connector that is not in the registry, so nothing was ever counted under it. "
        "Names look like source-faker.",
    )
