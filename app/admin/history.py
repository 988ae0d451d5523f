"""Imports history: files of JSON lines, through the same verdict and the same
write transaction as live events.

A line is a track object, an archived one as Segment exports it, or a captured request (with `path` and
`body`). Times are kept as they are. What was stored before is recognised, so a file can be imported again.
"""

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.admin import archives
from app.contract.document import Document, ParsedEvent, RepeatedKeys, canonical, parse
from app.contract.limits import BATCH_EVENTS
from app.contract.moments import EARLIEST
from app.privacy.envelope import find_refusal_of_batch, is_too_large
from app.privacy.projection import Arrival
from app.privacy.verdict import Verdict, VerdictContext, judge
from app.problems import Problem, TelemetryError
from app.store import partitions
from app.store.events import INTERNAL, REJECTED, Batch, Tally, hour_of, insert
from app.store.lexicon import Lexicon

ROWS: Final = 1_000
RETRIES: Final = 10
RETRY_SECONDS: Final = 0.5
LINES_SHOWN: Final = 5  # of each refusal
INGESTED: Final = ("/v1/track", "/v1/batch", "/v1/b", "/v1/import")
NOT_JSON: Final = ("not_json", "")


class Position(NamedTuple):
    """Where an event was found."""

    path: Path
    line: int


@dataclass(slots=True)
class Refusals:
    """How many events a rule refused at a path, and the first lines of them."""

    number: int = 0
    positions: list[Position] = field(default_factory=list)

    def add(self, position: Position) -> None:
        """Count one more."""
        self.number += 1
        if len(self.positions) < LINES_SHOWN and position not in self.positions:
            self.positions.append(position)


@dataclass(slots=True)
class Summary:
    """What became of the lines: outcomes of events, refusals by rule and path,
    and lines that hold no event."""

    outcomes: Counter[str] = field(default_factory=Counter)
    refusals: dict[tuple[str, str], Refusals] = field(default_factory=dict)
    withheld: Counter[str] = field(default_factory=Counter)
    envelopes: int = 0
    skipped: int = 0
    unread: list[str] = field(default_factory=list)  # what is wrong with files that end too early

    def refuse(self, reason: str, path: str, position: Position) -> None:
        """Count a refusal."""
        self.refusals.setdefault((reason, path), Refusals()).add(position)

    def add(self, judged: "Judged", outcome: str) -> None:
        """Count an event."""
        verdict = judged.verdict
        self.outcomes[outcome] += 1
        self.envelopes += verdict.dropped
        self.withheld.update(verdict.withheld)
        if outcome == REJECTED:
            self.refuse(verdict.reason or INTERNAL, verdict.path or "", judged.position)

    @property
    def share_refused(self) -> float:
        """The share of all events and unreadable lines that was refused."""
        unreadable = self.refusals.get(NOT_JSON, Refusals()).number
        refused = self.outcomes[REJECTED] + unreadable
        return refused / max(1, self.outcomes.total() + unreadable)


class Judged(NamedTuple):
    """The verdict on an event, and where it stands."""

    verdict: Verdict
    position: Position


def events(line: bytes, position: Position, summary: Summary) -> Iterator[tuple[ParsedEvent, object]]:
    """Yield the events of a line, each with the `sentAt` of the batch that it was in; a
    line without any is counted."""
    try:
        document = parse(line)
    except Problem:
        summary.refuse(*NOT_JSON, position)
        return
    body = document.value
    if isinstance(body, dict) and "body" in body and "path" in body:
        if body["path"] not in INGESTED:
            summary.skipped += 1
            return
        body = body["body"]
    is_batch = isinstance(body, dict) and isinstance(body.get("batch"), list)
    if is_batch and not isinstance(body, RepeatedKeys):  # of two lists it would take the last
        refusal = find_refusal_of_batch(body, archived=True, clean=document.clean)
        for event in body["batch"][:BATCH_EVENTS]:
            yield read(event, document, refusal), body.get("sentAt")
    else:
        yield read(body, document), None


def read(value: object, document: Document, refusal: tuple[str, str] | None = None) -> ParsedEvent:
    """Return an event of a document."""
    form = canonical(value)
    fault = "too_large" if is_too_large(value, form, archived=True) else None
    return ParsedEvent(value, document.clean, form, fault, refusal)


def judge_files(
    paths: Iterable[Path],
    arrival: Arrival,
    verdict_context: VerdictContext,
    summary: Summary,
    progress: Callable[[int, int], None],
) -> Iterator[Judged]:
    """Yield the verdict on every event of some files, of a damaged one on those ahead of the damage.
    `progress` is called with the file's number and how far into it."""
    for number, path in enumerate(paths):
        for position, line in number_lines(path, partial(progress, number), summary):
            if line.strip():
                for parsed, sent_at in events(line, position, summary):
                    yield Judged(judge(parsed, arrival._replace(sent_at=sent_at), verdict_context), position)


def number_lines(
    path: Path, progress: Callable[[int], None], summary: Summary
) -> Iterator[tuple[Position, bytes]]:
    """Yield the lines of a file with their positions, as far as it can be read."""
    position = Position(path, 0)
    try:
        for line in archives.lines(path, progress):
            position = Position(path, position.line + 1)
            yield position, line
    except TelemetryError as error:
        summary.unread.append(f"{error} Lines read of it: {position.line:,}.")


def pretend(found: Iterable[Judged], summary: Summary) -> None:
    """Count what would become of events, and store nothing."""
    for judged in found:
        summary.add(judged, REJECTED if judged.verdict.rejected else "accepted")


def load(found: Iterator[Judged], connection: Connection, engine: AsyncEngine, summary: Summary) -> None:
    """Store verdicts, a thousand a transaction, their weeks' partitions made
    before. `connection` makes those."""

    async def run() -> None:
        async with engine.connect() as writer:
            lexicon = Lexicon()
            while chunk := list(islice(found, ROWS)):
                verdicts = [judged.verdict for judged in chunk]
                make_partitions(connection, verdicts)
                outcomes = await store(writer, lexicon, Batch(verdicts, count_envelopes(verdicts)))
                for judged, outcome in zip(chunk, outcomes, strict=True):
                    summary.add(judged, outcome)
        await engine.dispose()

    asyncio.run(run())


def count_envelopes(verdicts: Iterable[Verdict]) -> Counter[Tally]:
    """Return how many events had an envelope, as a tally."""
    return Counter(
        Tally(hour_of(verdict.row["received_at"]), verdict.row["write_key"], "envelope", "")
        for verdict in verdicts
        if verdict.dropped
    )


def make_partitions(connection: Connection, chunk: Iterable[Verdict]) -> None:
    """Make the partitions of past and coming weeks; a clock that is further ahead is
    left to the default partition."""
    last = partitions.due(dt.datetime.now(dt.UTC))[-1]
    weeks = {partitions.monday(verdict.row["occurred_at"]) for verdict in chunk}
    earliest = partitions.monday(EARLIEST)
    partitions.make_all(connection, sorted(week for week in weeks if earliest <= week <= last))


async def store(writer: AsyncConnection, lexicon: Lexicon, batch: Batch) -> list[str]:
    """Commit a batch, again if a fault passes, and return the outcomes: under its id nothing is counted
    twice. Its versions cost no budget."""
    for attempt in range(1, RETRIES + 1):
        try:
            await lexicon.settle(writer, [batch], free=True)
            return await insert(writer, batch)
        except DBAPIError as error:
            if attempt == RETRIES or error.connection_invalidated:
                raise TelemetryError(
                    "The database went away. Import the file again: what is stored is recognised."
                ) from None
            await asyncio.sleep(RETRY_SECONDS)
    raise AssertionError
