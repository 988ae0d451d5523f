"""What the pictures share. The technique: no viewBox, x in per cent of the
container, y in pixels, paint by class.

So text keeps its size at every width, and light, dark, print and forced colours come from the
style sheet. Lines and areas, which take no per cents, lie in a nested `<svg>` that is stretched,
with strokes that do not scale.
"""

import datetime as dt
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup, escape

Row = Mapping[str, Any]
Points = Sequence[tuple[float, float]]  # x in per cent, y in pixels

HATCH_ID: Final = (
    "hatch"  # the pattern of what may have failed; the page's frame and every file define it once
)
HATCH: Final = (
    f'<pattern id="{HATCH_ID}" width="4" height="4" patternUnits="userSpaceOnUse" '
    f'patternTransform="rotate(45)">'
    '<rect class="hatch-ground" width="4" height="4"/><rect class="hatch-line" width="1.6" '
    'height="4"/></pattern>'
)
HATCHED: Final = f'fill="url(#{HATCH_ID})"'
NOTHING: Final = 1e-9  # what is smaller is drawn as 0
STEPS: Final = (1, 2, 2.5, 5, 10)


def percents(value: float) -> str:
    """Return a share of the width, as SVG writes it."""
    return f"{value:.2f}".rstrip("0").rstrip(".") + "%"


def pixels(value: float) -> str:
    """Return a length in pixels, to a tenth."""
    return f"{value:.1f}".rstrip("0").rstrip(".")


def amount(row: Row, name: str) -> float:
    """Return a count of a row; no value counts as 0."""
    return float(row.get(name) or 0)


def say_count(value: float) -> str:
    """Return a count as an axis says it, in five characters at most: 7,500, 25k, 1.5M."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if value >= size * (1 if letter == "M" else 10):
            return f"{value / size:,.10g}{letter}"
    return f"{value:,.10g}"


def find_ticks(top: float, steps: int = 4) -> list[float]:
    """Return round values from 0 up to at least `top`, about `steps` apart; whole ones for counts above 1."""
    if top < NOTHING:
        return [0.0, 1.0]
    raw = top / steps
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * each for each in STEPS if unit * each >= raw * (1 - 1e-9))
    return [step * index for index in range(math.ceil(top / step - 1e-9) + 1)]


def frame(body: Iterable[str], height: float, key: str, title: str, description: str) -> Markup:
    """Return a picture with its name and finding for those who do not see it;
    `key` is its own on the page."""
    name = escape(key)
    return Markup(
        f'<svg class="chart {name}" width="100%" height="{pixels(height)}" role="img" '
        f'aria-labelledby="{name}-t {name}-d"><title id="{name}-t">{escape(title)}</title>'
        f'<desc id="{name}-d">{escape(description)}</desc>{"".join(body)}</svg>'
    )


def decorate(body: Iterable[str], kind: str, height: float) -> Markup:
    """Return a picture beside a figure that says the same: hidden from those who are read to."""
    return Markup(
        f'<svg class="{kind}" width="100%" height="{pixels(height)}" aria-hidden="true" focusable="false">'
        f"{''.join(body)}</svg>"
    )


def draw_line(points: Points, height: float, name: str, y: float = 0, shape: str = "polyline") -> str:
    """Return a line, or a `polygon`, of class `name` through the points, `y` pixels further down."""
    if not points:
        return ""
    path = " ".join(f"{pixels(x)},{pixels(at)}" for x, at in points)
    return (
        f'<svg x="0" y="{pixels(y)}" width="100%" height="{pixels(height)}" viewBox="0 0 100 '
        f'{pixels(height)}" '
        f'preserveAspectRatio="none" class="stretch"><{shape} class="{name}" points="{path}"/></svg>'
    )


def draw_rect(name: str, x: float, width: float, y: float, height: float, paint: str = "") -> str:
    """Return a rectangle; `paint` is a further attribute."""
    further = f" {paint}" if paint else ""
    return (
        f'<rect class="{name}"{further} x="{percents(x)}" width="{percents(width)}" '
        f'y="{pixels(y)}" height="{pixels(height)}"/>'
    )


def draw_across(name: str, y: float) -> str:
    """Return a line from edge to edge."""
    return f'<line class="{name}" x1="0" x2="100%" y1="{pixels(y)}" y2="{pixels(y)}"/>'


def draw_upright(name: str, x: float, top: float, bottom: float) -> str:
    """Return an upright line."""
    at = percents(x)
    return f'<line class="{name}" x1="{at}" x2="{at}" y1="{pixels(top)}" y2="{pixels(bottom)}"/>'


def draw_dot(name: str, x: float, y: float, radius: float) -> str:
    """Return a dot."""
    return f'<circle class="dot {name}" cx="{percents(x)}" cy="{pixels(y)}" r="{pixels(radius)}"/>'


def write(text: object, name: str, x: float, y: float, shift: float = 0) -> str:
    """Return a text; `shift` moves it by pixels."""
    moved = f' dx="{pixels(shift)}"' if shift else ""
    return f'<text class="{name}" x="{percents(x)}"{moved} y="{pixels(y)}">{escape(text)}</text>'


def write_tick(text: object, y: float) -> str:
    """Return a label in the gutter at the left."""
    return f'<text class="tick y" x="-8" y="{pixels(y + 4)}">{escape(text)}</text>'


def draw_grid(ticks: Sequence[float], height: float, say: Callable[[float], str], y: float = 0) -> list[str]:
    """Return the lines and labels of an axis from 0 at the bottom to the last tick at the top."""
    out = []
    for value in ticks:
        at = y + height - value / ticks[-1] * height
        out += [draw_across("grid" if value else "axis", at), write_tick(say(value), at)]
    return out


# Of so many days at most, every how manieth has a label.
LABELLED: Final = ((8, 1), (15, 2), (35, 7), (60, 14), (math.inf, 28))
FEW_DAYS: Final = 8  # whose bars are as wide as their labels


def write_days(days: Sequence[str], y: float, today: str = "") -> list[str]:
    """Return labels of ISO days: each of a week, every 7th of a month (14th, 28th of more), every second
    of them only where there is room. The last one of many ends with the picture."""
    step = next((step for most, step in LABELLED if len(days) <= most), LABELLED[-1][1])
    out = []
    for index in range(len(days) - 1, -1, -step):
        day = dt.date.fromisoformat(days[index])
        is_last = index == len(days) - 1 and len(days) > FEW_DAYS
        hidden = " wide" if (len(days) - 1 - index) // step % 2 else ""
        mark = '<tspan class="wide"> (today)</tspan>' if days[index] == today else ""
        anchor, x = ("end", 100.0) if is_last else ("middle", (index + 0.5) * 100 / len(days))
        out.append(
            f'<text class="tick x {anchor}{hidden}" x="{percents(x)}" y="{pixels(y)}">'
            f"{day.day} {day:%b}{mark}</text>"
        )
    return out


def spread(values: Sequence[float | None], height: float, top: float) -> list[tuple[float, float]]:
    """Return the points of a series over the whole width, from 0 at the bottom
    to `top`; gaps are left out."""
    last = max(len(values) - 1, 1)
    return [
        (index / last * 100, 2 + (1 - value / (top or 1)) * (height - 4))
        for index, value in enumerate(values)
        if value is not None
    ]
