"""Pictures that stand beside a figure in a cell or under a key figure. All are
decoration: the figure says the same."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup, escape

from app.pages.charts.drawing import (
    HATCHED,
    decorate,
    draw_across,
    draw_dot,
    draw_line,
    draw_rect,
    draw_upright,
    percents,
    pixels,
    spread,
    write,
)

LEAST_SHARE: Final = 0.15  # per cent of the width, so that a refusal among thousands is seen
Series = Sequence[float | None]


def clip(value: float, top: float) -> float:
    """Return a value's place on an axis from 0 to `top`, in per cent, from 0 to 100."""
    return min(max(value / top if top else 0.0, 0.0), 1.0) * 100


def spark(
    values: Series, name: str = "ink", before: Series = (), height: int = 36, *, partial: bool = True
) -> Markup:
    """Return a line from zero with the window before behind it; the last value
    is dashed if it is `partial`."""
    top = max((value for value in (*values, *before) if value is not None), default=0.0)
    drawn = spread(values, height, top)
    out = [draw_line(spread(before, height, top), height, "line before")]
    if partial:
        out += [draw_line(drawn[:-1], height, f"line {name}")]
        out += [draw_line(drawn[-2:], height, f"line {name} partial")]
    else:
        out.append(draw_line(drawn, height, f"line {name}"))
    return decorate(out, "spark", height)


def interval(
    rate: float | None,
    low: float | None,
    high: float | None,
    top: float,
    reference: float | None = None,
    height: int = 20,
) -> Markup:
    """Return a rate as a dot on its interval, on an axis from 0 to `top`; beyond it
    an arrow stands at the end."""
    middle = height / 2
    out = [draw_across("track", middle)]
    if reference is not None:
        out.append(draw_upright("reference", clip(reference, top), 0, height))
    if rate is not None and low is not None and high is not None:
        left, right = clip(low, top), clip(high, top)
        band = draw_rect("band", left, right - left, middle - 3, 6)
        out.append(band.replace("/>", ' rx="3"/>'))
    if rate is not None and rate > top:
        out.append(write("▸", "beyond end", 100, middle + 4))
    elif rate is not None:
        out.append(draw_dot("fail", clip(rate, top), middle, 4))
    return decorate(out, "interval", height)


def dot(rate: float | None, top: float, reference: float | None, *, few: bool, height: int = 16) -> Markup:
    """Return a rate as a dot on a line from 0; hollow and pale where too few users stand behind it."""
    middle = height / 2
    out = [draw_across("track", middle)]
    if reference is not None:
        out.append(draw_upright("reference", clip(reference, top), -3, height + 3))
    if rate is not None:
        at = clip(rate, top)
        stem = "thin" if few else "stem"
        out.append(f'<line class="{stem}" x1="0" x2="{percents(at)}" y1="{middle:g}" y2="{middle:g}"/>')
        out.append(draw_dot("quiet" if few else "fail", at, middle, 3 if few else 4))
    return decorate(out, "interval", height)


def moved(now: float | None, before: float | None, top: float, height: int = 36) -> Markup:
    """Return a figure as a full dot and what it was as a hollow one, on an axis from 0 to `top`."""
    middle = height / 2
    out = [draw_across("track", middle)]
    if now is not None and before is not None:
        a, b = percents(clip(before, top)), percents(clip(now, top))
        out.append(f'<line class="stem" x1="{a}" x2="{b}" y1="{middle:g}" y2="{middle:g}"/>')
    if before is not None:
        out.append(draw_dot("quiet", clip(before, top), middle, 4))
    if now is not None:
        out.append(draw_dot("fail", clip(now, top), middle, 5))
    out += [write("0", "tick start", 0, height), write(f"{top:.0%}", "tick x end", 100, height)]
    return decorate(out, "interval", height)


def interval_axis(top: float, step: float) -> Markup:
    """Return the axis that a column of intervals shares, in per cent, from 0 to `top`."""
    out = []
    for index in range(int(top / step + 1e-9) + 1):
        value = index * step
        anchor = "start" if not index else "end" if value > top - step / 2 else "middle"
        out.append(write(f"{value * 100:g}", f"tick x {anchor}", clip(value, top), 10))
    return decorate(out, "interval", 14)


def bar(
    value: float | None,
    top: float | None,
    name: str = "bar-ink",
    height: int = 10,
    more: float = 0,
    behind: float = 0,
) -> Markup:
    """Return one bar of a column that ends at `top`.

    `more` continues it hatched: what may belong to it. `behind` it, pale, stands what it is a part of.
    """
    wide = clip(value or 0, top or 0)
    if value:
        wide = max(wide, 0.4)
    out = [draw_rect("canceled", 0, clip(behind, top or 0), 1, height - 2)] if behind else []
    out.append(draw_rect(name, 0, wide, 1, height - 2))
    if more:
        out.append(
            draw_rect("abandoned", wide, min(clip(more, top or 0), 100 - wide), 1, height - 2, HATCHED)
        )
    return decorate(out, "bar", height)


def share(parts: Sequence[tuple[str, str, float]], height: int = 26) -> Markup:
    """Return the parts of a whole in one bar; `parts` are (class, label, amount)."""
    total = sum(number for _, _, number in parts)
    said = escape(", ".join(f"{label} {number:,.0f}" for _, label, number in parts))
    at, out = 0.0, []
    for name, label, number in parts:
        wide = number / total * 100 if total else 0.0
        tip = f"{escape(label)}: {number:,.0f} ({wide:.2f} %)"
        drawn = max(wide, LEAST_SHARE) if number else 0.0
        rect = draw_rect(name, min(at, 100 - drawn), drawn, 0, height)
        out.append(rect.replace("/>", f"><title>{tip}</title></rect>"))
        at += wide
    return Markup(
        f'<svg class="share" width="100%" height="{pixels(height)}" role="img" '
        f'aria-label="{said}">{"".join(out)}</svg>'
    )
