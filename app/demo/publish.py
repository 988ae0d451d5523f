"""Publishes last month of a made-up fleet, so that there is a public page to see."""

import datetime as dt
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import insert

from app.admin.releases import words_of
from app.public import publication
from app.settings import Settings
from app.store.database import hold, open_admin_engine
from app.store.tables.words import words

Answer = TypeVar("Answer")
DEADLINE_SECONDS: Final = 120.0
PAUSE_SECONDS: Final = 0.5


def ask(settings: Settings, question: Callable[[Connection], Answer]) -> Answer:
    """Return the answer of the configured database."""
    with hold(settings) as database:
        engine = open_admin_engine(database.url)
        try:
            with engine.connect() as connection:
                return question(connection)
        finally:
            engine.dispose()


def is_untouched(connection: Connection) -> bool:
    """Return whether no event ever arrived: figures of made-up users beside real
    ones must not be published."""
    return all(
        connection.execute(text(f"SELECT 1 FROM {table} LIMIT 1")).first() is None
        for table in ("outcomes", "publications")
    )


def settle(connection: Connection) -> None:
    """Let the made-up users have been there since their first day, and not since this minute; and commit.

    Public figures count settled users only, by the time of arrival, which is now for all of them.
    """
    connection.execute(
        text(
            """
            UPDATE units SET
                first_hour = least(first_hour, CAST(days.first_day AS timestamp) AT TIME ZONE 'UTC'),
                last_day = days.last_day,
                crowded = false
            FROM (
                SELECT bucket, unit, min(day) AS first_day, max(day) AS last_day FROM unit_days
                    GROUP BY bucket, unit
            ) AS days
            WHERE days.bucket = units.bucket AND days.unit = units.unit
            """
        )
    )
    connection.commit()


def bring_versions(connection: Connection, versions: Mapping[str, Iterable[str]]) -> None:
    """Make a fleet's versions known, and commit: they are too many for the budget of new words."""
    today = dt.datetime.now(dt.UTC).date()
    rows = [
        word._asdict() | {"first_day": today - dt.timedelta(days=1), "last_day": today, "write_key": 0}
        for subject, texts in versions.items()
        for word in words_of(subject, texts)
    ]
    connection.execute(insert(words).on_conflict_do_nothing(), rows)
    connection.commit()


def publish_last_month(connection: Connection) -> bool:
    """Publish the last month that is over, once everything is counted. Return whether it is out."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while connection.execute(text("SELECT 1 FROM dirty_sessions LIMIT 1")).first() is not None:
        connection.rollback()
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE_SECONDS)
    connection.rollback()
    settle(connection)
    now = dt.datetime.now(dt.UTC)
    month = (now.date().replace(day=1) - dt.timedelta(days=1)).replace(day=1)
    publication.publish(connection, month, now)
    return True
