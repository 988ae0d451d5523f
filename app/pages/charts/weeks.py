"""One amount by week: bars of one colour, the newest at the right."""

import datetime as dt
import math
from collections.abc import Callable, Sequence
from typing import Final

from markupsafe import Markup, escape

from app.pages.charts.drawing import (
    Row,
    amount,
    decorate,
    draw_grid,
    draw_rect,
    find_ticks,
    frame,
    say_count,
    write,
)

LEAST: Final = 1.0  # pixels of a bar that is not 0
NARROW: Final = 0.72  # of a week's place that its bar takes
MOST_LABELS: Final = 8


def weeks(
    rows: Sequence[Row],
    name: str,
    say: Callable[[Row], str],
    title: str,
    *,
    key: str = "weeks",
    height: int = 130,
) -> Markup:
    """Return the picture; rows have `week` (ISO day) and the amount `name`, `say`
    gives the sentence of one bar."""
    ticks = find_ticks(max((amount(row, name) for row in rows), default=0), 3)
    out = draw_grid(ticks, height, say_count)
    slot = 100 / max(len(rows), 1)
    for index, row in enumerate(rows):
        tip = escape(say(row))
        bar = draw_bar(amount(row, name), ticks[-1], index * slot, slot, height, "bar-ink")
        hit = draw_rect("hit", index * slot, slot, 0, height)
        out.append(f'<g class="slot" data-tip="{tip}">{hit}{bar}<title>{tip}</title></g>')
    out += label([str(row["week"]) for row in rows], height + 16)
    return frame(out, height + 22, key, title, say(rows[-1]) if rows else "No week.")


def label(weeks: Sequence[str], y: float) -> list[str]:
    """Return the first days of weeks under their bars, of eight at most; every second
    one only where there is room."""
    step = math.ceil(len(weeks) / MOST_LABELS) or 1
    out = []
    for index in range(len(weeks) - 1, -1, -step):
        day = dt.date.fromisoformat(weeks[index])
        hidden = " wide" if (len(weeks) - 1 - index) // step % 2 else ""
        out.append(
            write(f"{day.day} {day:%b}", f"tick x middle{hidden}", (index + 0.5) * 100 / len(weeks), y)
        )
    return out


def draw_bar(value: float, top: float, x: float, slot: float, height: float, paint: str) -> str:
    """Return the bar of one week."""
    tall = max(value / top * height, LEAST) if value and top else 0.0
    gap = slot * (1 - NARROW) / 2
    return draw_rect(paint, x + gap, slot * NARROW, height - tall, tall)


def steps(rows: Sequence[Row], name: str, height: int = 22) -> Markup:
    """Return an amount by week as small bars on an axis of their own; weeks with `low_data` are pale."""
    top = max((amount(row, name) for row in rows), default=0)
    slot = 100 / max(len(rows), 1)
    out = [
        draw_bar(
            amount(row, name), top, index * slot, slot, height, "canceled" if row["low_data"] else "bar-ink"
        )
        for index, row in enumerate(rows)
    ]
    return decorate(out, "steps", height)
