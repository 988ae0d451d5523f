"""Users by capped rate, both logarithmic, one dot a connector: the further up and
right, the more there is to mend.

Burden = users x capped rate, so lines of equal burden are straight and exact.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

from app.pages.charts.drawing import Row, draw_across, percents, pixels, write, write_tick

LOW, HIGH = 0.005, 0.8  # the axis of rates; smaller ones lie on the lower edge
FEWEST: Final = 9.0  # users at the left edge: rows have 10 or more
RATES: Final = (
    (0.005, "0.5"),
    (0.01, "1"),
    (0.02, "2"),
    (0.05, "5"),
    (0.1, "10"),
    (0.2, "20"),
    (0.5, "50 %"),
)
BURDENS: Final = (1, 3, 10, 30, 100, 300, 1000)
NAMED_WIDE, NAMED_NARROW, FILLED = 16, 6, 10  # how many of largest burden get a name, and a full dot
SHIFTS: Final = {"right": (0, -5, 5), "left": (0, -5, 5), "above": (-15,), "below": (16,)}
ANCHORS: Final = {"right": ("start", 9), "left": ("end", -9), "above": ("middle", 0), "below": ("start", -6)}
MOST_USERS_LABELS: Final = tuple(factor * 10**power for power in range(1, 8) for factor in (1, 2, 5))


@dataclass(frozen=True, slots=True)
class Plane:
    """The two axes: `right` is the number of users at the right edge, `height` is in pixels."""

    right: float
    height: int

    def x(self, units: float) -> float:
        """Return the place of a number of users, in per cent."""
        return math.log(units / FEWEST) / math.log(self.right / FEWEST) * 100

    def y(self, rate: float) -> float:
        """Return the place of a capped rate, in pixels."""
        held = min(max(rate, LOW), HIGH)
        return self.height - math.log(held / LOW) / math.log(HIGH / LOW) * self.height


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a label may stand: from `start` to `end` in per cent, at `y` pixels."""

    start: float
    end: float
    y: float

    def meets(self, other: "Spot") -> bool:
        """Return whether two labels would cover each other."""
        return self.end >= other.start and self.start <= other.end and abs(self.y - other.y) <= 12


def scatter(
    rows: Sequence[Row], href: Callable[[Row], str], say: Callable[[Row], str], *, height: int = 300
) -> Markup:
    """Return the picture of connectors with 10 users or more, the largest burden first; every dot is a link.

    `href` gives a dot's address, `say` its whole sentence.
    """
    plane = Plane(max((float(row["units"]) for row in rows), default=FEWEST * 2) * 1.25, height)
    dots = [draw_link(row, plane, href(row), say(row), full=index < FILLED) for index, row in enumerate(rows)]
    labels = [*name(rows[:NAMED_WIDE], plane, 0.75, "wide"), *name(rows[:NAMED_NARROW], plane, 2.3, "narrow")]
    body = "".join([*draw_axes(plane), *draw_burdens(plane), *dots, *labels])
    return Markup(
        f'<svg class="chart scatter" width="100%" height="{height + 40}" role="group" '
        f'aria-labelledby="map-t">'
        f'<title id="map-t">Users by capped rate, one dot a connector</title>{body}</svg>'
    )


def draw_axes(plane: Plane) -> list[str]:
    """Return grid and labels."""
    out = []
    for rate, said in RATES:
        out += [draw_across("grid", plane.y(rate)), write_tick(said, plane.y(rate))]
    shown = [users for users in MOST_USERS_LABELS if FEWEST < users < plane.right]
    for index, users in enumerate(shown):
        crowded = " wide" if len(shown) > 6 and index % 2 else ""
        out.append(write(f"{users:,}", f"tick x middle{crowded}", plane.x(users), plane.height + 18))
    return [*out, write("users (log)", "tick x end", 100, plane.height + 34)]


def draw_burdens(plane: Plane) -> list[str]:
    """Return the lines of equal burden that cross the picture, each with its number at its upper end."""
    out = []
    for burden in BURDENS:
        a, b = max(FEWEST, burden / HIGH), min(plane.right, burden / LOW)
        if a >= b:
            continue
        ends = [(plane.x(each), plane.y(burden / each)) for each in (a, b)]
        (x1, y1), (x2, y2) = ends
        out.append(
            f'<line class="iso" x1="{percents(x1)}" x2="{percents(x2)}" y1="{pixels(y1)}" y2="{pixels(y2)}"/>'
        )
        said = f"burden {burden}" if burden == 1 else f"{burden:,}"
        out.append(write(said, "tick iso-label start", x1, max(y1, 0) + (-5 if a == FEWEST else 6), 6))
    return out


def draw_link(row: Row, plane: Plane, href: str, said: str, *, full: bool) -> str:
    """Return one dot as a link with its whole sentence."""
    x, y = plane.x(float(row["units"])), plane.y(float(row["capped_rate"] or 0))
    tip = escape(said)
    kind = "fail" if full else "quiet"
    return (
        f'<a href="{escape(href)}" class="slot" data-tip="{tip}" aria-label="{tip}"><circle class="dot '
        f'{kind}" '
        f'cx="{percents(x)}" cy="{pixels(y)}" r="{5 if full else 3.5}"/><title>{tip}</title></a>'
    )


def name(rows: Sequence[Row], plane: Plane, letter: float, kind: str) -> list[str]:
    """Return names beside their dots where there is room; `letter` is a letter's width in per cent."""
    places = [(plane.x(float(row["units"])), plane.y(float(row["capped_rate"] or 0))) for row in rows]
    taken = [Spot(x - letter, x + letter, y + 4) for x, y in places]
    out: list[str] = []
    for index, (row, (x, y)) in enumerate(zip(rows, places, strict=True)):
        short = str(row["connector"]).removeprefix("source-").removeprefix("destination-")
        found = place(x, y, (len(short) + 2) * letter, [*taken[:index], *taken[index + 1 :]])
        if found is None:
            continue
        side, spot = found
        taken.append(spot)
        anchor, dx = ANCHORS[side]
        quiet = "" if index < FILLED else " quiet"
        out.append(
            f'<text class="name {kind} {anchor}{quiet}" x="{percents(x)}" dx="{dx}" y="{pixels(spot.y + 4)}" '
            f'aria-hidden="true">{escape(short)}</text>'
        )
    return out


def place(x: float, y: float, wide: float, taken: Sequence[Spot]) -> tuple[str, Spot] | None:
    """Return a free spot for a label beside a dot; None where it would cover another or leave the picture."""
    ends = {
        "right": (x + 1, x + 1 + wide),
        "left": (x - 1 - wide, x - 1),
        "above": (x - wide / 2, x + wide / 2),
        "below": (x - 1, x - 1 + wide),
    }
    for side, (start, end) in ends.items():
        for shift in SHIFTS[side]:
            spot = Spot(start, end, y + shift)
            if start >= -1 and end <= 100 and not any(spot.meets(other) for other in taken):
                return side, spot
    return None
