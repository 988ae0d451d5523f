"""The write keys in force, in memory: a known `Authorization` header costs one dictionary look-up."""

import asyncio
import datetime as dt
import math
import os
import re
import tempfile
import time
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.privacy.pseudonyms import Pseudonyms
from app.problems import Problem
from app.store.causes import describe_fault
from app.store.keys import Grant

log = structlog.get_logger()

REFRESH_SECONDS: Final = 5.0  # how long a revoked key goes on working at the most
READ_SECONDS: Final = 0.5  # a request with an unknown key waits that long for an answer at the most
MISS_SECONDS: Final = 0.5  # how often an unknown key makes us look at the database
# Headers that are remembered: one key can be written in any number of them, behind a colon.
# Others cost an HMAC each time.
HEADERS: Final = 256
HEADER_BYTES: Final = 512
USE_SECONDS: Final = 60.0  # how often it is written down which keys were used
NAME: Final = b'"writeKey"'
KEY: Final = re.compile(NAME + rb'\s{0,99}:\s{0,99}("(?:[^"\\]|\\.){1,600}")')
UNAUTHORIZED: Final = Problem("unauthorized", "The write key is missing or unknown.")
UNAVAILABLE: Final = Problem("database_unavailable", "Write keys cannot be checked right now.")


@dataclass(frozen=True, slots=True, repr=False)
class Sender:
    """Who sends: the number of the write key, its text, which only the message key needs,
    and what it may do until when."""

    write_key: int
    text: bytes
    scopes: frozenset[str]
    until: float


class Keyring:
    """Knows what each write key may do; asks `load` (grants by pseudonym) for it, off the event loop.

    What it learned is remembered in a file (pseudonyms only), so that a restart during an outage of Postgres
    refuses nobody. Before Postgres was ever reached, the keys of the settings are known under provisional,
    negative numbers. Now and then `note` gets the numbers of the keys that were used.
    """

    def __init__(
        self,
        pseudonyms: Pseudonyms,
        load: Callable[[], Mapping[bytes, Grant]],
        note: Callable[[Collection[int], dt.datetime], Awaitable[None]],
        memory: Path,
        configured: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        """Start with what `memory` holds and with the `configured` keys; `refresh` asks the database."""
        self.pseudonyms = pseudonyms
        self.load = load
        self.note = note
        self.memory = memory
        self.provisional = {
            pseudonyms.write_key(key): Grant(-number, scopes)
            for number, (key, scopes) in enumerate((configured or {}).items(), 1)
        }
        self.known: Mapping[bytes, Grant] = {**self.provisional, **recall(memory)}
        self.is_loaded = False
        self.by_header: dict[bytes, Sender] = {}
        self.refreshed = float("-inf")
        self.reading: asyncio.Task[None] | None = None
        self.used: set[int] = set()
        self.noted = time.monotonic()

    async def refresh(self) -> None:
        """Read the keys in force, one reader at a time.

        Raises sqlalchemy.exc.SQLAlchemyError, or TimeoutError while the database does not answer.
        """
        if time.monotonic() - self.refreshed < MISS_SECONDS:
            return
        reading = self.reading
        if reading is None or reading.done():
            reading = self.reading = asyncio.create_task(self.read())
            reading.add_done_callback(lambda task: task.cancelled() or task.exception())
        done, _ = await asyncio.wait({reading}, timeout=READ_SECONDS)
        if not done:
            raise TimeoutError
        reading.result()

    async def read(self) -> None:
        """Read the keys and remember them."""
        began = (
            time.monotonic()
        )  # a key that is made while this reads is looked for again, as if made after it
        loaded = await asyncio.to_thread(self.load)
        if loaded != self.known:
            await asyncio.to_thread(remember, self.memory, loaded)
        self.known = loaded
        self.is_loaded = True
        self.by_header = {}
        self.refreshed = began

    async def keep_fresh(self) -> None:
        """Refresh for ever. While the database is unavailable the keys known so far stay in force."""
        while True:
            try:
                await self.refresh()
                if time.monotonic() - self.noted > USE_SECONDS:
                    await self.note_use()
            except (SQLAlchemyError, TimeoutError) as error:
                log.warning("keys_not_refreshed", **describe_fault(error))
            await asyncio.sleep(REFRESH_SECONDS)

    async def note_use(self) -> None:
        """Write down which keys were used since the last time: once a minute, not once an event.

        Raises sqlalchemy.exc.SQLAlchemyError or TimeoutError; what was to be
        noted is noted the next time then.
        """
        used, self.used = {self.resolve(number) for number in self.used}, set()
        try:
            if used:
                await self.note(used, dt.datetime.now(dt.UTC))
        except BaseException:
            self.used |= used
            raise
        self.noted = time.monotonic()

    async def authenticate(self, header: bytes | None, body_key: object) -> Sender:
        """Return the sender, by the header if there is one, else by the body's
        `writeKey`. Raises Problem 401."""
        if header is not None:
            known = self.by_header.get(header)
            if known is not None and time.time() < known.until:
                self.used.add(known.write_key)
                return known
        key = read_basic(header) if header is not None else body_key
        if not isinstance(key, str) or not key.isascii() or not key:
            raise UNAUTHORIZED.fresh()
        sender = self.find(key)
        if sender is None:
            await self.refresh_after_miss()
            sender = self.find(key)
        if sender is None:
            raise UNAUTHORIZED.fresh()
        self.used.add(sender.write_key)
        if header is not None and len(header) <= HEADER_BYTES:
            if len(self.by_header) >= HEADERS:
                del self.by_header[next(iter(self.by_header))]
            self.by_header[header] = sender
        return sender

    async def refresh_after_miss(self) -> None:
        """Look whether an unknown key was made a moment ago. Raises Problem 503 while nobody can know."""
        try:
            await self.refresh()
        except (SQLAlchemyError, TimeoutError):
            if not self.known:
                raise UNAVAILABLE.fresh() from None

    def resolve(self, number: int) -> int:
        """Return the number of a key in the database, also where it was provisional.

        0 for a key that is no longer in force, or in the settings: what was promised
        under it is stored all the same.
        """
        if number >= 0:
            return number
        keys = [key for key, grant in self.provisional.items() if grant.number == number]
        known = self.known.get(keys[0]) if keys else None
        return 0 if known is None else known.number

    def find(self, key: str) -> Sender | None:
        """Return the sender of a key in force."""
        grant = self.known.get(self.pseudonyms.write_key(key))
        if grant is None or not grant.is_in_force:
            return None
        return Sender(grant.number, key.encode(), grant.scopes, grant.until)


def recall(memory: Path) -> dict[bytes, Grant]:
    """Return the keys that a file remembers; none if it cannot be read."""
    try:
        document = orjson.loads(memory.read_bytes())
        return {
            bytes.fromhex(key): Grant(
                int(number), frozenset(scopes), math.inf if until is None else float(until)
            )
            for key, (number, scopes, until) in document.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def remember(memory: Path, known: Mapping[bytes, Grant]) -> None:
    """Write the keys to a file that only we can read; a full disk is no reason to refuse events."""
    # JSON has no infinity: orjson writes null.
    text = orjson.dumps(
        {key.hex(): (each.number, sorted(each.scopes), each.until) for key, each in known.items()}
    )
    try:
        descriptor, temporary = tempfile.mkstemp(dir=memory.parent, prefix=f".{memory.name}-")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(text)
        Path(temporary).replace(memory)
    except OSError as error:
        log.warning("keys_not_remembered", error=type(error).__name__)


def find_key(raw: bytes) -> str | None:
    """Return the write key that the text of a body seems to name, the last of several; None if it names none.

    So that the body of a stranger is not parsed.
    """
    match = None
    for place in (raw.rfind(NAME), raw.find(NAME)):
        match = match or (KEY.match(raw, place) if place >= 0 else None)
    if match is None:
        return None
    try:
        return str(orjson.loads(match[1]))
    except ValueError:
        return None


def read_basic(header: bytes) -> str | None:
    """Return the user name of an HTTP Basic header, whose colon may be missing;
    None if it is something else."""
    scheme, _, credentials = header.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        return b64decode(credentials.strip(), validate=True).decode("ascii").partition(":")[0]
    except (Base64Error, ValueError):
        return None
