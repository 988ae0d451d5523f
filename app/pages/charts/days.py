"""Syncs by day and outcome: stacked bars, failures on the base line so that they compare,
and the rate of seven days."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Final

from markupsafe import Markup, escape

from app.pages.charts.drawing import (
    HATCHED,
    Row,
    amount,
    draw_dot,
    draw_grid,
    draw_line,
    draw_rect,
    find_ticks,
    frame,
    pixels,
    say_count,
    write,
    write_days,
)

OUTCOMES: Final = ("failed", "abandoned", "canceled", "succeeded")  # from the base line up, always
GAP: Final = 1.0  # pixels between segments: they must not rely on colour
LEAST: Final = 0.8  # pixels of a segment, so that one failure among thousands is seen
MOST_BARS: Final = 100
WEEK, SATURDAY = 7, 5
RATE_HEIGHT: Final = 70
RATE_HEAD: Final = 22


def days(
    rows: Sequence[Row],
    say: Callable[[Row], str],
    title: str,
    *,
    key: str = "days",
    height: int = 150,
    rate: str | None = None,
    today: str = "",
) -> Markup:
    """Return the picture of days; `rows` have `item` (ISO day) and the outcomes,
    `rate` names a column drawn below.

    `say` gives the sentence of one bar. Of more than 100 days every bar is a week.
    """
    rows = join_weeks(rows) if len(rows) > MOST_BARS else rows
    if not rows:
        return frame([*draw_grid([0, 1], height, say_count)], height + 22, key, title, "No day.")
    ticks = find_ticks(max(sum(amount(row, name) for name in OUTCOMES) for row in rows), 3)
    slot = 100 / len(rows)
    out = [*tint_weekends(rows, slot, height), *draw_grid(ticks, height, say_count)]
    out += [draw_day(row, say(row), index * slot, slot, height, ticks[-1]) for index, row in enumerate(rows)]
    out += write_days([str(row["item"]) for row in rows], height + 16, today)
    total = height + 22.0
    if rate is not None:
        out += draw_rate(rows, rate, total + RATE_HEAD, today)
        total += RATE_HEAD + RATE_HEIGHT + 6
    return frame(out, total, key, title, say_all(rows))


def draw_day(row: Row, said: str, x: float, slot: float, height: int, top: float) -> str:
    """Return one bar with what is read out of it. The top of each segment stands at its cumulative amount."""
    out = [draw_rect("hit", x, slot, 0, height)]
    base = float(height)
    for name in OUTCOMES:
        tall = amount(row, name) / top * height
        if tall:
            base -= tall
            paint = HATCHED if name == "abandoned" else ""
            out.append(draw_rect(name, x + slot * 0.14, slot * 0.72, base, max(tall - GAP, LEAST), paint))
    tip = escape(said)
    return f'<g class="slot" data-tip="{tip}">{"".join(out)}<title>{tip}</title></g>'


def tint_weekends(rows: Sequence[Row], slot: float, height: int) -> list[str]:
    """Return a tint behind Saturdays and Sundays, which explain most dips; none behind weeks."""
    if "weeks" in rows[0]:
        return []
    dates = [dt.date.fromisoformat(str(row["item"])) for row in rows]
    free = [index for index, day in enumerate(dates) if day.weekday() >= SATURDAY]
    starts = [index for index in free if index - 1 not in free]
    ends = [index + 1 for index in free if index + 1 not in free]
    return [
        draw_rect("weekend", start * slot, (end - start) * slot, 0, height)
        for start, end in zip(starts, ends, strict=True)
    ]


def draw_rate(rows: Sequence[Row], name: str, y: float, today: str) -> list[str]:
    """Return the second panel: a rate as a line, on the same days and an axis of
    its own; `today` is dashed."""
    slot = 100 / len(rows)
    known = [(index, float(row[name]) * 100) for index, row in enumerate(rows) if row.get(name) is not None]
    ticks = find_ticks(max((value for _, value in known), default=0), 3)
    points = [((i + 0.5) * slot, RATE_HEIGHT - value / ticks[-1] * RATE_HEIGHT) for i, value in known]
    is_partial = bool(known) and rows[known[-1][0]]["item"] == today
    whole = points[:-1] if is_partial else points
    out = [
        f'<text class="tick lead" x="0" y="{pixels(y - 8)}">Failure rate over 7 days, %</text>',
        *draw_grid(ticks, RATE_HEIGHT, "{:g}".format, y),
        draw_line(whole, RATE_HEIGHT, "line fail", y),
        draw_line(points[-2:], RATE_HEIGHT, "line fail partial", y) if is_partial else "",
    ]
    if points:
        last = max(len(whole) - 1, 0)
        x, at = points[last]
        out += [
            draw_dot("fail", x, y + at, 3),
            write(f"{known[last][1]:.1f}", "value end", x, y + at - 8, -7 if last else 30),
        ]
    return out


def join_weeks(rows: Sequence[Row]) -> list[Row]:
    """Return the days added up in sevens that end with the last one; each stands under its first day."""
    start = len(rows) % WEEK
    parts = ([rows[:start]] if start else []) + [rows[i : i + WEEK] for i in range(start, len(rows), WEEK)]
    return [
        {**part[-1], **{name: sum(amount(row, name) for row in part) for name in (*OUTCOMES, "attempts")}}
        | {"item": part[0]["item"], "weeks": True}
        for part in parts
    ]


def say_all(rows: Sequence[Row]) -> str:
    """Return the finding in figures."""
    worst = max(rows, key=lambda row: amount(row, "failed"))
    total = sum(amount(row, name) for row in rows for name in OUTCOMES)
    failed = sum(amount(row, "failed") for row in rows)
    return (
        f"From {rows[0]['item']} to {rows[-1]['item']}: {total:,.0f} syncs, {failed:,.0f} failed. "
        f"Most failures on {worst['item']}: {amount(worst, 'failed'):,.0f}."
    )
