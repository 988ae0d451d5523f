"""Which pages there are, where each stands, and what it answers."""

from dataclasses import dataclass
from typing import Final

BASE: Final = "/reports"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the staff's: `report` is its JSON twin."""

    key: str
    path: str
    label: str
    report: str
    answers: str


OVERVIEW: Final = Page("home", BASE, "Overview", "home", "What to fix first in PyAirbyte's connectors.")
CONNECTORS: Final = Page(
    "connectors",
    f"{BASE}/connectors",
    "Connectors",
    "connectors",
    "All connectors, by users' worth of failure.",
)
CONNECTOR: Final = Page(
    "connector",
    f"{BASE}/connectors",
    "One connector",
    "connector",
    "Why a connector fails, since when, for whom.",
)
REGRESSIONS: Final = Page(
    "regressions", f"{BASE}/regressions", "Regressions", "regressions", "Which releases made it worse."
)
ERRORS: Final = Page("errors", f"{BASE}/errors", "Errors", "errors", "Which exceptions end syncs, and where.")
TREND: Final = Page(
    "trend", f"{BASE}/trend", "Trend", "trend", "What gets worse week by week, and what a fix did."
)
RECOVERY: Final = Page(
    "recovery", f"{BASE}/recovery", "Recovery", "recovery", "Whether users get over a failure, or leave."
)
VERSIONS: Final = Page(
    "versions", f"{BASE}/versions", "Versions", "versions", "Adoption and failures of each version."
)
FUNNEL: Final = Page(
    "funnel", f"{BASE}/funnel", "Funnel", "funnel", "Where users are lost before their first sync."
)
PAIRS: Final = Page(
    "pairs", f"{BASE}/pairs", "Pairs and caches", "pairs", "Which connectors fail only in company."
)
CACHES: Final = Page(
    "caches", f"{BASE}/caches", "Caches", "caches", "Usage and failures of each type of cache."
)
PLATFORMS: Final = Page(
    "platforms", f"{BASE}/platforms", "Platforms", "platforms", "Python, systems, executors, notebooks."
)
QUALITY: Final = Page(
    "data-quality",
    f"{BASE}/data-quality",
    "Data quality",
    "data-quality",
    "Whether the figures can be believed.",
)
LIVE: Final = Page("live", f"{BASE}/live", "Live", "", "Whether data is coming in, as it comes in.")
PUBLIC: Final = Page("public", "/public", "Public figures", "", "What is published of each month.")
MEANING: Final = Page(
    "meaning", f"{BASE}/meaning", "What the figures mean", "", "Every term, and how it is counted."
)

NAVIGATION: Final = (
    ("What to fix", (OVERVIEW, CONNECTORS, REGRESSIONS, ERRORS, TREND)),
    ("Understand", (VERSIONS, FUNNEL, RECOVERY, PAIRS, PLATFORMS)),
    ("Trust", (QUALITY, LIVE, PUBLIC)),
)
PAGES: Final = tuple(page for _, pages in NAVIGATION for page in pages)

# Pages that list connectors: they can be filtered by name, and leave out those of few users until asked for.
LISTS: Final = frozenset({CONNECTORS.key, TREND.key, RECOVERY.key})

PATHS: Final = frozenset(
    {f"{BASE}/home", *(page.path for page in (*PAGES, CACHES, MEANING) if page.path.startswith(BASE))}
)


def find_page(path: str) -> Page:
    """Return the page of an address, for those who may only know its title."""
    best = OVERVIEW
    for page in (*PAGES, MEANING):
        if path == page.path or path.startswith(f"{page.path}/"):
            best = page if len(page.path) >= len(best.path) else best
    return best
