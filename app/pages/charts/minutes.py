"""Events by minute and outcome, the newest at the right; the running minute is pale."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from app.pages.charts.drawing import Row, amount, draw_grid, draw_rect, find_ticks, frame, say_count, write

STACK: Final = (("rejected", "bar-ink"), ("duplicate", "canceled"), ("accepted", "succeeded"))


def minutes(rows: Sequence[Row], *, height: int = 110) -> Markup:
    """Return the picture; rows have `minute` (HH:MM, UTC) and the counts
    `accepted`, `duplicate`, `rejected`."""
    ticks = find_ticks(max((sum(amount(row, name) for name, _ in STACK) for row in rows), default=0), 2)
    slot = 100 / max(len(rows), 1)
    out = draw_grid(ticks, height, say_count)
    for index, row in enumerate(rows):
        out.append(draw_minute(row, index * slot, slot, height, ticks[-1], running=index == len(rows) - 1))
        if index in (0, len(rows) // 2):
            anchor = "start" if index == 0 else "middle"
            out.append(write(row["minute"], f"tick x {anchor}", index * slot, height + 16))
    out.append(write("now", "tick x end", 100, height + 16))
    total = sum(amount(row, name) for row in rows for name, _ in STACK)
    said = f"{len(rows)} minutes up to now: {total:,.0f} events."
    return frame(out, height + 22, "minutes", "Events by minute and outcome", said)


def draw_minute(row: Row, x: float, slot: float, height: int, top: float, *, running: bool) -> str:
    """Return one minute's stack."""
    tip = say(row)
    out = [draw_rect("hit", x, slot, 0, height)]
    base = float(height)
    for name, paint in STACK:
        tall = amount(row, name) / top * height
        if tall:
            base -= tall
            out.append(draw_rect(paint, x + slot * 0.12, slot * 0.76, base, max(tall - 1, 0.8)))
    kind = "slot partial" if running else "slot"
    return f'<g class="{kind}" data-tip="{tip}">{"".join(out)}<title>{tip}</title></g>'


def say(row: Row) -> str:
    """Return what is read out of a minute."""
    accepted, duplicate, refused = (
        f"{amount(row, name):,.0f}" for name in ("accepted", "duplicate", "rejected")
    )
    return f"{row['minute']} UTC: {accepted} accepted, {duplicate} duplicates, {refused} refused"
