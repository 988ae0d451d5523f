"""The client's time: what an event's is, and what it was if the client's clock was off."""

import datetime as dt
from typing import Final

from pydantic_core import PydanticCustomError

from app.contract.moments import EARLIEST, LATEST, parse_moment
from app.privacy.pseudonyms import to_ms, ulid_ms

NO_TIME: Final = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)  # never the arrival: a retry would be another event
CLOCK_DRIFT: Final = dt.timedelta(minutes=55)  # less is a slow clock; more is a wrong time zone
NO_DRIFT: Final = -CLOCK_DRIFT
MOST_DRIFT: Final = dt.timedelta(days=3 * 365)  # more is no clock that anybody has looked at
HOUR: Final = dt.timedelta(hours=1)
RESTS: Final = [dt.timedelta(microseconds=rest) for rest in range(1000)]  # `replace` takes ten times as long
EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def minted_at(session_id: str | None) -> dt.datetime:
    """Return the time inside a session's ULID, where an event has no time of its
    own; 2000-01-01 without one."""
    if session_id:
        milliseconds = ulid_ms(session_id)
        if to_ms(EARLIEST) <= milliseconds < to_ms(LATEST):
            return EPOCH + dt.timedelta(milliseconds=milliseconds)
    return NO_TIME


def cut(moment: dt.datetime) -> dt.datetime:
    """Return a time at the millisecond that it lies in. The rest of it is part of the message key."""
    return moment - RESTS[moment.microsecond % 1000]


def correct(timestamp: dt.datetime, sent_at: object, received_at: dt.datetime) -> dt.datetime | None:
    """Return the corrected time of an event whose clock is off by 55 minutes to three years, else None.

    drift = received_at - (sentAt, else timestamp); corrected time = timestamp + drift in whole hours: clocks
    are off by time zones and days, and more than that would only be a place to keep something.
    """
    try:
        drift = received_at - (parse_moment(sent_at) if sent_at is not None else timestamp)
    except PydanticCustomError:  # an invalid sentAt is ignored
        drift = received_at - timestamp
    if NO_DRIFT < drift < CLOCK_DRIFT:
        return None
    return timestamp + round(drift / HOUR) * HOUR if CLOCK_DRIFT <= abs(drift) <= MOST_DRIFT else None
