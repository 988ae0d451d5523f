"""Versions that no list names, and combinations of words, are written to the database before an event uses
them, within a budget.

A batch costs two sets, of its routes and its environments; only what this process has not met for some hours
is asked for, once a batch, and only what nobody has met is written, in a transaction of its own ahead of the
batch (decision 0022). What the budget has no room for is stored as `other`, or coarser, and counted.
"""

import datetime as dt
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Any, Final, NamedTuple

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.privacy import budget
from app.privacy.budget import ROUTE, Purse, Spent, Wish, Word, admit
from app.privacy.wording import (
    COMBINATIONS,
    ENVIRONMENT_WORDS,
    PAIRS,
    ROUTE_WORDS,
    VERSIONS,
    Combination,
    Row,
    Step,
)
from app.store.events import Batch, Tally, hour_of
from app.store.statements import read_sql

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
WRITE: Final = read_sql("app.store", "write_words")


class Entry(NamedTuple):
    """A row of a batch with something that this process does not know, and what it came with."""

    batch: Batch
    row: Row
    route: Combination
    environment: Combination


class Lexicon:
    """The words that this process knows to be in the database, or on a list."""

    def __init__(self, listed: AbstractSet[Word] = frozenset()) -> None:
        """`listed` words cost nothing; the set may grow."""
        self.listed = listed
        self.forget()

    def forget(self) -> None:
        """Know nothing: the connection is a new one, and the database may be another."""
        self.known: set[Word] = set()
        self.passed: set[Combination] = set()  # of routes and environments that may be stored as they are
        self.gone: set[Purse] = set()  # of whom nothing is left on `day`
        self.day = dt.date.min
        self.since = time.monotonic()

    async def settle(
        self, connection: AsyncConnection, batches: Sequence[Batch], *, free: bool = False
    ) -> None:
        """Replace the words that the budget has no room for, and count them; write the others.

        `free`: an operator's own history, which costs no budget. `connection` commits by itself.
        Raises sqlalchemy.exc.DBAPIError.
        """
        if time.monotonic() - self.since > REMEMBERED_SECONDS or len(self.passed) > REMEMBERED:
            self.forget()
        rows = [verdict.row for batch in batches for verdict in batch.verdicts]
        new = {*map(ROUTE_WORDS, rows), *map(ENVIRONMENT_WORDS, rows)} - self.passed
        if not new:
            return
        entries = [
            Entry(batch, verdict.row, ROUTE_WORDS(verdict.row), ENVIRONMENT_WORDS(verdict.row))
            for batch in batches
            for verdict in batch.verdicts
        ]
        entries = [each for each in entries if each.route in new or each.environment in new]
        await self.take(connection, entries, VERSIONS, free=free)
        coarse = await self.take(connection, entries, COMBINATIONS, free=free)
        await self.take(connection, [each for each, name in coarse if name == ROUTE], PAIRS, free=free)
        for row, route, environment in ((each.row, each.route, each.environment) for each in entries):
            self.passed |= {route, environment} & {ROUTE_WORDS(row), ENVIRONMENT_WORDS(row)}

    async def take(
        self, connection: AsyncConnection, entries: Sequence[Entry], step: Step, *, free: bool
    ) -> list[tuple[Entry, str]]:
        """Take one step: write the unknown words, replace those that did not come in, and count them;
        return what was replaced, each by the name under which it is counted."""
        wanted = [
            Wanted(word, each.row)
            for each in entries
            for word in step.words_of(each.row)
            if word not in self.known and word not in self.listed
        ]
        if wanted:
            await self.write(connection, wanted, free=free)
        unknown = {each.word for each in wanted} - self.known
        if not unknown:
            return []
        replaced = [(each, name) for each in entries for name in step.replace(each.row, unknown, self.listed)]
        for (batch, row, _, _), name in replaced:
            batch.tallies[Tally(hour_of(row["received_at"]), row["write_key"], "new_word", name)] += 1
        return replaced

    async def write(self, connection: AsyncConnection, wanted: Sequence["Wanted"], *, free: bool) -> None:
        """Learn which words are known, and make known what the budget has room for."""
        words = sorted({each.word for each in wanted})
        today, current, stale = await look_up(connection, words)
        self.known |= current
        if today != self.day:
            self.day, self.gone = today, set()
        if (
            not stale
            and not free
            and all(each.word in current or each.wish(today).purse in self.gone for each in wanted)
        ):
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
        spent = await look_up_spent(connection, wishes)
        admitted = {wish.word: wish for wish in wishes} if free else admit(wishes, spent)
        written = {word: Wish(word, 0, 0) for word in stale} | admitted
        if written:
            await connection.exec_driver_sql(
                WRITE, arrange(written, first_day=today - (DAY if free else NO_TIME))
            )
        await connection.exec_driver_sql("COMMIT")
        self.gone |= {wish.purse for wish in wishes if spent.is_gone(wish)}
        return current | written.keys()


class Wanted:
    """A word that an event came with and that this process does not know, and the row that it is in."""

    __slots__ = ("row", "word")

    def __init__(self, word: Word, row: Mapping[str, Any]) -> None:
        """The word, and the row."""
        self.word = word
        self.row = row

    def wish(self, today: dt.date) -> Wish:
        """Return what is asked for on a day."""
        slot = slot_of(self.row["anonymous_id"], today)
        if self.row["imported"] and self.word.subject in budget.COMBINATIONS:
            slot = budget.of_history(slot)
        return Wish(self.word, self.row["write_key"], slot)


def slot_of(unit: int | None, today: dt.date) -> int:
    """Return the slot of a sender on a day, another one on the next; 0 for nobody who can be recognised."""
    return 0 if unit is None else 1 + zlib.crc32(b"%d" % unit, today.toordinal()) % SLOTS


async def look_up_spent(connection: AsyncConnection, wishes: Iterable[Wish]) -> Spent:
    """Return what is spent on this UTC day: under each write key of each subject, and by the slots of
    some wishes."""
    spent = Spent()
    for row in await connection.exec_driver_sql(SPENT, {"slots": sorted({wish.slot for wish in wishes})}):
        spent.add((row.subject, row.write_key, row.historical), row.slot, row.number)
    return spent


async def look_up(connection: AsyncConnection, words: Sequence[Word]) -> tuple[dt.date, set[Word], set[Word]]:
    """Return the database's UTC day, the words that were used on it, and those that were used before."""
    asked = {"subjects": [word.subject for word in words], "words": [word.word for word in words]}
    rows = (await connection.exec_driver_sql(KNOWN, asked)).all()
    known = {Word(row.subject, row.word): row.is_current for row in rows if row.subject is not None}
    current = {word for word, is_current in known.items() if is_current}
    return rows[0].day, current, known.keys() - current


def arrange(words: Mapping[Word, Wish], first_day: dt.date) -> dict[str, Any]:
    """Return the parameters of `write_words.sql`."""
    wishes = [words[word] for word in sorted(words)]
    return {
        "subjects": [wish.word.subject for wish in wishes],
        "words": [wish.word.word for wish in wishes],
        "write_keys": [wish.write_key for wish in wishes],
        "slots": [wish.slot for wish in wishes],
        "first_day": first_day,
    }
