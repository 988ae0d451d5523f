"""The sentences of `home`: what today adds, and where two figures disagree."""

from collections.abc import Iterable, Mapping

from app.reports.model import NOTE, Counts, Row
from app.reports.parameters import Parameters


def write_notes(now: Row, before: Row, today: Iterable[Counts], parameters: Parameters) -> Iterable[Row]:
    """Return what today adds to a window that ends before it, and where two figures disagree."""
    for count in today:
        if count["today"] > parameters.until:
            syncs, failed = count["attempts"], count["failed"]
            yield {
                "section": NOTE,
                "item": "today so far",
                **{name: int(count[name]) for name in ("units", "attempts", "failed")},
                "text": f"Today so far: {syncs:,} syncs, {failed:,} failed (`--until today` includes them).",
            }
    sentence = disagree(now, before)
    if sentence:
        yield {"section": NOTE, "item": "disagreement", "text": sentence}


def disagree(now: Mapping[str, object], before: Mapping[str, object]) -> str:
    """Return a sentence where the share of failed syncs and the failure that users meet
    moved in opposite directions."""
    named = [row.get(name) for name in ("failure_rate", "capped_rate") for row in (now, before)]
    values = [value for value in named if isinstance(value, int | float)]
    if len(values) < len(named):
        return ""
    share, share_before, met, met_before = values
    if (share - share_before) * (met - met_before) >= 0:
        return ""
    first, second = ("fell", "rose") if share < share_before else ("rose", "fell")
    return (
        f"The share of syncs that failed {first} while the failure that users meet {second}: a few "
        f"users with very many "
        "syncs move the first, and cannot move the second."
    )
