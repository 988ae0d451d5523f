"""What is wrong although events are taken: looked for at most every 15 seconds,
since it costs more than a ping."""

import datetime as dt
from typing import Final

from sqlalchemy import Connection, text

LAG: Final = dt.timedelta(minutes=10)
# Of the events of the current and the last hour; few say nothing.
EXPIRED_SHARE: Final = 0.01
EVENTS: Final = 100
SIGNS: Final = {
    "rollups_lag": "SELECT min(received_at) < now() - CAST(:lag AS interval) FROM dirty_sessions",
    "quarantined_sessions": "SELECT true FROM quarantined_sessions LIMIT 1",
    "many_expired": """
        SELECT coalesce(sum(count) FILTER (WHERE outcome = 'expired'), 0)
            > :share * greatest(coalesce(sum(count) FILTER (WHERE outcome = 'received'), 0), :events)
        FROM outcomes WHERE hour >= date_trunc('hour', now() - interval '1 hour')
    """,
}


def look(connection: Connection) -> list[str]:
    """Return the names of what is wrong: `rollups_lag`, `quarantined_sessions`, `many_expired`.

    Rollups are more than ten minutes behind; sessions are quarantined since their recomputation fails
    (`doctor` names them); more than 1 % of recent events came too late to be stored, so a clock is wrong,
    here or in a great many places.
    """
    values = {"lag": LAG, "share": EXPIRED_SHARE, "events": EVENTS}
    return [
        name for name, sign in SIGNS.items() if connection.execute(text(sign), used(sign, values)).scalar()
    ]


def used(sign: str, values: dict[str, object]) -> dict[str, object]:
    """Return the parameters that a statement names."""
    return {name: value for name, value in values.items() if f":{name}" in sign}
