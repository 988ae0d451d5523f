"""The stream: one task a process looks once a second while anybody listens, and hands
what it found to all of them."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.pages.live.reading import MINUTE, MINUTES, MOST, OUTCOMES, Look, Tally, floor, look, tabulate
from app.problems import Problem

log = structlog.get_logger()

LISTENERS: Final = 20
EVERY_SECONDS: Final = 1.0
COMMENT_SECONDS: Final = 15.0
RETRY: Final = b"retry: 3000\n\n"
COMMENT: Final = b": still here\n\n"
BACKLOG: Final = 30  # looks that a slow listener may fall behind; then it is let go


class Feed:
    """Those who listen, and the task that looks for them. It knows nothing of the way in:
    it reads what is committed."""

    def __init__(self, engine: Engine) -> None:
        """`engine` may be one that only reads."""
        self.engine = engine
        self.listeners: set[asyncio.Queue[bytes | None]] = set()
        self.task: asyncio.Task[None] | None = None
        self.minutes: dict[dt.datetime, Tally] = {}

    def join(self) -> "asyncio.Queue[bytes | None]":
        """Return the queue of a new listener. Raises Problem 503 if there are too many."""
        if len(self.listeners) >= LISTENERS:
            raise Problem("too_many_listeners", "Too many people watch already.")
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(BACKLOG)
        self.listeners.add(queue)
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self.run())
        return queue

    async def listen(self, queue: "asyncio.Queue[bytes | None]") -> AsyncIterator[bytes]:
        """Yield the stream of one listener until it leaves, or falls too far behind."""
        try:
            yield RETRY
            while True:
                try:
                    message = await asyncio.wait_for(queue.get(), COMMENT_SECONDS)
                except TimeoutError:
                    message = COMMENT
                if message is None:
                    return
                yield message
        finally:
            self.listeners.discard(queue)

    async def run(self) -> None:
        """Look once a second as long as anybody listens."""
        now = dt.datetime.now(dt.UTC)
        since, minutes_since = now, floor(now) - MINUTES * MINUTE
        self.minutes = {}
        accepted = None
        while self.listeners:
            try:
                found = await asyncio.to_thread(look, self.engine, since, minutes_since, MOST)
            except SQLAlchemyError as error:
                log.warning("live_view_waits", error=type(error).__name__)
            else:
                since = max((event["received_at"] for event in found.events), default=since)
                minutes_since = floor(dt.datetime.now(dt.UTC)) - MINUTE
                self.minutes = keep(self.minutes | found.minutes)
                before, accepted = accepted, count_accepted(self.minutes)
                arrived = 0 if before is None else max(accepted - before, 0)
                self.hand_out(write(found, self.minutes, arrived))
            await asyncio.sleep(EVERY_SECONDS)

    def hand_out(self, message: bytes) -> None:
        """Give all listeners what was found; who is too slow is let go, and comes back by itself."""
        for queue in list(self.listeners):
            if queue.full():
                self.listeners.discard(queue)
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(None)
            else:
                queue.put_nowait(message)


def keep(minutes: dict[dt.datetime, Tally]) -> dict[dt.datetime, Tally]:
    """Return the last 30 minutes."""
    oldest = floor(dt.datetime.now(dt.UTC)) - MINUTES * MINUTE
    return {minute: tally for minute, tally in minutes.items() if minute > oldest}


def count_accepted(minutes: dict[dt.datetime, Tally]) -> int:
    """Return how many events of these minutes were accepted."""
    return sum(n for tally in minutes.values() for (outcome, _), n in tally.items() if outcome == "accepted")


def write(found: Look, minutes: dict[dt.datetime, Tally], arrived: int) -> bytes:
    """Return a look as server-sent events: the events, oldest first, the running minute,
    and how many are not listed."""
    out = [
        emit("accepted", {name: value for name, value in event.items() if name != "received_at"})
        for event in reversed(found.events)
    ]
    rows = tabulate(minutes, dt.datetime.now(dt.UTC))
    totals = {name: sum(row[name] for row in rows) for name in OUTCOMES}
    out.append(emit("minute", {**rows[-1], "totals": totals}))
    if arrived > len(found.events):
        out.append(emit("omitted", {"events": arrived - len(found.events)}))
    return b"".join(out)


def emit(name: str, payload: dict[str, Any]) -> bytes:
    """Return one server-sent event."""
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(payload) + b"\n\n"
