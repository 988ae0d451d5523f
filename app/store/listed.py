"""Versions that the connector registry or a package list names: they cost nothing of the
budget of new words, and stay."""

import datetime as dt
from collections.abc import Collection
from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from app.contract.vocabulary import shipped_versions
from app.privacy.budget import PYAIRBYTE, Word
from app.store.tables.words import listed_words

OVERLAP: Final = dt.timedelta(hours=1)  # a transaction that added some may have committed late
EVER: Final = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
ROWS: Final = 1_000  # a statement


class Listed:
    """The listed versions that a process knows: those of the release, and those that were learned since."""

    def __init__(self) -> None:
        """Know those of the release."""
        self.words = {Word(PYAIRBYTE, version) for version in shipped_versions()}
        self.since = EVER

    def refresh(self, connection: Connection) -> None:
        """Learn what was added since the last time."""
        added = listed_words.c.added_at
        query = select(listed_words.c.subject, listed_words.c.word, added).where(added > self.since - OVERLAP)
        for subject, word, added_at in connection.execute(query):
            self.words.add(Word(subject, word))
            self.since = max(self.since, added_at)


def save(connection: Connection, words: Collection[Word]) -> int:
    """Add words; return how many were new. Servers learn them within seconds; nothing is ever taken away."""
    now, new, ordered = dt.datetime.now(dt.UTC), 0, sorted(words)
    for start in range(0, len(ordered), ROWS):
        rows = [word._asdict() | {"added_at": now} for word in ordered[start : start + ROWS]]
        adding = insert(listed_words).values(rows).on_conflict_do_nothing().returning(listed_words.c.word)
        new += len(connection.execute(adding).all())
    return new
