"""The live view as a snapshot: the last 30 minutes and the last events."""

import datetime as dt
import threading
from typing import Final

from sqlalchemy import Engine

from app.pages.live.feed import EVERY_SECONDS, keep
from app.pages.live.reading import (
    MINUTE,
    MINUTES,
    NEAR,
    OUTCOMES,
    SNAPSHOT,
    Look,
    floor,
    list_reasons,
    look,
    tabulate,
)
from app.pages.views.common import Context

REASONS: Final = {
    "not_allowed": "a field or a value that is not on the list",
    "pattern": "looks like an address, a path or a key",
    "unknown_key": "a field that the schema does not have",
    "missing": "a required field is missing",
    "too_long": "a text that is too long",
    "out_of_range": "a number or a time out of bounds",
    "wrong_type": "a value of another type",
}


class Snapshot:
    """What arrived lately, looked at once a second at most for all readers of a process. Minutes that are
    over are not read again."""

    def __init__(self, engine: Engine) -> None:
        """`engine` may be one that only reads."""
        self.engine = engine
        self.found = Look()
        self.looked_at: dt.datetime | None = None
        self.lock = threading.Lock()

    def read(self, now: dt.datetime) -> Look:
        """Return the last events and the minutes that the view shows. Raises sqlalchemy.exc.DBAPIError."""
        with self.lock:
            if self.looked_at is None or now - self.looked_at >= dt.timedelta(seconds=EVERY_SECONDS):
                last = floor(self.looked_at or now - MINUTES * MINUTE) - MINUTE
                found = look(self.engine, now - NEAR, max(last, floor(now) - MINUTES * MINUTE), SNAPSHOT)
                self.found = Look(found.events, keep(self.found.minutes | found.minutes))
                self.looked_at = now
            return self.found


def build(snapshot: Snapshot) -> Context:
    """Return what the live view shows. Raises sqlalchemy.exc.DBAPIError."""
    now = dt.datetime.now(dt.UTC)
    found = snapshot.read(now)
    rows = tabulate(found.minutes, now)
    totals = {name: sum(row[name] for row in rows) for name in OUTCOMES}
    return {
        "minutes": rows,
        "totals": totals,
        "arrived": sum(totals.values()),
        "each": sum(row["accepted"] for row in rows[-6:-1]) / 5,
        "refused": [
            (code, REASONS.get(code, ""), number) for code, number in list_reasons(found.minutes, now)
        ],
        "events": found.events,
        "table": [tuple(row[name] for name in ("minute", *OUTCOMES)) for row in reversed(rows)],
    }
