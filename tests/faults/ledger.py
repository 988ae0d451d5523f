"""What the database says in the end, beside what was promised."""

import datetime as dt
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any

import httpx
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from app.privacy.pseudonyms import event_id
from app.rollups.rebuild import rebuild
from app.store.database import open_admin_engine
from tests.conftest import Service
from tests.faults.load import Account

PATIENCE_SECONDS = 60


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Poll until something holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.05)


def readiness(service: Service) -> dict[str, Any]:
    """The body of `/readyz`."""
    body: dict[str, Any] = httpx.get(f"{service.url}/readyz", timeout=30).json()
    return body


def is_drained(service: Service) -> bool:
    """Whether Postgres is back and nothing waits in the spool of any worker."""
    try:
        body = readiness(service)
    except httpx.TransportError:
        return False
    return bool(body["database"] == "ok" and not spooled(service))


def spooled(service: Service) -> int:
    """How many batches wait on disk, in the spools of all workers, living or dead."""
    waiting = 0
    for file in (service.data_dir / "spool").glob("*.sqlite"):
        try:
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as spool:
                waiting += spool.execute("SELECT count(*) FROM entries").fetchone()[0]
        except sqlite3.DatabaseError:  # busy, damaged and not set aside yet, or drained and deleted by now
            waiting += file.exists()
    return waiting


def is_rolled_up(url: str) -> bool:
    """Whether no session is marked."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return not connection.execute(text("SELECT EXISTS (SELECT 1 FROM dirty_sessions)")).scalar()


# Of sessions of which nothing was refused: their ends and their starts of syncs, once from
# the events, once as rolled up.
SIGNALS = """
    WITH whole AS MATERIALIZED (
        SELECT bucket, session_key FROM events WHERE session_key IS NOT NULL
        EXCEPT SELECT bucket, session_key FROM rejections
    )
    SELECT signals.ends, signals.starts, attempted.ends, counted.starts
    FROM (
        SELECT
            count(*) FILTER (WHERE state <> 'started') AS ends,
            count(*) FILTER (WHERE event = 'sync' AND state = 'started') AS starts
        FROM events JOIN whole USING (bucket, session_key)
    ) AS signals
    CROSS JOIN (
        SELECT sum(coalesce(times, 1)) AS ends
        FROM attempts JOIN whole USING (bucket, session_key)
        WHERE kind & 3 > 0
    ) AS attempted
    CROSS JOIN (
        SELECT sum(coalesce(times, 1)) AS starts
        FROM attempts
        JOIN whole USING (bucket, session_key)
        JOIN unit_days USING (day, bucket, day_key)
        JOIN routes ON routes.id = route
        WHERE routes.event = 'sync' AND kind & 4 = 0
    ) AS counted
"""


def check_rollups(url: str) -> None:
    """What was rolled up while everything was killed is what a rebuild makes of the events,
    and counts each of them once."""
    ends, starts, counted_ends, counted_starts = signals(url)
    assert ends, "no attempt ended"
    assert starts, "no sync started"
    assert (counted_ends, counted_starts) == (ends, starts), "attempts are not what the events say"
    before = rolled_up(url)
    with open_admin_engine(url).connect() as connection:
        rebuild(connection, None, lambda _done, _total: None)
    assert before, "nothing was rolled up"
    assert rolled_up(url) == before


def signals(url: str) -> tuple[int, ...]:
    """What `SIGNALS` counts."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return tuple(int(number) for number in connection.execute(text(SIGNALS)).one())


def rolled_up(url: str) -> Counter[tuple[Any, ...]]:
    """Every row of the rollups, and how often it is there."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return Counter(
            (table, *row)
            for table in ("attempts", "unit_days", "units")
            for row in connection.execute(text(f"SELECT * FROM {table}"))
        )


def ids(url: str, table: str) -> list[str]:
    """The ids of the events of a table, rebuilt from its primary key."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        rows = connection.execute(text(f"SELECT occurred_at, message_key, bucket FROM {table}"))
        return [event_id(*row) for row in rows]


def outcomes(url: str) -> Counter[str]:
    """The outcome counts."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT outcome, sum(count)::bigint FROM outcomes GROUP BY 1"))
        return Counter({outcome: int(number) for outcome, number in rows})


def count_by_hour(url: str) -> Counter[tuple[dt.datetime, str]]:
    """The outcome counts of each hour of receipt."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT hour, outcome, sum(count)::bigint FROM outcomes GROUP BY 1, 2")
        )
        return Counter({(hour, outcome): int(number) for hour, outcome, number in rows})


def check_hours(url: str, account: Account, *, process_killed: bool) -> None:
    """Hour by hour: received is the sum of the outcomes, and these are what the senders were told of it.

    What was on its way when an hour ended may be counted in either.
    """
    counted = count_by_hour(url)
    for hour in {hour for hour, _ in counted} | {hour for hour, _ in account.hours}:
        received = counted[hour, "received"]
        kept = counted[hour, "accepted"] + counted[hour, "duplicate"]
        others = sum(n for (at, outcome), n in counted.items() if at == hour and outcome != "received") - kept
        assert received == kept + others, f"{hour}: received is not the sum of the outcomes"
        for reported, stored in (
            (account.hours[hour, "kept"], kept),
            (account.hours[hour, "rejected"], others),
        ):
            assert stored >= reported, f"{hour}: {stored} counted, {reported} reported"
            if not (process_killed or account.lost_connections):
                assert stored <= reported + account.astride, f"{hour}: {stored} counted, {reported} reported"


def check_books(url: str, account: Account, *, process_killed: bool = False) -> None:
    """Every promise is kept exactly once, nothing refused is stored, received is the sum of the outcomes.

    Unless a process was killed or a connection lost, whose last answers nobody heard, the
    counts are those of the senders.
    """
    stored = ids(url, "events")
    assert len(stored) == len(set(stored)), "an event is stored twice"
    missing = account.promised - set(stored)
    assert not missing, f"{len(missing)} events were answered 200 and are not stored"
    assert not account.refused & set(stored), "a refused event is stored"
    counted = outcomes(url)
    received = counted.pop("received", 0)
    assert received == sum(counted.values()), "received is not the sum of the outcomes"
    check_hours(url, account, process_killed=process_killed)
    reported = account.outcomes
    promised = reported["accepted"] + reported["queued"] + reported["duplicate"]
    if process_killed or account.lost_connections:
        assert counted["accepted"] + counted["duplicate"] >= promised
        assert counted["rejected"] >= reported["rejected"]
    else:
        stored_or_known = counted["accepted"] + counted["duplicate"]
        assert stored_or_known == promised, f"{stored_or_known} counted, {promised} promised"
        assert counted["rejected"] == reported["rejected"], (
            f"{dict(counted)} counted, {dict(reported)} reported"
        )
