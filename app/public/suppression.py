"""What may be said in public of a month: the rules of suppression, pure.

A row needs 10 users; counts are rounded to 5; of affected users 1 to 4 are "<5". Whoever is counted is a
settled user. Connectors of fewer users stand together under `other`, and so do further ones until nothing
about a single one follows from what is shown. There is no total: where `other` cannot be shown, nothing is
there to subtract the rest from. Source: `docs/metrics.md`, section 1, Suppression; the reasons in
`docs/decisions/0017-public-figures.md`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

MIN_UNITS: Final = 10
STEP: Final = 5
SLACK: Final = STEP // 2  # a rounded count is this far off at the most
MOST_HIDDEN: Final = MIN_UNITS - 1  # users of a connector that has too few


@dataclass(frozen=True, slots=True)
class Count:
    """What is known of a connector, or of several together: distinct settled users,
    and those who met a failure."""

    connector: str
    units: int
    affected_units: int


@dataclass(frozen=True, slots=True)
class Figure:
    """A row to publish; None is "<5"."""

    connector: str
    units: int
    affected_units: int | None


def suppress(counts: Iterable[Count], together: Callable[[Sequence[str]], Count]) -> list[Figure]:
    """Return the rows to publish, most users first, `other` last.

    `together` counts several connectors as one, each user once. The smallest connectors that could be shown
    join those that cannot until `other` is safe; if it never is, it is left out.
    """
    ordered = sorted(counts, key=lambda count: (count.units, count.connector))
    hidden = [count for count in ordered if count.units < MIN_UNITS]
    shown = ordered[len(hidden) :]
    other = None
    small = len(hidden)
    while hidden and other is None:
        candidate = together([count.connector for count in hidden])
        if is_safe(candidate, small, len(hidden) - small):
            other = candidate
        elif shown:
            hidden.append(shown.pop(0))
        else:
            break
    return [show(count) for count in reversed(shown)] + ([show_other(other)] if other else [])


def is_safe(other: Count, small: int, large: int) -> bool:
    """Return whether `other`, made of `small` connectors of fewer than 10 users and `large`
    ones, says nothing of a single one.

    Judged by what is published, so that whoever also knows which connectors these are learns no
    more: each of the small ones may have had any number of users from 1 to 9 and any number of
    affected ones that goes with it.
    """
    if other.units < MIN_UNITS or small + large < 2:
        return False
    # The others may have so many users that this one need not have more than one. That it has nine is always
    # possible: they may all be users of the others, too.
    return large > 0 or round_count(other.units) - SLACK <= MOST_HIDDEN * (small - 1)


def round_count(number: int) -> int:
    """Return a count rounded to the nearest multiple of 5."""
    return (number + SLACK) // STEP * STEP


def show(count: Count) -> Figure:
    """Return the row of one connector: no failure at all is said, one to four are "<5"."""
    affected = count.affected_units
    return Figure(
        count.connector, round_count(count.units), None if 0 < affected < STEP else round_count(affected)
    )


def show_other(count: Count) -> Figure:
    """Return the row of several connectors: that none of them failed would be known
    of each, so 0 is "<5", too."""
    affected = count.affected_units
    return Figure(
        count.connector, round_count(count.units), None if affected < STEP else round_count(affected)
    )
