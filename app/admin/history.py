"""Imports history: files of JSON lines, through the same verdict and the same write transaction as live events.

A line is a track object, an archived one as Segment exports it, or a captured request (with `path` and `body`). Times are
kept as they are. What was stored before is recognised, so a file can be imported again.
"""

import asyncio
import datetime as dt
import gzip
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, cast

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.contract.document import parse
from app.contract.limits import BATCH_BYTES, BATCH_EVENTS, EVENT_BYTES
from app.contract.wire import EARLIEST
from app.privacy.projection import Arrival
from app.privacy.verdict import Installation, Verdict, judge
from app.problems import Problem, TelemetryError
from app.store import partitions
from app.store.events import REJECTED, Batch, insert

ROWS: Final = 1_000
RETRIES: Final = 10
RETRY_SECONDS: Final = 0.5
LINE_BYTES: Final = 2 * BATCH_BYTES
MAGIC: Final = b"\x1f\x8b"
INGESTED: Final = ("/v1/track", "/v1/batch", "/v1/import")
# What Segment's archives add to an event beside what the wire tolerates.
ARCHIVED: Final = frozenset({"channel", "projectId", "version", "_metadata"})


@dataclass(slots=True)
class Summary:
    """What became of the lines: outcomes of events, and lines that hold none."""

    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """One event of a line, and the `sentAt` of the batch that it was in."""

    value: object
    sent_at: object
    clean: bool
    too_large: bool


def lines(path: Path, progress: Callable[[int], None]) -> Iterator[bytes]:
    """The lines of a file, gzipped or not; `progress` is told how far into the file, in its own bytes."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == MAGIC
            raw.seek(0)
            stream = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if packed else raw
            while line := stream.readline(LINE_BYTES + 1):
                progress(raw.tell())
                if len(line) > LINE_BYTES:
                    raise TelemetryError(
                        f"{path} has a line of more than {LINE_BYTES >> 10} KiB: are these JSON lines?"
                    )
                if line.strip():
                    yield line
    except (OSError, EOFError) as error:
        raise TelemetryError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or 'cut off'}."
        ) from None


def events(line: bytes, summary: Summary) -> Iterator[Found]:
    """The events of a line; a line that holds none is counted."""
    try:
        document = parse(line)
    except Problem:
        summary.unreadable += 1
        return
    body, too_large = document.value, len(line) > EVENT_BYTES
    if isinstance(body, dict) and "body" in body and "path" in body:
        if body["path"] not in INGESTED:
            summary.skipped += 1
            return
        body, too_large = body["body"], False
    if isinstance(body, dict) and isinstance(body.get("batch"), list):
        for event in body["batch"][:BATCH_EVENTS]:
            yield Found(event, body.get("sentAt"), document.clean, too_large=False)
    elif isinstance(body, dict) and "receivedAt" in body:
        yield Found(strip(body), None, document.clean, too_large)
    else:
        yield Found(body, None, document.clean, too_large)


def strip(event: dict[str, Any]) -> dict[str, Any]:
    """An archived event without what the archive added."""
    return {key: value for key, value in event.items() if key not in ARCHIVED}


def verdicts(
    paths: Iterable[Path],
    arrival: Callable[[object], Arrival],
    installation: Installation,
    summary: Summary,
    progress: Callable[[int, int], None],
) -> Iterator[Verdict]:
    """The verdict on every event of some files. `arrival` gives the arrival of an event by its batch's `sentAt`."""
    for number, path in enumerate(paths):
        for line in lines(path, partial(progress, number)):
            for found in events(line, summary):
                yield judge(
                    found.value,
                    arrival(found.sent_at),
                    installation,
                    clean=found.clean,
                    fault="too_large" if found.too_large else None,
                )


def load(found: Iterator[Verdict], connection: Connection, engine: AsyncEngine, summary: Summary) -> None:
    """Store verdicts, a thousand a transaction, their weeks' partitions made before. `connection` makes those."""

    async def run() -> None:
        async with engine.connect() as writer:
            while chunk := list(islice(found, ROWS)):
                make_partitions(connection, chunk)
                outcomes = await store(writer, Batch(chunk))
                summary.outcomes.update(outcomes)
                summary.reasons.update(
                    verdict.reason or "internal"
                    for verdict, outcome in zip(chunk, outcomes, strict=True)
                    if outcome == REJECTED
                )
        await engine.dispose()

    asyncio.run(run())


def make_partitions(connection: Connection, chunk: Iterable[Verdict]) -> None:
    """Make the partitions of past and coming weeks; a clock that is further ahead is left to the default partition."""
    last = partitions.due(dt.datetime.now(dt.UTC))[-1]
    weeks = {partitions.monday(verdict.row["occurred_at"]) for verdict in chunk}
    earliest = partitions.monday(EARLIEST)
    partitions.make_all(connection, sorted(week for week in weeks if earliest <= week <= last))


async def store(writer: AsyncConnection, batch: Batch) -> list[str]:
    """Commit a batch, again if a fault passes: under its id nothing is counted twice."""
    for attempt in range(1, RETRIES + 1):
        try:
            return await insert(writer, batch)
        except DBAPIError as error:
            if attempt == RETRIES or error.connection_invalidated:
                raise TelemetryError(
                    "The database went away. Import the file again: what is stored is recognised."
                ) from None
            await asyncio.sleep(RETRY_SECONDS)
    raise AssertionError
