"""Deletes the words that nothing refers to: routes and environments without a daily sum, then
versions that none of those has; and combinations that nobody used for a month.

Never while somebody may be about to use one: whoever uses a word notes so first (`last_day`, once a
day), and only words are deleted whose use was noted over two days ago. What a delete and a note both
want, one of them gets: the delete looks again at a row that was noted meanwhile, and a row that is
gone is made anew (decision 0022).
"""

import datetime as dt
import threading
import time
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.engine import Connection

from app.privacy.budget import COMBINATIONS
from app.store.lexicon import LOCK
from app.upkeep.clock import Guard

log = structlog.get_logger()

REST_SECONDS: Final = (
    24 * 3600.0
)  # between two looks of a process: environments take a scan of all daily sums
UNUSED: Final = dt.timedelta(days=2)
UNUSED_COMBINATION: Final = dt.timedelta(days=30)  # a hash, which nothing refers to
ROWS: Final = 5_000  # a transaction
# What may have gone out of use, less what a daily sum refers to, is what goes: whoever began to use
# a row since has noted it. In steps, since a table of words and one of daily sums may be of
# different kinds (docs/scale.md).
TABLES: Final = {"routes": "route", "environments": "environment"}
OLD: Final = "SELECT id FROM {0} WHERE last_day < :before"
IN_USE: Final = "SELECT DISTINCT {0} FROM unit_days"
DELETE: Final = "DELETE FROM {0} WHERE last_day < :before AND id = ANY(:ids)"
OLD_WORDS: Final = (
    "SELECT subject, word FROM words WHERE last_day < :before AND subject <> ALL(:combinations)"
)
WORDS_IN_USE: Final = """
    SELECT DISTINCT 'pyairbyte' AS subject, version AS word FROM environments
    UNION
    SELECT coalesce(nullif(source_name, ''), 'custom'), source_version FROM routes
    UNION
    SELECT coalesce(nullif(destination_name, ''), 'custom'), destination_version FROM routes
"""
DELETE_WORDS: Final = """
    DELETE FROM words
    WHERE last_day < :before
      AND (subject, word) IN (SELECT * FROM unnest(CAST(:subjects AS text[]), CAST(:words AS text[])))
"""
DELETE_COMBINATIONS: Final = "DELETE FROM words WHERE last_day < :before AND subject = ANY(:combinations)"
OLD_SLOTS: Final = "UPDATE words SET slot = NULL WHERE slot IS NOT NULL AND first_day < :today"


class Collector:
    """The job of one process: looks every hour whether a day has passed since it last deleted."""

    def __init__(self, guard: Guard) -> None:
        """Delete while `guard` trusts the clock."""
        self.guard = guard
        self.rested = float("-inf")

    def keep(self, connection: Connection, stop: threading.Event) -> None:
        """Clear the slots of days that are over, and once a day delete what nothing refers to. Commits."""
        now = self.guard.read(connection)
        if now is None:
            return
        connection.execute(text(OLD_SLOTS), {"today": now.date()})
        connection.commit()
        if time.monotonic() - self.rested < REST_SECONDS:
            return
        collect(connection, stop, now)
        self.rested = time.monotonic()


def collect(connection: Connection, stop: threading.Event, now: dt.datetime) -> dict[str, int]:
    """Delete what nothing refers to; return how many rows of each table. Commits."""
    before = now.date() - UNUSED
    gone = {table: collect_rows(connection, stop, table, before) for table in TABLES}
    gone["words"] = collect_words(connection, before) + collect_combinations(
        connection, now.date() - UNUSED_COMBINATION
    )
    if any(gone.values()):
        log.info("words_collected", **gone)
    return gone


def collect_rows(connection: Connection, stop: threading.Event, table: str, before: dt.date) -> int:
    """Delete routes or environments; return how many. Commits."""
    old = set(connection.execute(text(OLD.format(table)), {"before": before}).scalars())
    unused = (
        sorted(old - set(connection.execute(text(IN_USE.format(TABLES[table]))).scalars())) if old else []
    )
    connection.commit()
    gone = 0
    for start in range(0, len(unused), ROWS):
        if stop.is_set():
            break
        taken = {"before": before, "ids": unused[start : start + ROWS]}
        gone += connection.execute(text(DELETE.format(table)), taken).rowcount
        connection.commit()
    return gone


def collect_words(connection: Connection, before: dt.date) -> int:
    """Delete versions; return how many. Whoever writes some meanwhile waits. Commits."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    asked = {"before": before, "combinations": list(COMBINATIONS)}
    old = {tuple(row) for row in connection.execute(text(OLD_WORDS), asked)}
    unused = sorted(old - {tuple(row) for row in connection.execute(text(WORDS_IN_USE))}) if old else []
    taken = {
        "before": before,
        "subjects": [subject for subject, _ in unused],
        "words": [word for _, word in unused],
    }
    gone = connection.execute(text(DELETE_WORDS), taken).rowcount if unused else 0
    connection.commit()
    return gone


def collect_combinations(connection: Connection, before: dt.date) -> int:
    """Delete what the budget remembers of combinations; return how many. Whoever writes some meanwhile
    waits. Commits."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    taken = {"before": before, "combinations": list(COMBINATIONS)}
    gone = connection.execute(text(DELETE_COMBINATIONS), taken).rowcount
    connection.commit()
    return gone
