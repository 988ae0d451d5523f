"""One parser for what a report takes, on the command line and in a URL alike.

Its refusals name the parameter and what it takes, never what was given.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from app.contract.words import parse_library_version
from app.problems import Problem
from app.reports.model import Report

DAY: Final = dt.timedelta(days=1)
MAX_WINDOW: Final = 400  # days that the daily rollups are kept
MAX_LIMIT: Final = 10_000
EARLIEST: Final = dt.date(2023, 1, 1)  # an event's own bounds
LATEST: Final = dt.date(2099, 12, 31)
RATED: Final = "rated"
LANES: Final = {RATED: ("cache", "write"), "cache": ("cache",), "write": ("write",), "direct": ("direct",)}
ANY_ROLE: Final = "any"  # of reports in which no connector ranks

TODAY: Final = "today"
RESTS: Final = (
    "until",
    "version",
    "connector",
)  # their defaults are words for "not given", which no reader takes
CONNECTOR: Final = re.compile(r"(source|destination)-[a-z0-9][a-z0-9-]{0,62}|unknown|custom")


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a report was asked for. The window is the `days` UTC days up to and including `until`.

    `ends_whole`: no last day was named, so that the window ends with yesterday once a whole day has figures. `named` are the parameters that the report takes; the others stand at their defaults.
    """

    named: tuple[str, ...]
    days: int
    until: dt.date
    ends_whole: bool
    role: str
    lane: str
    ci: str
    prerelease: str
    version: str | None
    connector: str | None
    name: str | None
    scope: str
    users: str
    denied: str
    few: str
    series: str
    sort: str
    limit: int

    def end_with_data(self, first_day: dt.date | None, today: dt.date) -> "Parameters":
        """Return the same; ending with `today` if no day was named and none before it has figures, which begin with `first_day`."""
        is_new = first_day is None or first_day >= today
        return replace(self, until=today) if self.ends_whole and is_new else self

    @property
    def first_day(self) -> dt.date:
        """The first UTC day of the window."""
        return self.until - (self.days - 1) * DAY

    @property
    def prior_from(self) -> dt.date:
        """The first UTC day of the window before, which is as long."""
        return self.first_day - self.days * DAY

    @property
    def is_rated(self) -> bool:
        """Whether rates can come of the lanes: `direct` reads practically never send an end."""
        return self.lane != "direct"

    def describe(self) -> dict[str, str | int | None]:
        """The parameters as they would be given again, for the report's own record."""
        given: dict[str, str | int | None] = {
            "window": f"{self.days}d",
            "until": self.until.isoformat(),
            **{name: getattr(self, name) for name in PARAMETERS if name not in ("window", "until")},
        }
        return {name: given[name] for name in self.named}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: what it takes, in words or as an enumeration, and what it stands at."""

    name: str
    description: str
    allowed: str
    default: str
    choices: tuple[str, ...] = ()


def choice(name: str, description: str, *choices: str) -> Parameter:
    """A parameter that takes one of a few words, the first by default."""
    return Parameter(name, description, f"one of {', '.join(choices)}", choices[0], choices)


PARAMETERS: Final[Mapping[str, Parameter]] = {
    parameter.name: parameter
    for parameter in (
        Parameter(
            "window",
            "How many UTC days, counted back from `until`. 28 days cancel the effects of weekdays.",
            f"a number of days from 1d to {MAX_WINDOW}d, such as 7d, 28d, 90d",
            "28d",
        ),
        Parameter(
            "until",
            "The last UTC day of the window, included. While no whole day has figures, `yesterday` is today.",
            f"a date YYYY-MM-DD from {EARLIEST} to {LATEST}, or today, or yesterday",
            "yesterday",
        ),
        choice(
            "role", "Which connector ranks: the one read from or the one written to.", "source", "destination"
        ),
        choice(
            "lane",
            "Syncs into a cache, or into a destination; `rated` is both. `direct` reads send no end: usage only, "
            "without rates.",
            *LANES,
        ),
        choice("ci", "Syncs that ran in continuous integration.", "exclude", "include", "only"),
        choice(
            "prerelease",
            "Syncs of development and pre-release versions of PyAirbyte; included where `version` names one.",
            "exclude",
            "include",
            "only",
        ),
        Parameter(
            "version",
            "Syncs of this version of PyAirbyte only.",
            "a version such as 0.71.3 or 1.0.0rc37, or all",
            "all",
        ),
        Parameter(
            "connector",
            "Syncs in which this connector took part, in either role.",
            "the name of a connector such as source-faker or destination-duckdb, or unknown, or custom, or all",
            "all",
        ),
        Parameter(
            "name",
            "The connector that the report is about.",
            "the name of a connector such as source-faker or destination-duckdb, or unknown, or custom",
            "none",
        ),
        choice(
            "scope",
            "Versions of what: connectors, or PyAirbyte itself.",
            "all",
            "source",
            "destination",
            "pyairbyte",
        ),
        choice(
            "users",
            "All, or settled ones only: of whom something arrived over seven days or more. Ids cost nothing; a week does.",
            "all",
            "settled",
        ),
        choice("denied", "What came under ids of TELEMETRY_DENIED_IDS.", "exclude", "include"),
        choice(
            "few", "New versions with fewer than 5 votes, versions of fewer than 5 users.", "hide", "show"
        ),
        choice("series", "In JSON, beside the rows: what they were day by day.", "none", "day"),
        Parameter("sort", "What ranks first, the largest value on top.", "", "of the report"),
        Parameter(
            "limit", "How many rows, after ranking.", f"a number from 1 to {MAX_LIMIT}", str(MAX_LIMIT)
        ),
    )
}


def allowed(report: Report, name: str) -> str:
    """What a parameter of a report takes, in words."""
    return f"one of {', '.join(report.sorts)}" if name == "sort" else PARAMETERS[name].allowed


def refuse(report: Report, name: str) -> Problem:
    """The problem of a bad value."""
    return Problem(400, "invalid_parameter", f"The parameter {name} takes {allowed(report, name)}.")


def default_of(report: Report, name: str) -> str:
    """Return what a parameter stands at in a report, as one would give it."""
    default = report.default_sort if name == "sort" else PARAMETERS[name].default
    return report.defaults.get(name, default)


def is_at_rest(report: Report, name: str, text: str) -> bool:
    """Whether giving this says no more than not giving it: `until=yesterday`, or what the report does not take."""
    return name not in report.parameters or (name in RESTS and text == PARAMETERS[name].default)


def parse(report: Report, given: Iterable[tuple[str, str]], now: dt.datetime) -> Parameters:
    """Read the given names and values; what is missing stands at its default, `until` at the UTC day
    before that of `now`.

    A parameter at its default is taken by every report, whether it has that parameter or not: clients that are generated
    from the OpenAPI document send defaults.

    Raises Problem 400: `unknown_parameter`, `repeated_parameter`, `invalid_parameter`, `missing_parameter`, with what is
    allowed.
    """
    texts: dict[str, str] = {}
    for name, text in given:
        if name not in report.parameters and not (name in PARAMETERS and text == default_of(report, name)):
            raise Problem(
                400, "unknown_parameter", f"This report takes the parameters {', '.join(report.parameters)}."
            )
        if name in texts:
            raise Problem(400, "repeated_parameter", f"The parameter {name} was given more than once.")
        texts[name] = text
    texts = {name: text for name, text in texts.items() if not is_at_rest(report, name, text)}
    if texts.get("until") == TODAY:
        texts["until"] = day_of(now).isoformat()
    for name in report.required:
        if name not in texts:
            raise Problem(
                400,
                "missing_parameter",
                f"This report needs the parameter {name}: {allowed(report, name)}.",
            )
    values = dict(defaults(report, now, texts))
    for name, text in texts.items():
        values[name] = read(report, name, text)
    values["days"] = values.pop("window")
    values["ends_whole"] = "until" not in texts
    return Parameters(named=report.parameters, **values)


def read(report: Report, name: str, text: str) -> Any:
    """The value of a parameter. Raises Problem 400 for one that it does not take."""
    value = READERS[name](text, report)
    if value is None:
        raise refuse(report, name)
    return value


def defaults(report: Report, now: dt.datetime, given: Mapping[str, str]) -> Iterable[tuple[str, Any]]:
    """Every parameter at rest. Naming a version asks for it, pre-release or not."""
    for name, parameter in PARAMETERS.items():
        yield name, parameter.default
    yield "window", 28
    yield "until", day_of(now) - DAY
    yield from (("version", None), ("connector", None), ("name", None))
    yield "sort", report.default_sort
    yield "limit", MAX_LIMIT
    if "role" not in report.parameters:
        yield "role", ANY_ROLE
    if given.get("name", "").startswith("destination-"):
        yield "role", "destination"
    for name, text in report.defaults.items():
        yield name, read(report, name, text)
    if "version" in given:
        yield "prerelease", "include"


def day_of(moment: dt.datetime) -> dt.date:
    """Return the UTC day of a moment."""
    return moment.astimezone(dt.UTC).date()


def read_window(text: str, _: Report) -> int | None:
    """`28d` as 28, None if it is no window."""
    days = int(text[:-1]) if re.fullmatch("[1-9][0-9]{0,2}d", text) else 0
    return days if 1 <= days <= MAX_WINDOW else None


def read_until(text: str, _: Report) -> dt.date | None:
    """An ISO date within bounds, else None."""
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return day if EARLIEST <= day <= LATEST else None


def read_matching(pattern: re.Pattern[str]) -> Callable[[str, Report], str | None]:
    """A reader of whatever a pattern takes."""
    return lambda text, _: text if pattern.fullmatch(text) else None


def read_sort(text: str, report: Report) -> str | None:
    """A sort that the report has, else None."""
    return text if text in report.sorts else None


def read_limit(text: str, _: Report) -> int | None:
    """A number of rows, else None."""
    number = int(text) if re.fullmatch("[1-9][0-9]{0,4}", text) else 0
    return number if 1 <= number <= MAX_LIMIT else None


def read_choice(name: str) -> Callable[[str, Report], str | None]:
    """A reader of an enumerated parameter."""
    return lambda text, _: text if text in PARAMETERS[name].choices else None


READERS: Final[Mapping[str, Callable[[str, Report], Any]]] = {
    "window": read_window,
    "until": read_until,
    "version": lambda text, _: parse_library_version(text),
    "connector": read_matching(CONNECTOR),
    "name": read_matching(CONNECTOR),
    "sort": read_sort,
    "limit": read_limit,
    **{name: read_choice(name) for name, parameter in PARAMETERS.items() if parameter.choices},
}
