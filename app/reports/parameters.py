"""What reports take: each parameter is one field of `Parameters`, and everything about it stands there.

From that field come its reader, its default, its place in the SQL, its option on the command line, its text
in OpenAPI and in the documents. `parsing` reads what was given.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from app.contract.spellings import parse_library_version

DAY: Final = dt.timedelta(days=1)
MAX_WINDOW: Final = 400  # days that the daily rollups are kept
MAX_LIMIT: Final = 10_000
EARLIEST: Final = dt.date(2023, 1, 1)  # an event's own bounds
LATEST: Final = dt.date(2099, 12, 31)
LANES: Final = {"rated": ("cache", "write"), "cache": ("cache",), "write": ("write",), "direct": ("direct",)}
TODAY: Final = "today"
YESTERDAY: Final = "yesterday"
ANY_ROLE: Final = "any"  # of reports in which no connector ranks
CONNECTOR: Final = re.compile(r"(source|destination)-[a-z0-9][a-z0-9-]{0,62}|unknown|custom")

KEY_NAME: Final = re.compile("[^\x00-\x1f\x7f]{1,100}")

# The value of a parameter's text, None for one that it does not take.
Read = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: what it takes, in words or as an enumeration, and what it stands at.

    `is_word`: the default is a word for "not given", which `read` does not take. `sql` is its name in the
    SQL, its own unless said otherwise, and `bind` gives the value there; `write` gives the value as it would
    be given again. `schema` is that of JSON.
    """

    name: str
    description: str
    allowed: str
    default: str
    read: Read
    choices: tuple[str, ...] = ()
    example: str = ""
    is_word: bool = False
    default_depends: bool = False  # on what else is given
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    sql: str = ""
    bind: Callable[[Any], object] = lambda value: value
    write: Callable[[Any], str | int | None] = lambda value: value


def parameter(description: str, allowed: str, default: str, read: Read, **further: Any) -> Any:
    """Return the field of a parameter; `further` are those of `Parameter`."""
    said = {"description": description, "allowed": allowed, "default": default, "read": read, **further}
    return field(metadata=said)


def choice(description: str, *choices: str, **further: Any) -> Any:
    """Return the field of a parameter that takes one of a few words, the first by default."""
    return parameter(
        description,
        f"one of {', '.join(choices)}",
        choices[0],
        lambda text: text if text in choices else None,
        choices=choices,
        **further,
    )


def matching(pattern: re.Pattern[str]) -> Read:
    """Return a reader of whatever a pattern takes."""
    return lambda text: text if pattern.fullmatch(text) else None


def day_of(moment: dt.datetime) -> dt.date:
    """Return the UTC day of a moment."""
    return moment.astimezone(dt.UTC).date()


def read_window(text: str) -> int | None:
    """Return `28d` as 28; None if it is no window."""
    days = int(text[:-1]) if re.fullmatch("[1-9][0-9]{0,2}d", text) else 0
    return days if 1 <= days <= MAX_WINDOW else None


def read_until(text: str) -> dt.date | None:
    """Return an ISO date within bounds, else None."""
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return day if EARLIEST <= day <= LATEST else None


def read_limit(text: str) -> int | None:
    """Return a number of rows, else None."""
    number = int(text) if re.fullmatch("[1-9][0-9]{0,4}", text) else 0
    return number if 1 <= number <= MAX_LIMIT else None


NAME: Final = "the name of a connector such as source-faker or destination-duckdb, or unknown, or custom"


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a report was asked for. The window is the `window` UTC days up to and including `until`.

    `named` are the parameters that the report takes; the others stand at their defaults. `ends_whole`: no
    last day was named, so that the window ends with yesterday once a whole day has figures.
    """

    named: tuple[str, ...]
    ends_whole: bool
    window: int = parameter(
        "How many UTC days, counted back from `until`. 28 days cancel the effects of weekdays.",
        f"a number of days from 1d to {MAX_WINDOW}d, such as 7d, 28d, 90d",
        "28d",
        read_window,
        write=lambda days: f"{days}d",
    )
    until: dt.date = parameter(  # noqa: RUF009 -- a field
        "The last UTC day of the window, included. While no whole day has figures, `yesterday` is today.",
        f"a date YYYY-MM-DD from {EARLIEST} to {LATEST}, or today, or yesterday",
        YESTERDAY,
        read_until,
        is_word=True,
        example="2026-11-23",
        write=dt.date.isoformat,
    )
    role: str = choice(
        "Which connector ranks: the one read from or the one written to.", "source", "destination"
    )
    lane: str = choice(
        "Syncs into a cache or a destination; `rated`: both. `direct` reads send no end: usage only, without "
        "rates.",
        *LANES,
        sql="lanes",
        bind=lambda lane: list(LANES[lane]),
    )
    ci: str = choice("Syncs that ran in continuous integration.", "exclude", "include", "only")
    prerelease: str = choice(
        "Syncs of development and pre-release versions of PyAirbyte; included where `version` names one.",
        "exclude",
        "include",
        "only",
        default_depends=True,
    )
    version: str | None = parameter(
        "Syncs of this version of PyAirbyte only.",
        "a version such as 0.71.3 or 1.0.0rc37, or all",
        "all",
        parse_library_version,
        is_word=True,
        example="0.71.3",
    )
    connector: str | None = parameter(
        "Syncs in which this connector took part, in either role.",
        f"{NAME}, or all",
        "all",
        matching(CONNECTOR),
        is_word=True,
        example="source-faker",
    )
    name: str | None = parameter(
        "The connector that the report is about.",
        NAME,
        "none",
        matching(CONNECTOR),
        is_word=True,
        example="source-faker",
    )
    scope: str = choice(
        "Versions of what: connectors, or PyAirbyte itself.", "all", "source", "destination", "pyairbyte"
    )
    users: str = choice(
        "All, or settled ones only, seen over seven days or more: ids cost nothing, a week does.",
        "all",
        "settled",
        sql="settled",
        bind=lambda users: users == "settled",
    )
    key: str | None = parameter(
        "Users who sent under this write key, by its name; a user of two keys counts under both.",
        "the name of a write key, as `keys list` has it, or all",
        "all",
        matching(KEY_NAME),
        is_word=True,
    )
    denied: str = choice("What came under ids of TELEMETRY_DENIED_IDS.", "exclude", "include")
    few: str = choice("New versions with fewer than 5 votes, versions of fewer than 5 users.", "hide", "show")
    series: str = choice("In JSON, beside the rows: what they were day by day.", "none", "day")
    # What it takes and stands at is the report's own: `parsing.of`.
    sort: str = parameter("What ranks first, the largest value on top.", "", "of the report", lambda _: None)
    limit: int = parameter(
        "How many rows, after ranking.",
        f"a number from 1 to {MAX_LIMIT}",
        str(MAX_LIMIT),
        read_limit,
        schema={"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
    )

    def end_with_data(self, first_day: dt.date | None, today: dt.date) -> "Parameters":
        """Return the same; ending with `today` if no day was named and none before it has figures.

        `first_day` is the first with figures, None if there are none.
        """
        is_new = first_day is None or first_day >= today
        return replace(self, until=today) if self.ends_whole and is_new else self

    @property
    def days(self) -> int:
        """Return how many days the window has."""
        return self.window

    @property
    def first_day(self) -> dt.date:
        """Return the first UTC day of the window."""
        return self.until - (self.days - 1) * DAY

    @property
    def prior_from(self) -> dt.date:
        """Return the first UTC day of the window before, which is as long."""
        return self.first_day - self.days * DAY

    @property
    def is_rated(self) -> bool:
        """Return whether rates can come of the lanes: `direct` reads practically never send an end."""
        return self.lane != "direct"

    def describe(self) -> dict[str, str | int | None]:
        """Return the parameters as they would be given again, for the report's own record."""
        values = {name: getattr(self, name) for name in self.named}
        return {
            name: None if value is None else PARAMETERS[name].write(value) for name, value in values.items()
        }

    def bind(self) -> dict[str, object]:
        """Return every parameter as the SQL takes it, by its name there."""
        return {each.sql or name: each.bind(getattr(self, name)) for name, each in PARAMETERS.items()}


PARAMETERS: Final[Mapping[str, Parameter]] = {
    each.name: Parameter(each.name, **each.metadata) for each in fields(Parameters) if each.metadata
}
