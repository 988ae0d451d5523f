"""Times as they may arrive: ISO 8601 and RFC 3339, of the years in which an event can have happened."""

import datetime as dt
import re
from typing import Annotated, Final

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

FIRST_YEAR, LAST_YEAR = "2023", "2099"
LEAP_SECOND: Final = re.compile(".{10}[T ][0-9]{2}:[0-9]{2}:60")
EARLIEST: Final = dt.datetime(2023, 1, 1, tzinfo=dt.UTC)
LATEST: Final = dt.datetime(2100, 1, 2, tzinfo=dt.UTC)  # wherever the clock stood
MOMENT_SCHEMA: Final = {
    "type": "string",
    "format": "date-time",
    "pattern": "^20(?:2[3-9]|[3-9][0-9])-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])[Tt]"
    "(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:[.][0-9]{1,9})?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$",
}


def parse_moment(text: object) -> dt.datetime:
    """Return a time in UTC. ISO 8601 or RFC 3339 with any offset, none meaning UTC; years
    2023 to 2099 as they are written.

    A leap second is the second after it. Raises PydanticCustomError.
    """
    # Python takes any character between date and time, `2026-11-23x01:59:40` too.
    if (
        isinstance(text, str)
        and text.isascii()
        and len(text) > 10
        and (text[10] in "Tt " or text[8] in "Tt ")
        and FIRST_YEAR <= text[:4] <= LAST_YEAR
    ):
        try:
            moment = dt.datetime.fromisoformat(text)
        except ValueError:
            moment = parse_rare_moment(text)
        try:
            if moment.tzinfo is not dt.UTC:
                moment = moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
        except OverflowError:
            pass
        else:
            if moment < LATEST:  # the years of ISO's weeks are not the calendar's
                return moment
    raise PydanticCustomError("moment", "not an ISO 8601 time between 2023 and 2099")


def parse_rare_moment(text: str) -> dt.datetime:
    """Return what Python does not read of RFC 3339: a lower-case `z`, and
    second 60 as the second after it."""
    plain = text.upper()
    leap = LEAP_SECOND.match(plain) is not None
    try:
        moment = dt.datetime.fromisoformat(f"{plain[:17]}59{plain[19:]}" if leap else plain)
    except ValueError:
        raise PydanticCustomError("moment", "not an ISO 8601 time") from None
    return moment + dt.timedelta(seconds=1) if leap else moment


Moment = Annotated[
    dt.datetime,
    PlainValidator(parse_moment),
    WithJsonSchema(MOMENT_SCHEMA | {"description": "2023 to 2099; without an offset UTC"}),
]
SentAt = Annotated[str, WithJsonSchema(MOMENT_SCHEMA)]
