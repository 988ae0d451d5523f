"""Alerts: each regression that is found is posted to a webhook once, as JSON that Slack takes, too.

At least once: an alert is recorded before it is posted, and marked as posted after the answer. What a crash,
or a webhook that is away, leaves unmarked is posted the next time.
"""

import datetime as dt
import threading
from collections.abc import Sequence
from typing import Any, Final

import structlog
from sqlalchemy import Connection, RowMapping, select, text, update
from sqlalchemy.dialects.postgresql import insert

from app.reports.definitions.connectors import CONNECTORS
from app.reports.definitions.regressions import REGRESSION, REGRESSIONS
from app.reports.model import Row, Value
from app.reports.parsing import parse
from app.reports.run import run
from app.store.tables.alerts import alerts

log = structlog.get_logger()

SECONDS: Final = 3600.0  # between looks; votes are settled by day
ATTEMPTS: Final = 3
PAUSE_SECONDS: Final = 1.0  # before the second attempt, twice that before the third
TIMEOUT_SECONDS: Final = 10.0
COLUMNS: Final = (
    *("kind", "connector", "old_version", "new_version", "since"),
    *("votes", "affected_units", "share", "share_before", "evidence"),
)
KEY: Final = (alerts.c.kind, alerts.c.connector, alerts.c.new_version)


def alert(
    connection: Connection,
    stop: threading.Event,
    webhook: str,
    denied: Sequence[int] = (),
    now: dt.datetime | None = None,
) -> int:
    """Look for regressions, record the new ones, post what is not posted yet, and return how many were."""
    now = now or dt.datetime.now(dt.UTC)
    record(connection, find(connection, denied, now), now)
    pending = select(alerts).where(alerts.c.posted_at.is_(None)).order_by(alerts.c.found_at, *KEY)
    waiting = connection.execute(pending).mappings().all()
    connection.commit()
    posted = 0
    for each in waiting:
        if stop.is_set() or not post(webhook, compose(each), stop):
            break
        mark = update(alerts).where(*(column == each[column.name] for column in KEY))
        connection.execute(mark.values(posted_at=dt.datetime.now(dt.UTC)))
        connection.commit()
        posted += 1
    return posted


def find(connection: Connection, denied: Sequence[int], now: dt.datetime) -> list[Row]:
    """Return the regressions that settled users voted for, but those of connectors whose burden is a surge.

    Nobody is woken by ids that were made up in an afternoon.
    """
    connection.execute(text("SET LOCAL work_mem = '64MB'"))
    table = run(REGRESSIONS, parse(REGRESSIONS, [("users", "settled")], now), connection, now, denied)
    found = [row for row in table.rows if row["verdict"] == REGRESSION]
    marked = find_surges(connection, denied, now) if found else set()
    connection.rollback()
    return [row for row in found if row["connector"] not in marked]


def find_surges(connection: Connection, denied: Sequence[int], now: dt.datetime) -> set[Value]:
    """Return the connectors that the ranking marks, in either role."""
    tables = [
        run(CONNECTORS, parse(CONNECTORS, [("role", role)], now), connection, now, denied)
        for role in ("source", "destination")
    ]
    return {row["connector"] for table in tables for row in table.rows if row["surge"]}


def record(connection: Connection, found: Sequence[Row], now: dt.datetime) -> None:
    """Remember what is new, and commit."""
    if found:
        rows: list[dict[str, Any]] = [
            {name: row[name] for name in COLUMNS} | {"found_at": now} for row in found
        ]
        for row in rows:
            row["since"] = dt.date.fromisoformat(row["since"])
        connection.execute(insert(alerts).on_conflict_do_nothing(), rows)
    connection.commit()


def compose(found: RowMapping) -> dict[str, Any]:
    """Return the JSON of an alert: `text` for people, which is what Slack shows, and `alert` for programs."""
    what = "PyAirbyte" if found["kind"] == "pyairbyte" else found["connector"]
    words = (
        f"{what} {found['new_version']} fails more often than {found['old_version']}: "
        f"{100 * found['share']:.1f} % of a "
        f"returning user's syncs against {100 * found['share_before']:.1f} %. {found['affected_units']} of "
        f"{found['votes']} users are affected, E = {found['evidence']:,.3g}. Associated with the "
        f"version, in use "
        f"since {found['since']}."
    )
    alert = {name: found[name] for name in COLUMNS} | {"since": found["since"].isoformat()}
    return {"text": words, "alert": alert}


def post(webhook: str, body: dict[str, Any], stop: threading.Event) -> bool:
    """Post to the webhook; return whether it took it. The webhook's address is a secret: no
    message of a fault is logged."""
    import httpx  # noqa: PLC0415 -- no start waits for it

    for attempt in range(ATTEMPTS):
        try:
            answer = httpx.post(webhook, json=body, timeout=TIMEOUT_SECONDS, follow_redirects=False)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            fault = type(error).__name__
        else:
            if answer.is_success:
                return True
            fault = f"status {answer.status_code}"
        if attempt + 1 < ATTEMPTS and stop.wait(PAUSE_SECONDS * 2**attempt):
            return False
    log.warning("alert_not_posted", fault=fault, attempts=ATTEMPTS)
    return False
