"""Shares of users by version and day: the newest darkest and at the bottom."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from app.pages.charts.drawing import draw_grid, draw_line, frame, write, write_days

LAYERS: Final = 4  # shades; further layers share the last
ROOM: Final = 0.09  # share at the right edge from which a name fits in


def area(
    series: Sequence[tuple[str, Sequence[float]]],
    days: Sequence[str],
    title: str,
    *,
    key: str = "adoption",
    height: int = 130,
) -> Markup:
    """Return layers of shares, each by day; together they are at most 1."""
    out = draw_grid([0, 50, 100], height, "{:g} %".format)
    base = [0.0] * len(days)
    names: list[str] = []  # above all layers: none covers another's name
    last = max(len(days) - 1, 1)
    for index, (name, values) in enumerate(series):
        top = [low + value for low, value in zip(base, values, strict=True)]
        edge = [(i / last * 100, height - value * height) for i, value in enumerate(top)]
        back = [(i / last * 100, height - value * height) for i, value in enumerate(base)][::-1]
        if len(days) == 1:  # one day is a band, not a point
            edge, back = [*edge, (100.0, edge[0][1])], [(100.0, back[0][1]), *back]
        shade = f"l{min(index, LAYERS)}"
        out.append(draw_line([*edge, *back], height, f"layer {shade}", shape="polygon"))
        if values and values[-1] > ROOM:
            middle = height - (base[-1] + values[-1] / 2) * height
            names.append(write(name, f"layer-name {shade} end", 100, middle + 4, -6))
        base = top
    out += names
    out += write_days(days, height + 16)
    said = ", ".join(f"{name} {values[-1]:.0%}" for name, values in series if values)
    return frame(out, height + 22, key, title, f"On the last day: {said}." if said else "No day.")
