"""The two questions of the live view: what was accepted since the last look, and how
many events each minute had."""

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from sqlalchemy import Engine

from app.store import statements

query = partial(statements.query, "app.pages")
MINUTES: Final = 30
NEAR: Final = dt.timedelta(minutes=2)  # how far an event's own clock may be off to be listed
MOST: Final = 100  # events a look
SNAPSHOT: Final = 40  # events of a page without script
MINUTE: Final = dt.timedelta(minutes=1)
OUTCOMES: Final = ("accepted", "duplicate", "rejected")

Event = dict[str, Any]
Tally = Counter[tuple[str, str]]  # by (outcome, reason)


@dataclass(slots=True)
class Look:
    """What one look found: events newest first, and the tally of each minute that it read."""

    events: list[Event] = field(default_factory=list)
    minutes: dict[dt.datetime, Tally] = field(default_factory=dict)


def look(engine: Engine, since: dt.datetime, minutes_since: dt.datetime, most: int) -> Look:
    """Return what arrived after `since`, and the tallies of the minutes from `minutes_since` on.

    Raises sqlalchemy.exc.DBAPIError.
    """
    now = dt.datetime.now(dt.UTC)
    found = Look()
    asked = {"since": since, "from_time": min(since, now) - NEAR, "to_time": now + NEAR, "most": most}
    with engine.connect() as connection:
        for row in connection.execute(query("arrivals"), asked).mappings():
            found.events.append(make_event(row["received_at"], dict(row)))
        for row in connection.execute(query("minutes"), {"since": minutes_since}).mappings():
            tally = found.minutes.setdefault(row["minute"], Counter())
            tally[row["outcome"], row["reason"]] += row["count"]
    return found


def make_event(received_at: dt.datetime, row: Event) -> Event:
    """Return an event as it is shown: its time of arrival in UTC, and words."""
    shown = {name: row[name] for name in ("event", "state", "connector", "error", "cache", "version")}
    return {"time": f"{received_at.astimezone(dt.UTC):%H:%M:%S}", **shown, "received_at": received_at}


def floor(moment: dt.datetime) -> dt.datetime:
    """Return the minute that a moment lies in."""
    return moment.astimezone(dt.UTC).replace(second=0, microsecond=0)


def tabulate(minutes: dict[dt.datetime, Tally], now: dt.datetime) -> list[dict[str, Any]]:
    """Return the last 30 minutes, the running one last, with their outcomes; a
    minute without events has zeros."""
    rows = []
    for back in range(MINUTES - 1, -1, -1):
        minute = floor(now) - back * MINUTE
        tally = minutes.get(minute, Counter())
        counts = {name: sum(n for (outcome, _), n in tally.items() if outcome == name) for name in OUTCOMES}
        rows.append({"minute": f"{minute:%H:%M}", **counts})
    return rows


def list_reasons(minutes: dict[dt.datetime, Tally], now: dt.datetime) -> list[tuple[str, int]]:
    """Return why events of the last 30 minutes were refused, most first."""
    reasons = Counter[str]()
    for minute, tally in minutes.items():
        if minute > floor(now) - MINUTES * MINUTE:
            for (outcome, reason), number in tally.items():
                if outcome == "rejected":
                    reasons[reason] += number
    return reasons.most_common()
