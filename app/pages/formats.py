"""How figures are written for people: one place for thousands, per cent, ranges, changes, days and times."""

import datetime as dt
import re
from typing import Any, Final

from markupsafe import Markup

from app.pages.charts.evidence import SUPERSCRIPT
from app.reports.durations import format_duration

NONE: Final = "–"  # noqa: RUF001 -- an en dash stands for no value, and between the ends of a range
MINUS: Final = "−"  # noqa: RUF001 -- a true minus
NO_BREAK: Final = "\u00a0"
POWER_FROM: Final = 1_000
HALF: Final = 0.5
CAPITALS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def number(value: float | None, decimals: int = 0) -> str:
    """Return a count or an amount with thousands commas; a dash for none."""
    return NONE if value is None else f"{value:,.{decimals}f}"


def percent(value: float | None, decimals: int = 1) -> str:
    """Return a fraction in per cent: 39.5 %."""
    return NONE if value is None else f"{value * 100:.{decimals}f}{NO_BREAK}%"


def span(low: float | None, high: float | None) -> str:
    """Return a range of fractions in per cent: 39.5-42.1 %; one figure where both ends look the same."""
    if low is None:
        return percent(high)
    first, last = percent(low), percent(high)
    return first if high is None or first == last else f"{low * 100:.1f}{NONE}{last}"


def points(value: float | None) -> str:
    """Return a change of a fraction in percentage points, with its sign: +7.8."""
    if value is None:
        return NONE
    said = f"{abs(value) * 100:.1f}"
    return f"{'+' if value >= 0 else MINUS}{said}" if float(said) else said


def duration(seconds: float | None) -> str:
    """Return how long something takes: 0.4 s, 45 s, 12 min, 2.5 h."""
    return NONE if seconds is None else format_duration(seconds).replace(" ", NO_BREAK)


def change(now: float | None, before: float | None) -> str:
    """Return a count's change in words: ↑ 22 % from 2,392."""
    if before is None:
        return "no figure before"
    if now is None or not before:
        return f"from {number(before)}"
    moved = (now - before) / before
    if abs(moved) * 100 < HALF:
        return f"as before, {number(before)}"
    return f"{'↑' if moved > 0 else '↓'} {percent(abs(moved), 0)} from {number(before)}"


def power(value: float | None) -> str:
    """Return E: two digits and a power of ten from 1,000 on: 1.8 x 10⁵."""
    if value is None:
        return NONE
    if value < POWER_FROM:
        return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
    digits, _, exponent = f"{value:.1e}".partition("e")
    return f"{digits}{NO_BREAK}×{NO_BREAK}10{str(int(exponent)).translate(SUPERSCRIPT)}"  # noqa: RUF001


def day(value: str | dt.date | None, *, year: bool = False) -> str:
    """Return an ISO day as 3 Nov, or 3 Nov 2026."""
    if not value:
        return NONE
    date = dt.date.fromisoformat(str(value)[:10])
    return f"{date.day} {date:%b %Y}" if year else f"{date.day} {date:%b}"


def month(value: str) -> str:
    """Return a month such as 2026-10 in words."""
    return f"{dt.date.fromisoformat(f'{value}-01'):%B %Y}"


def clock(moment: dt.datetime) -> str:
    """Return a time of day in UTC: 09:45 UTC."""
    return f"{moment.astimezone(dt.UTC):%H:%M} UTC"


def age(seconds: float) -> str:
    """Return a duration in words: 45 seconds, 4 minutes, 3 hours."""
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            whole = round(seconds / size)
            return f"{whole} {name}{'' if whole == 1 else 's'}"
    whole = max(round(seconds), 1)
    return f"{whole} second{'' if whole == 1 else 's'}"


def count(value: int, one: str, many: str = "") -> str:
    """Return a number with its noun: 1 regression, 2 regressions."""
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def called(connector: str | None) -> str:
    """Return a connector's name as people say it."""
    return {"pyairbyte": "PyAirbyte", None: "not reported", "": "not reported"}.get(
        connector, connector or ""
    )


def breakable(name: str | None) -> Markup:
    """Return a name that may be broken before its capitals: AirbyteConnectorReadError, DuckDBCache."""
    return Markup("<wbr>").join(CAPITALS.split(name or ""))  # joining escapes the parts


FILTERS: Final[dict[str, Any]] = {
    "number": number,
    "percent": percent,
    "points": points,
    "power": power,
    "day": day,
    "month": month,
    "clock": clock,
    "duration": duration,
    "age": age,
    "called": called,
    "breakable": breakable,
}
