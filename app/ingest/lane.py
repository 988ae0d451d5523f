"""One way of events to where they are durable: one batch at a time, and who waits for the next.

Group commit without timers: what arrives while a commit is in flight forms the next batch. Each caller waits
for its own commit. On an idle service that is one event a commit, on a busy one hundreds. What is not durable
in the first place within half the deadline goes to the next one.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final

from app.ingest.durable import NotKeptError
from app.ingest.places import Place
from app.privacy.verdict import Verdict
from app.problems import Problem
from app.store.events import Batch, Tally

BATCH_ROWS: Final = 1_000  # two requests of 500, stored while two more are judged; more makes a convoy
LARGE_ROWS: Final = 500  # a request with more is written in pieces
PIECE_ROWS: Final = 250

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


class Lane:
    """Makes groups durable, a batch of them at a time. A large request goes in pieces, one beside whatever
    others wait, so that it holds up nobody but itself."""

    def __init__(self, places: Sequence[Place], seconds: float) -> None:
        """Keep batches in the first of `places` that takes them, within half of `seconds` in all but the
        last."""
        self.places = places
        self.seconds = seconds
        self.waiting: deque[Group] = deque()  # in order of their deadlines
        self.large: deque[Group] = deque()  # as well
        self.current: list[Group] = []  # whose batch is being written
        self.tallies: Counter[Tally] = Counter()
        self.tallies_due = False
        self.wake = asyncio.Event()
        self.closing = False

    def add(self, group: Group) -> None:
        """Have a group written."""
        (self.waiting if len(group.verdicts) <= LARGE_ROWS else self.large).append(group)
        self.wake.set()

    async def run(self) -> None:
        """Write until closed, and then what is still waiting."""
        while self.waiting or self.large or self.tallies or not self.closing:
            formed = self.form_batch()
            if formed is not None:
                await self.keep(*formed)
            elif not self.closing:
                self.wake.clear()
                await self.wake.wait()

    def close(self) -> None:
        """Let `run` end after the last batch."""
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
                return await place.keep(batch, self.seconds / 2)
            except NotKeptError:
                continue
        return await last.keep(batch, None)

    def form_batch(self) -> tuple[Batch, list[Group]] | None:
        """Return the next batch with its callers; None if there is nothing to write."""
        groups = self.take()
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

    def take_tallies(self) -> Counter[Tally]:
        """Return what was counted since the last time."""
        taken, self.tallies, self.tallies_due = self.tallies, Counter(), False
        return taken

    def flush_tallies(self) -> None:
        """Have tallies written that no batch takes along."""
        if self.tallies:
            self.tallies_due = True
            self.wake.set()

    def give_up_late(self, now: float) -> None:
        """Answer whoever has waited for the whole deadline."""
        give_up([group for group in self.current if group.due <= now])
        for queue in (self.waiting, self.large):
            give_up(list(takewhile(lambda group: group.due <= now, queue)))


def give_up(groups: Sequence[Group]) -> None:
    """Answer 503 to the callers that still wait. Their events may be stored all
    the same; a 503 is no outcome."""
    for group in groups:
        if not group.done.done():
            group.done.set_exception(NOT_STORED.fresh())
