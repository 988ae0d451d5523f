"""Group commit without timers: what arrives while a commit is in flight forms the next batch.

Each caller waits for its own commit. On an idle service that is one event a commit, on a busy one hundreds. A
request of thousands of events is committed in pieces, one beside whatever small ones wait, so that it holds
up nobody but itself. What is not durable in the first place within half the deadline goes to the next one.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final

import structlog

from app.ingest import instruments
from app.ingest.durable import NotKeptError
from app.ingest.places import Place
from app.privacy.verdict import Verdict
from app.problems import Problem
from app.store.events import Batch, Tally

log = structlog.get_logger()

BATCH_ROWS: Final = 1_000  # two requests of 500, stored while two more are judged; more makes a convoy
LARGE_ROWS: Final = 500  # a request with more is written in pieces
PIECE_ROWS: Final = 250
IN_FLIGHT_ROWS: Final = 25_000  # about 40 MB of rows; beyond it the answer is 503 at once
TALLY_SECONDS: Final = 1.0
SWEEP_SECONDS: Final = 0.05

OVERLOADED: Final = Problem("overloaded", "More events are waiting than can be stored now.")
NOT_STORED: Final = Problem("not_stored", "The event could not be stored in time.")


@dataclass(slots=True)
class Group:
    """The events of one request, and the future that its caller waits on."""

    verdicts: Sequence[Verdict]
    tallies: Mapping[Tally, int]
    done: asyncio.Future[list[str]]
    due: float  # on the event loop's clock
    outcomes: list[str] = field(default_factory=list)  # of the pieces that are durable

    def next_piece(self) -> Sequence[Verdict]:
        """Return the verdicts that are due to be written: all of them, but for a large request."""
        if len(self.verdicts) <= LARGE_ROWS:
            return self.verdicts
        done = len(self.outcomes)
        return self.verdicts[done : done + PIECE_ROWS]

    def is_last_piece(self) -> bool:
        """Return whether nothing is left after the next piece."""
        return len(self.outcomes) + len(self.next_piece()) == len(self.verdicts)


class Writer:
    """The only way in: one task, one batch at a time."""

    def __init__(self, places: Sequence[Place], deadline_ms: int) -> None:
        """Make batches durable in the first of `places` that takes them; a caller waits `deadline_ms`
        milliseconds at the most."""
        self.places = places
        self.deadline = deadline_ms / 1000
        self.waiting: deque[Group] = deque()  # in order of their deadlines
        self.large: deque[Group] = deque()  # as well
        self.current: list[Group] = []  # whose batch is being written
        self.rows_in_flight = 0
        self.tallies: Counter[Tally] = Counter()
        self.tallies_due = False
        self.wake = asyncio.Event()
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
        (self.waiting if len(verdicts) <= LARGE_ROWS else self.large).append(group)
        self.rows_in_flight += len(verdicts)
        self.wake.set()
        try:
            return await group.done
        finally:
            self.rows_in_flight -= len(verdicts)

    def tally(self, tally: Tally) -> None:
        """Count something that is no event; it is flushed within a second."""
        self.tallies[tally] += 1

    async def run(self) -> None:
        """Write until closed, and then what is still waiting."""
        helpers = [asyncio.create_task(self.flush_tallies()), asyncio.create_task(self.keep_deadlines())]
        try:
            while self.waiting or self.large or self.tallies or not self.closing:
                formed = self.form_batch()
                if formed is not None:
                    await self.keep(*formed)
                elif not self.closing:
                    self.wake.clear()
                    await self.wake.wait()
        finally:
            for helper in helpers:
                helper.cancel()

    def close(self) -> None:
        """Take no more, and let `run` end after the last batch."""
        self.closing = True
        self.wake.set()

    async def keep(self, batch: Batch, groups: list[Group]) -> None:
        """Make a batch durable and wake its callers."""
        self.current = groups
        try:
            outcomes = iter(await self.make_durable(batch))
        except NotKeptError:
            give_up(groups)
            return
        for group in groups:
            group.outcomes += [next(outcomes) for _ in group.next_piece()]
            if len(group.outcomes) == len(group.verdicts) and not group.done.done():
                group.done.set_result(group.outcomes)

    async def make_durable(self, batch: Batch) -> list[str]:
        """Return the outcomes of a batch from where it is durable. Raises NotKeptError if that is nowhere."""
        *first, last = self.places
        for place in first:
            try:
                return await place.keep(batch, self.deadline / 2)
            except NotKeptError:
                continue
        return await last.keep(batch, None)

    def form_batch(self) -> tuple[Batch, list[Group]] | None:
        """Return the next batch with its callers; None if there is nothing to write."""
        groups = self.take()
        instruments.IN_FLIGHT.set(self.rows_in_flight)
        tallies = self.take_tallies() if groups or self.tallies_due or self.closing else Counter[Tally]()
        if not groups and not tallies:
            return None
        for group in groups:
            if group.tallies and group.is_last_piece():  # whoever got 503 before sends it all again
                tallies.update(group.tallies)
        return Batch([verdict for group in groups for verdict in group.next_piece()], tallies), groups

    def take(self) -> list[Group]:
        """Return the groups of the next batch, oldest first and a large one last;
        callers that gave up are left out.

        A large one stays first of its kind until its last piece is taken, and has room for
        one however many small ones wait.
        """
        while self.large and self.large[0].done.done():
            self.large.popleft()
        groups: list[Group] = []
        rows = PIECE_ROWS if self.large else 0
        while self.waiting and (not groups or rows + len(self.waiting[0].verdicts) <= BATCH_ROWS):
            group = self.waiting.popleft()
            if not group.done.done():
                groups.append(group)
                rows += len(group.verdicts)
        if self.large:
            groups.append(self.large[0] if not self.large[0].is_last_piece() else self.large.popleft())
        return groups

    async def keep_deadlines(self) -> None:
        """Answer whoever has waited for the whole deadline: one sweep for all costs
        less than a timer for each."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            give_up([group for group in self.current if group.due <= loop.time()])
            for queue in (self.waiting, self.large):
                give_up(list(takewhile(lambda group: group.due <= loop.time(), queue)))

    def take_tallies(self) -> Counter[Tally]:
        """Return what was counted since the last time."""
        taken, self.tallies, self.tallies_due = self.tallies, Counter(), False
        return taken

    async def flush_tallies(self) -> None:
        """Let tallies that no batch takes along be written once a second."""
        while True:
            await asyncio.sleep(TALLY_SECONDS)
            if self.tallies:
                self.tallies_due = True
                self.wake.set()


def give_up(groups: Sequence[Group]) -> None:
    """Answer 503 to the callers that still wait. Their events may be stored all
    the same; a 503 is no outcome."""
    for group in groups:
        if not group.done.done():
            group.done.set_exception(NOT_STORED.fresh())
