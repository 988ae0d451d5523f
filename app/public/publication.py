"""Publishing: a month's figures are counted once, when it is over and settled, and never again.

What arrives for a published month afterwards, is forgotten of it, or is counted otherwise by a later release
changes nothing of it: two versions of a month could be subtracted from each other.
"""

import datetime as dt
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import insert

from app.public.suppression import Count, Figure, suppress
from app.store import statements
from app.store.tables.publications import OTHER, public_figures, publications

log = structlog.get_logger()

ROLES: Final = ("source", "destination")
SETTLING: Final = dt.timedelta(
    days=2
)  # from the 3rd: open attempts of the last day are settled, late events are in
QUIET: Final = dt.timedelta(days=1)
# From the 10th on a month is published whatever still arrives: late events must
# not be a power to keep it back.
PATIENCE: Final = dt.timedelta(days=7)
KEPT: Final = dt.timedelta(days=400)  # how long days are kept by user: an older month is no longer whole
query = partial(statements.query, "app.public")


def publish_due(
    connection: Connection,
    stop: threading.Event,
    denied: Sequence[int] = (),
    now: dt.datetime | None = None,
) -> list[dt.date]:
    """Publish every month that is over, settled and not out yet, without the units `denied`; return those
    months. Commits each."""
    now = now or dt.datetime.now(dt.UTC)
    over = {"now": now, "oldest": now.date() - KEPT, "settling": SETTLING}
    due = list(connection.execute(query("unpublished"), over).scalars())
    connection.commit()
    published = []
    for month in due:
        if stop.is_set():
            break
        is_ready = is_settled(connection, month, now)
        connection.commit()
        if not is_ready:
            continue
        publish(connection, month, now, denied)
        published.append(month)
    return published


def is_settled(connection: Connection, month: dt.date, now: dt.datetime) -> bool:
    """Return whether a month that is over was counted, and nothing of it is still to come."""
    days = bounds(month)
    waits = days | {"now": now, "settling": SETTLING, "patience": PATIENCE}
    return (
        connection.execute(query("is_counted"), days).first() is not None
        and connection.execute(query("is_waiting"), waits).first() is None
        and bool(
            connection.execute(
                query("is_quiet"), days | {"now": now, "quiet": QUIET, "latest": latest(month)}
            ).scalar()
        )
    )


def latest(month: dt.date) -> dt.datetime:
    """Return the moment at which a month is published though events of it still come."""
    ends: dt.date = bounds(month)["next_month"]
    return dt.datetime.combine(ends, dt.time(), dt.UTC) + SETTLING + PATIENCE


def bounds(month: dt.date) -> dict[str, Any]:
    """Return the first days of a month and of the next."""
    return {"month": month, "next_month": (month + dt.timedelta(days=31)).replace(day=1)}


def publish(connection: Connection, month: dt.date, now: dt.datetime, denied: Sequence[int] = ()) -> None:
    """Count, suppress and write one month, and commit; a month that is out stays as it is."""
    # Several statements count the same rows: all see the same moment, whatever the rollups do meanwhile.
    connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    new = insert(publications).values(month=month, published_at=now).on_conflict_do_nothing()
    is_new = connection.execute(new.returning(publications.c.month)).first() is not None
    rows = [row for role in ROLES for row in as_rows(month, role, figures(connection, month, role, denied))]
    if is_new and rows:
        connection.execute(public_figures.insert(), rows)
    connection.commit()
    log.info("month_published", month=month.isoformat()[:7], rows=len(rows))


def figures(connection: Connection, month: dt.date, role: str, denied: Sequence[int] = ()) -> list[Figure]:
    """Return what may be published of a month in one role."""
    measure = partial(count, connection, month, role, denied)

    def together(connectors: Sequence[str]) -> Count:
        return next(each for each in measure(connectors) if each.connector == OTHER)

    return suppress(measure(()), together)


def count(
    connection: Connection, month: dt.date, role: str, denied: Sequence[int], together: Sequence[str]
) -> list[Count]:
    """Return the counts of a month, connector by connector, those in `together` as one."""
    values = {
        **bounds(month),
        "role": role,
        "together": list(together),
        "other": OTHER,
        "denied": list(denied),
    }
    return [Count(**row) for row in connection.execute(query("month"), values).mappings()]


def as_rows(month: dt.date, role: str, shown: Sequence[Figure]) -> list[dict[str, Any]]:
    """Return the rows of `public_figures`."""
    return [
        {
            "month": month,
            "role": role,
            "connector": figure.connector,
            "units": figure.units,
            "affected_units": figure.affected_units,
        }
        for figure in shown
    ]
