"""E, the evidence against a version, by day: stepped, on a logarithmic axis, with the
line from which it is watched."""

import datetime as dt
import math
from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from app.pages.charts.drawing import draw_across, draw_dot, draw_line, draw_rect, frame, write, write_tick

WATCH: Final = 20.0
LOW: Final = 0.1
SUPERSCRIPT: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MOST_LINES: Final = 6


def evidence(
    course: Sequence[tuple[str, float]], label: str, *, key: str = "evidence", height: int = 120
) -> Markup:
    """Return the picture; `course` holds ISO days and E after each, `label` names what it is held against."""
    if not course:
        return frame(
            [draw_across("axis", height)], height + 22, key, f"Evidence against {label}", "No vote yet."
        )
    high = max(1e3, 10.0 ** math.ceil(math.log10(max(value for _, value in course))))
    dates = [dt.date.fromisoformat(day) for day, _ in course]
    span = max((dates[-1] - dates[0]).days, 1)

    def y(value: float) -> float:
        return height - math.log10(max(value, LOW) / LOW) / math.log10(high / LOW) * height

    points = [
        ((day - dates[0]).days / span * 100, y(value)) for day, (_, value) in zip(dates, course, strict=True)
    ]
    out = [draw_rect("watch", 0, 100, 0, y(WATCH))]
    powers = math.ceil(math.log10(high))
    for power in range(0, powers + 1, max(2, math.ceil(powers / MOST_LINES))):
        out += [draw_across("grid", y(10.0**power)), write_tick(raise_ten(power), y(10.0**power))]
    out += [draw_across("threshold", y(WATCH)), write("20: watch", "tick start", 0, y(WATCH) - 5, 4)]
    out += [draw_line(step(points), height, "line fail"), draw_dot("fail", *points[-1], 3.5)]
    first, last = (f"{day.day} {day:%b}" for day in (dates[0], dates[-1]))
    out += [write(first, "tick x start", 0, height + 16), write(last, "tick x end", 100, height + 16)]
    said = f"E went from {course[0][1]:.2g} on {first} to {course[-1][1]:.3g} on {last}."
    return frame(out, height + 22, key, f"Evidence against {label} by day", said)


def step(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points of a line that stays until the next one: evidence changes when a vote is settled."""
    out: list[tuple[float, float]] = []
    for x, y in points:
        if out:
            out.append((x, out[-1][1]))
        out.append((x, y))
    return out


def raise_ten(power: int) -> str:
    """Return a power of ten as it is written."""
    return "1" if power == 0 else f"10{str(power).translate(SUPERSCRIPT)}"
