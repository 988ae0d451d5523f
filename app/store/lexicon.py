"""Versions that no list names are told to the database before an event uses them, within a budget.

A batch costs one set of its combinations of versions; only what this process has not met for some hours is
asked for, once a batch, and only what nobody has met is written, in a transaction of its own ahead of the
batch (decision 0022). What the budget has no room for is stored as `other`, and counted.
"""

import datetime as dt
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from operator import itemgetter
from typing import Any, Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.contract.vocabulary import CUSTOM, OTHER
from app.privacy.budget import PYAIRBYTE, Spent, Wish, Word, admit
from app.privacy.verdict import Verdict
from app.store.events import Batch, Tally, hour_of
from app.store.statements import read_sql

# The column of a version, the column of whose it is (PyAirbyte's without), and the field on the wire.
FIELDS: Final = (
    ("version", None, "properties.version"),
    ("source_version", "source_name", "properties.source.version"),
    ("destination_version", "destination_name", "properties.destination.version"),
)
COMBINATION: Final = itemgetter(
    "version", "source_name", "source_version", "destination_name", "destination_version"
)
FREE: Final = frozenset({"unknown", "latest", OTHER})
REMEMBERED_SECONDS: Final = (
    6 * 3600.0
)  # then a word is asked for again, and its `last_day` renewed: once a day
REMEMBERED: Final = 100_000
SLOTS: Final = 32_767  # of senders: enough to part them for a day, and too few to tell one by it
DAY: Final = dt.timedelta(days=1)
NO_TIME: Final = dt.timedelta()
LOCK: Final = 0x7E1E_3072  # of whoever adds or deletes words
KNOWN: Final = read_sql("app.store", "known_words")
SPENT: Final = read_sql("app.store", "spent_words")
TELL: Final = read_sql("app.store", "tell_words")


class Lexicon:
    """The words that this process knows to be in the database, or on a list."""

    def __init__(self, listed: AbstractSet[Word] = frozenset()) -> None:
        """`listed` words cost nothing; the set may grow."""
        self.listed = listed
        self.forget()

    def forget(self) -> None:
        """Know nothing: the connection is a new one, and the database may be another."""
        self.known: set[Word] = set()
        self.passed: set[tuple[str | None, ...]] = set()  # combinations of known words
        self.since = time.monotonic()

    async def settle(
        self, connection: AsyncConnection, batches: Sequence[Batch], *, free: bool = False
    ) -> None:
        """Replace the versions that the budget has no room for by `other`, and count them; tell the others.

        `free`: an operator's own history, which costs no budget. `connection` commits by itself.
        Raises sqlalchemy.exc.DBAPIError.
        """
        if time.monotonic() - self.since > REMEMBERED_SECONDS or len(self.passed) > REMEMBERED:
            self.forget()
        rows = [verdict.row for batch in batches for verdict in batch.verdicts]
        combinations = set(map(COMBINATION, rows)) - self.passed
        unknown = {word for each in combinations for word in words_of(each) if not self.knows(word)}
        if unknown:
            wanted = [wish for row in rows for wish in wishes_of(row, unknown)]
            await self.tell(connection, wanted, free=free)
            unknown = {word for word in unknown if word not in self.known}
        if unknown:
            for batch in batches:
                replace(batch, unknown)
        self.passed |= {each for each in combinations if unknown.isdisjoint(words_of(each))}

    def knows(self, word: Word) -> bool:
        """Return whether a word may be stored without asking."""
        return word in self.known or word in self.listed

    async def tell(self, connection: AsyncConnection, wanted: Sequence["Wanted"], *, free: bool) -> None:
        """Learn which words are known, and make known what the budget has room for."""
        words = sorted({each.word for each in wanted})
        _, current, _ = await look_up(connection, words)
        self.known |= current
        if len(current) == len(words):
            return
        try:
            added = await self.add(connection, words, wanted, free=free)
        except DBAPIError:
            with suppress(DBAPIError):
                await connection.exec_driver_sql("ROLLBACK")
            raise
        self.known |= added

    async def add(
        self, connection: AsyncConnection, words: Sequence[Word], wanted: Sequence["Wanted"], *, free: bool
    ) -> AbstractSet[Word]:
        """Make known what the budget has room for, in a transaction; return which
        of the words are known then."""
        await connection.exec_driver_sql("BEGIN")
        await connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%(lock)s)", {"lock": LOCK})
        today, current, stale = await look_up(connection, words)
        known = current | stale
        wishes = [each.wish(today) for each in wanted if each.word not in known]
        spent = Spent()
        for row in await connection.exec_driver_sql(SPENT):
            spent.add(row.subject, row.write_key, row.slot, row.number)
        admitted = {wish.word: wish for wish in wishes} if free else admit(wishes, spent)
        told = {word: Wish(word, 0, 0) for word in stale} | admitted
        if told:
            await connection.exec_driver_sql(
                TELL, arrange(told, first_day=today - (DAY if free else NO_TIME))
            )
        await connection.exec_driver_sql("COMMIT")
        return current | told.keys()


class Wanted:
    """A version that an event came with and that this process does not know, and the row that it is in."""

    __slots__ = ("row", "word")

    def __init__(self, word: Word, row: Mapping[str, Any]) -> None:
        """The word, and the row."""
        self.word = word
        self.row = row

    def wish(self, today: dt.date) -> Wish:
        """Return what is asked for on a day."""
        return Wish(self.word, self.row["write_key"], slot_of(self.row["anonymous_id"], today))


def words_of(combination: tuple[str | None, ...]) -> Iterator[Word]:
    """Yield the words of what `COMBINATION` takes out of a row, less those that are free."""
    version, source, source_version, destination, destination_version = combination
    if version and version not in FREE:
        yield Word(PYAIRBYTE, version)
    if source_version and source_version not in FREE:
        yield Word(source or CUSTOM, source_version)
    if destination_version and destination_version not in FREE:
        yield Word(destination or CUSTOM, destination_version)


def wishes_of(row: Mapping[str, Any], unknown: AbstractSet[Word]) -> Iterator[Wanted]:
    """Yield the unknown words of a row."""
    for word in words_of(COMBINATION(row)):
        if word in unknown:
            yield Wanted(word, row)


def slot_of(unit: int | None, today: dt.date) -> int:
    """Return the slot of a sender on a day, another one on the next; 0 for nobody who can be told."""
    return 0 if unit is None else 1 + zlib.crc32(b"%d" % unit, today.toordinal()) % SLOTS


async def look_up(connection: AsyncConnection, words: Sequence[Word]) -> tuple[dt.date, set[Word], set[Word]]:
    """Return the database's UTC day, the words that were used on it, and those that were used before."""
    asked = {"subjects": [word.subject for word in words], "words": [word.word for word in words]}
    rows = (await connection.exec_driver_sql(KNOWN, asked)).all()
    known = {Word(row.subject, row.word): row.is_current for row in rows if row.subject is not None}
    current = {word for word, is_current in known.items() if is_current}
    return rows[0].day, current, known.keys() - current


def arrange(told: Mapping[Word, Wish], first_day: dt.date) -> dict[str, Any]:
    """Return the parameters of `tell_words.sql`."""
    wishes = [told[word] for word in sorted(told)]
    return {
        "subjects": [wish.word.subject for wish in wishes],
        "words": [wish.word.word for wish in wishes],
        "write_keys": [wish.write_key for wish in wishes],
        "slots": [wish.slot for wish in wishes],
        "first_day": first_day,
    }


def replace(batch: Batch, unknown: AbstractSet[Word]) -> None:
    """Make `other` of the versions that did not come in, and count them by field."""
    for verdict in batch.verdicts:
        for path in replace_in(verdict, unknown):
            hour = hour_of(verdict.row["received_at"])
            batch.tallies[Tally(hour, verdict.row["write_key"], "new_word", path)] += 1


def replace_in(verdict: Verdict, unknown: AbstractSet[Word]) -> Iterable[str]:
    """Replace the versions of a row, and return the fields that they were in."""
    row = verdict.row
    replaced = []
    for column, subject, path in FIELDS:
        version = row[column]
        whose = PYAIRBYTE if subject is None else row[subject] or CUSTOM
        if version and Word(whose, version) in unknown:
            row[column] = OTHER
            replaced.append(path)
    return replaced
