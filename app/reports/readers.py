"""Who may read reports: whoever brings the token of the settings, or one of
`tokens create` that is in force."""

import asyncio
import math
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.privacy.pseudonyms import Pseudonyms
from app.problems import ASK_FOR_TOKEN, Problem
from app.web.throttle import Rate, Throttle

log = structlog.get_logger()

REFRESH_SECONDS: Final = 5.0  # how long a revoked token goes on working at the most
# Wrong tokens an address may bring at once, and again after how long, wherever it brings them.
TRIES: Final = Rate(burst=5, per_second=5 / 60)
ALL_TRIES: Final = Rate(burst=1_000, per_second=50)
Load = Callable[[], Mapping[bytes, tuple[int, float]]]


@dataclass(frozen=True, slots=True, repr=False)
class Reader:
    """Whose token it is: 0 is that of the settings. `secret` signs the cookies of its
    logins, `until` is when it ends."""

    number: int
    secret: bytes
    until: float = math.inf

    @property
    def is_in_force(self) -> bool:
        """Return whether the token works now."""
        return time.time() < self.until


class Readers:
    """The tokens in force, in memory; a token is looked up by its HMAC, so that no
    answer's time tells anything of it."""

    def __init__(self, token: str, pseudonyms: Pseudonyms | None = None, load: Load = dict) -> None:
        """Take the token of the settings; `load` gives numbers and ends by HMAC, and
        is called off the event loop."""
        self.token = token.encode()
        self.pseudonyms = pseudonyms
        self.load = load
        self.by_hash: dict[bytes, Reader] = {}
        self.by_number = {0: Reader(0, self.token)}
        self.tries = Throttle(TRIES, ALL_TRIES)

    def require(self, token: str, address: str) -> Reader:
        """Return whose token it is. Raises Problem 401, or 429 after too many wrong ones from the address.

        A right one is never counted and never waits, whatever others brought from the same address.
        """
        reader = self.find(token)
        if reader is not None:
            return reader
        if not token:  # which is no try
            raise Problem(
                "unauthorized",
                "Reports need a report token: Authorization: Bearer <token>.",
                challenge=ASK_FOR_TOKEN,
            )
        wait = self.tries.admit(address)
        if wait is not None:
            raise Problem(
                "too_many_requests",
                "Too many wrong report tokens. Try again in a minute.",
                retry_after=wait,
            )
        raise Problem("unauthorized", "This is not a report token.", challenge=ASK_FOR_TOKEN)

    def find(self, token: str) -> Reader | None:
        """Return whose token it is, if it is one in force."""
        given = token.encode("utf-8", "replace")
        if secrets.compare_digest(given, self.token):
            return self.by_number[0]
        found = self.by_hash.get(self.pseudonyms.report_token(token)) if self.pseudonyms else None
        return found if found is not None and found.is_in_force else None

    def get(self, number: int) -> Reader | None:
        """Return the reader of a number, if the token is in force."""
        found = self.by_number.get(number)
        return found if found is not None and found.is_in_force else None

    def learn(self) -> None:
        """Read the tokens of the database. Raises sqlalchemy.exc.SQLAlchemyError."""
        if self.pseudonyms is None:
            return
        sign = self.pseudonyms.secret
        self.by_hash = {
            token_hash: Reader(number, sign("report cookie", token_hash.hex()), until)
            for token_hash, (number, until) in self.load().items()
        }
        self.by_number = {0: self.by_number[0]} | {each.number: each for each in self.by_hash.values()}

    async def keep_fresh(self) -> None:
        """Learn for ever. While the database is unavailable the tokens known so far stay in force."""
        while True:
            try:
                await asyncio.to_thread(self.learn)
            except SQLAlchemyError as error:
                log.debug("tokens_not_refreshed", error=type(error).__name__)
            await asyncio.sleep(REFRESH_SECONDS)
