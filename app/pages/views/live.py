"""The live view as a snapshot: the last 30 minutes and the last events."""

import datetime as dt
from typing import Final

from sqlalchemy import Engine

from app.pages.live.reading import (
    MINUTE,
    MINUTES,
    NEAR,
    OUTCOMES,
    SNAPSHOT,
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


def build(engine: Engine) -> Context:
    """Return what the live view shows. Raises sqlalchemy.exc.DBAPIError."""
    now = dt.datetime.now(dt.UTC)
    found = look(engine, now - NEAR, floor(now) - MINUTES * MINUTE, SNAPSHOT)
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
