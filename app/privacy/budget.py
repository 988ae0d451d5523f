"""How many new words strangers may bring a day: the decision, pure. What is spent is the caller's to know.

A version is a word that no list closes. Each new one is a row for good as long as anything refers to it, a
line in reports, and a few letters of somebody's choice. So only so many come in; beyond that a version is
stored as `other`. A combination of known words (`app/privacy/wording.py`) is a row, too, which every
report joins: its share is larger, since an honest fleet brings hundreds a day, and beyond it a combination is
stored coarser.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

PYAIRBYTE: Final = "pyairbyte"  # the subject of its own versions; any other but these three is a connector
ROUTE: Final = "route"
ENVIRONMENT: Final = "environment"
PAIR: Final = "pair"
VERSION: Final = "version"  # the kind of all other subjects
A_SUBJECT: Final = 5  # new words a day and write key: two keys cannot starve each other
A_SENDER: Final = 2
A_DAY: Final = 4_000
A_WRITE_KEY: Final = A_DAY // 4
# New combinations a day and write key: three times what 20,000 users of the demo bring on their first day,
# 985 routes, 491 environments, 692 pairs; later days bring a quarter. Pairs are asked for beyond the
# routes' share only.
COMBINATIONS: Final = {ROUTE: 3_000, ENVIRONMENT: 1_500, PAIR: 2_000}
A_SENDER_COMBINES: Final = 100  # nobody of those users brought more than 12: the bound of a program in a loop
# Months of history come in a day, under a key that may import: ten times as many, counted apart.
HISTORY: Final = 10
NOBODY: Final = 0  # the slot of senders without an id


Purse = tuple[str, int, bool]


class Word(NamedTuple):
    """A version, and of what; or a combination of words, as 64 bits in hexadecimal digits."""

    subject: str
    word: str


class Wish(NamedTuple):
    """A new word that an event came with: under which write key, and the slot of its sender
    (0: nobody who can be recognised; negative: of history)."""

    word: Word
    write_key: int
    slot: int

    @property
    def purse(self) -> Purse:
        """What has a share of its own: the subject under the write key, history apart."""
        return self.word.subject, self.write_key, self.slot < 0


@dataclass(slots=True)
class Spent:
    """What was brought on a day, under each write key: by subject, by sender's slot, and altogether."""

    purses: Counter[Purse] = field(default_factory=Counter)
    slots: Counter[tuple[str, int, int]] = field(default_factory=Counter)
    versions: Counter[int] = field(default_factory=Counter)

    def add(self, purse: Purse, slot: int | None, number: int = 1) -> None:
        """Count words that came in; without a slot if nobody asks whose they were."""
        subject, write_key, _ = purse
        self.purses[purse] += number
        if slot is not None:
            self.slots[kind_of(subject), slot, write_key] += number
        if subject not in COMBINATIONS:
            self.versions[write_key] += number

    def allows(self, wish: Wish) -> bool:
        """Return whether the budget has room for one more word."""
        subject, write_key, _ = wish.purse
        by_sender = self.slots[kind_of(subject), wish.slot, write_key]
        if subject not in COMBINATIONS:
            return by_sender < A_SENDER and not self.is_gone(wish)
        # Those without an id are many, and an id costs a stranger nothing.
        is_nobody = wish.slot in (NOBODY, of_history(NOBODY))
        return (is_nobody or by_sender < A_SENDER_COMBINES * days(wish)) and not self.is_gone(wish)

    def is_gone(self, wish: Wish) -> bool:
        """Return whether nothing is left of such words under this write key, whoever sends them, until
        the day is over."""
        subject, write_key, _ = wish.purse
        if subject in COMBINATIONS:
            return self.purses[wish.purse] >= COMBINATIONS[subject] * days(wish)
        return (
            self.purses[wish.purse] >= A_SUBJECT
            or self.versions[write_key] >= A_WRITE_KEY
            or self.versions.total() >= A_DAY
        )


def kind_of(subject: str) -> str:
    """Return of which kind a subject's words are: versions, or combinations of the subject's name."""
    return subject if subject in COMBINATIONS else VERSION


def days(wish: Wish) -> int:
    """Return how many days' worth of combinations come in a day."""
    return HISTORY if wish.slot < 0 else 1


def of_history(slot: int) -> int:
    """Return the slot under which a sender's history is counted."""
    return -1 - slot


def admit(wishes: Iterable[Wish], spent: Spent) -> dict[Word, Wish]:
    """Return the words that come in, each with the wish that brought it, and add them to what is spent.

    First come, first served; a word that one sender may not bring may come by the next.
    """
    admitted: dict[Word, Wish] = {}
    for wish in wishes:
        if wish.word not in admitted and spent.allows(wish):
            spent.add(wish.purse, wish.slot)
            admitted[wish.word] = wish
    return admitted
