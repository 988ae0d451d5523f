"""An address holds all state of a page: the report's parameters by their own names, and
the two that only pages have."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from app.problems import Problem
from app.reports.model import Report
from app.reports.parameters import PARAMETERS
from app.reports.parsing import parse

# What only pages take. Lists of connectors: filter by name, show those of few users, too; regressions: show
# those with not enough data.
TYPED, LOW, SHOW = "q", "low", "show"
NAME_SORT: Final = "name"
MOST_TYPED: Final = 80  # characters of a filter

ROLES: Final = {"source": "sources", "destination": "destinations"}
WINDOWS: Final = {"7d": "7 days", "28d": "28 days", "90d": "90 days", "365d": "365 days"}
# Windows of reports that the usual ones do not suit: whole weeks, and no further than sessions are stored.
WINDOWS_OF: Final[Mapping[str, Mapping[str, str]]] = {
    "trend": {"28d": "4 weeks", "56d": "8 weeks", "91d": "13 weeks", "182d": "26 weeks", "364d": "52 weeks"},
    "recovery": {"7d": "7 days", "28d": "28 days", "90d": "90 days"},
}
LANES: Final = {"rated": "cache or destination", "cache": "a cache", "write": "a destination"}
CI: Final = {"exclude": "left out", "include": "included", "only": "only CI"}
FILTERS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "role": ("Role", ROLES),
    "window": ("Window", WINDOWS),
    "lane": ("Into", LANES),
    "ci": ("CI", CI),
}
MORE: Final = ("until", "prerelease", "version", "connector", "users", "key", "denied")


@dataclass(frozen=True, slots=True)
class Query:
    """What a page was asked for. `given` holds what is not at its default,
    `own` the page's two parameters."""

    report: Report
    path: str
    given: Mapping[str, str]
    defaults: Mapping[str, str]
    own: Mapping[str, str]
    fixed: Mapping[str, str]  # what the path says, such as the connector's name

    def value(self, name: str) -> str:
        """Return a parameter in force."""
        return self.given.get(name, self.defaults.get(name, ""))

    def options(self, name: str) -> Mapping[str, str]:
        """Return what a filter offers, as values and what is said of them."""
        return WINDOWS_OF.get(self.report.name, WINDOWS) if name == "window" else FILTERS[name][1]

    def widest(self) -> tuple[str, str]:
        """Return the longest window that the page offers, and what is said of it."""
        return list(self.options("window").items())[-1]

    def link(self, path: str | None = None, suffix: str = "", **changes: str) -> str:
        """Return an address with some parameters changed; what stands at its default is left out of it."""
        merged = {**self.given, **self.own, **changes}
        kept = {name: text for name, text in merged.items() if text and text != self.defaults.get(name)}
        target = f"{self.path if path is None else path}{suffix}"
        return f"{target}?{urlencode(sorted(kept.items()))}" if kept else target

    def carry(self, path: str, report: Report, **changes: str) -> str:
        """Return the address of another page with those filters that its report has, too."""
        kept = {
            name: text for name, text in self.given.items() if name in report.parameters and name != "sort"
        }
        if kept.get("window") not in WINDOWS_OF.get(report.name, kept.values()):
            kept.pop("window", None)
        kept |= {name: text for name, text in changes.items() if text}
        return f"{path}?{urlencode(sorted(kept.items()))}" if kept else path

    def asked(self, report: Report | None = None) -> dict[str, str]:
        """Return what is given to a report: those of the parameters that it has."""
        taken = (report or self.report).parameters
        merged = {**self.given, **self.fixed}
        return {name: text for name, text in merged.items() if name in taken and not self.is_own(name, text)}

    def is_own(self, name: str, text: str) -> bool:
        """Return whether the page itself does what is asked for: sorting by name."""
        return name == "sort" and text == NAME_SORT and NAME_SORT not in self.report.sorts


def read(
    report: Report,
    path: str,
    items: Iterable[tuple[str, str]],
    fixed: Mapping[str, str],
    own: Collection[str] = (),
) -> Query:
    """Return the query of an address, of a page with `own` parameters.

    Raises Problem 400 for what neither the page nor the report takes; never repeats it.
    """
    now = dt.datetime.now(dt.UTC)
    mine: dict[str, str] = {}
    theirs: list[tuple[str, str]] = []
    for name, text in items:
        if name in own:
            if name == LOW and text not in ("", SHOW):
                raise Problem("invalid_parameter", f"The parameter {LOW} takes {SHOW}.")
            mine[name] = text[:MOST_TYPED]
        elif text or name not in PARAMETERS:  # a form sends what was left empty
            theirs.append((name, text))
    rest = [item for item in theirs if not (TYPED in own and item == ("sort", NAME_SORT))]
    if any(name in fixed for name, _ in rest):
        raise Problem("invalid_parameter", "The address names the connector already.")
    parse(report, [*rest, *fixed.items()], now)
    described = parse(report, [*fixed.items()], now).describe()
    defaults = {
        name: str(value) for name, value in described.items() if value is not None and name not in fixed
    }
    given = {name: text for name, text in theirs if text != defaults.get(name)}
    return Query(report, path, given, defaults, mine, fixed)
