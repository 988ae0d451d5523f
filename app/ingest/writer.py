"""The only way in: two lanes, so that nobody who sends a few events waits for the thousands of another.

Each lane commits one batch at a time (`app.ingest.lane`). Both in one, an event waited for the commit of
hundreds of rows that was under way, and for its own beside the next hundreds
(docs/decisions/0068-two-lanes.md).
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from app.ingest import instruments
from app.ingest.lane import Group, Lane
from app.ingest.places import Place
from app.privacy.verdict import Verdict
from app.problems import Problem
from app.store.events import Tally

FEW_ROWS: Final = 50  # a request with more is a batch, and waits for batches only
IN_FLIGHT_ROWS: Final = 25_000  # about 40 MB of rows; beyond it the answer is 503 at once
TALLY_SECONDS: Final = 1.0
SWEEP_SECONDS: Final = 0.05

OVERLOADED: Final = Problem("overloaded", "More events are waiting than can be stored now.")


class Writer:
    """Hands the events of each request to a lane, and bounds what waits in both."""

    def __init__(self, few: Sequence[Place], many: Sequence[Place], deadline_ms: int) -> None:
        """Make requests of a few events durable in the first of the places `few` that takes them, batches in
        `many`; a caller waits `deadline_ms` milliseconds at the most."""
        self.deadline = deadline_ms / 1000
        self.few = Lane(few, self.deadline)
        self.many = Lane(many, self.deadline)
        self.rows_in_flight = 0
        self.closing = False

    async def submit(self, verdicts: Sequence[Verdict], tallies: Mapping[Tally, int]) -> list[str]:
        """Make the verdicts of one request durable; return their outcomes, in order,
        `queued` for what is on its way to Postgres.

        Raises Problem 503 when too much is waiting already, or when no place takes it in time.
        """
        if self.rows_in_flight + len(verdicts) > IN_FLIGHT_ROWS or self.closing:
            raise OVERLOADED.fresh()
        loop = asyncio.get_running_loop()
        group = Group(verdicts, tallies, loop.create_future(), loop.time() + self.deadline)
        (self.few if len(verdicts) <= FEW_ROWS else self.many).add(group)
        self.rows_in_flight += len(verdicts)
        try:
            return await group.done
        finally:
            self.rows_in_flight -= len(verdicts)

    def tally(self, tally: Tally) -> None:
        """Count something that is no event; it is flushed within a second."""
        self.few.tallies[tally] += 1

    async def run(self) -> None:
        """Write until closed, and then what is still waiting."""
        helpers = [asyncio.create_task(self.flush_tallies()), asyncio.create_task(self.keep_deadlines())]
        try:
            await asyncio.gather(self.few.run(), self.many.run())
        finally:
            for helper in helpers:
                helper.cancel()

    def close(self) -> None:
        """Take no more, and let `run` end after the last batches."""
        self.closing = True
        self.few.close()
        self.many.close()

    async def keep_deadlines(self) -> None:
        """Answer whoever has waited for the whole deadline, and tell `/metrics` how many wait: one sweep for
        all costs less than a timer for each."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.few.give_up_late(loop.time())
            self.many.give_up_late(loop.time())
            instruments.IN_FLIGHT.set(self.rows_in_flight)

    async def flush_tallies(self) -> None:
        """Let tallies that no batch takes along be written once a second."""
        while True:
            await asyncio.sleep(TALLY_SECONDS)
            self.few.flush_tallies()
