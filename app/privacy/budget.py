"""How many new versions strangers may bring a day: the decision, pure. What is spent is the caller's to know.

A version is a word that no list closes. Each new one is a row for good as long as anything refers
to it, a line in reports, and a few letters of somebody's choice. So only so many come in; beyond
that a version is stored as `other`.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

PYAIRBYTE: Final = "pyairbyte"  # the subject of its own versions; any other subject is a connector
A_SUBJECT: Final = 5  # new words a day and write key: two keys cannot starve each other
A_SENDER: Final = 2
A_DAY: Final = 4_000
A_WRITE_KEY: Final = A_DAY // 4


class Word(NamedTuple):
    """A version, and of what."""

    subject: str
    word: str


class Wish(NamedTuple):
    """A new word that an event came with: under which write key, and the slot of its sender
    (0: nobody who can be told)."""

    word: Word
    write_key: int
    slot: int


@dataclass(slots=True)
class Spent:
    """What was brought on a day, under each write key: by subject, by sender's slot, and altogether."""

    subjects: Counter[tuple[str, int]] = field(default_factory=Counter)
    slots: Counter[tuple[int, int]] = field(default_factory=Counter)
    write_keys: Counter[int] = field(default_factory=Counter)

    def add(self, subject: str, write_key: int, slot: int, number: int = 1) -> None:
        """Count words that came in."""
        self.subjects[subject, write_key] += number
        self.slots[slot, write_key] += number
        self.write_keys[write_key] += number

    def allows(self, wish: Wish) -> bool:
        """Return whether the budget has room for one more word."""
        return (
            self.subjects[wish.word.subject, wish.write_key] < A_SUBJECT
            and self.slots[wish.slot, wish.write_key] < A_SENDER
            and self.write_keys[wish.write_key] < A_WRITE_KEY
            and self.write_keys.total() < A_DAY
        )


def admit(wishes: Iterable[Wish], spent: Spent) -> dict[Word, Wish]:
    """Return the words that come in, each with the wish that brought it, and add them to what is spent.

    First come, first served; a word that one sender may not bring may come by the next.
    """
    admitted: dict[Word, Wish] = {}
    for wish in wishes:
        if wish.word not in admitted and spent.allows(wish):
            spent.add(wish.word.subject, wish.write_key, wish.slot)
            admitted[wish.word] = wish
    return admitted
