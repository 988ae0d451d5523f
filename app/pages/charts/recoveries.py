"""What became of users who met a failure: one line a connector, a dot for those who got over
it, one for those who left."""

from collections.abc import Callable, Sequence
from typing import Final

from markupsafe import Markup, escape

from app.pages.charts.drawing import (
    Row,
    draw_across,
    draw_dot,
    draw_rect,
    draw_upright,
    frame,
    write,
)

LINE: Final = 34  # pixels of a connector: its name above, its dots below
SHARES: Final = (0, 25, 50, 75, 100)


def recoveries(
    rows: Sequence[Row], say: Callable[[Row], str], title: str, *, key: str = "recoveries"
) -> Markup:
    """Return the picture; rows have `connector`, `recovered_share` and `lost_share`,
    `say` gives a line's sentence."""
    height = LINE * len(rows)
    out = [draw_upright("axis" if not share else "grid", share, 0, height) for share in SHARES]
    for index, row in enumerate(rows):
        out.append(draw_recovery(row, escape(say(row)), index * LINE))
    for share in SHARES:
        anchor = "start" if not share else "end" if share == SHARES[-1] else "middle"
        out.append(write(f"{share} %", f"tick x {anchor}", share, height + 16))
    return frame(out, height + 22, key, title, ". ".join(say(row) for row in rows) or "No connector.")


def draw_recovery(row: Row, tip: str, y: float) -> str:
    """Return one connector's line."""
    middle = y + LINE - 10
    out = [
        draw_rect("hit", 0, 100, y, LINE),
        write(row["connector"], "line-name start", 0, y + 13, 6),
        draw_across("track", middle),
    ]
    if row["recovered_share"] is not None:
        out.append(draw_dot("good", row["recovered_share"] * 100, middle, 5))
    if row["lost_share"] is not None:
        out.append(draw_dot("fail", row["lost_share"] * 100, middle, 5))
    return f'<g class="slot" data-tip="{tip}">{"".join(out)}<title>{tip}</title></g>'
