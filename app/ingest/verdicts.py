"""From a body to the verdicts on its events: alone, as a batch, or as history."""

import asyncio
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

from app.contract.document import Document, ParsedEvent, RepeatedKeys, canonical
from app.contract.limits import BATCH_EVENTS
from app.ingest.body import TOO_LARGE
from app.privacy.envelope import Refusal, find_refusal_of_batch, is_too_large
from app.privacy.projection import Arrival
from app.privacy.verdict import Verdict, VerdictContext, judge
from app.problems import Problem

# 2 ms of judging at a stretch: other requests, and the socket of a commit under way, come in between.
SLICE: Final = 50  # events
# A refused event is looked at field by field, which costs so many more; one that is like
# another of its batch is copied.
REFUSED: Final = 4
ALIKE: Final = 0.1
# Refused events of a batch, beyond which it is judged apart from the others and pauses after every slice.
MANY_REFUSED: Final = 50
# A pause is so many times as long as the slice before it: what is refused by the
# thousand gets a quarter of a core.
COOLDOWN: Final = 3
# Batches that may be judged apart: each keeps some MB while it waits for its turn.
APART: Final = 8
# Of a live batch: more are a crowd.
IDENTITIES: Final = 5

OVERLOADED: Final = Problem("overloaded", "Too many batches of refused events are being judged.")
NOT_AN_OBJECT: Final = Problem("malformed", "The body must be a JSON object.", rule="not_an_object")
NOT_A_BATCH: Final = Problem(
    "malformed", "The body must be an object with a list `batch`.", rule="not_a_batch"
)
REPEATED_KEYS: Final = Problem("malformed", "The batch has a key twice.", rule="duplicate_key")


def judge_single(
    document: Document, arrival: Arrival, verdict_context: VerdictContext, refusal: Refusal | None = None
) -> list[Verdict]:
    """Return the verdict on a body that is one event; `refusal` refuses it. Raises
    Problem 400 for what is no object."""
    if not isinstance(document.value, dict):
        raise NOT_AN_OBJECT.fresh()
    form = document.forms[0] if document.forms else None
    return [judge(ParsedEvent(document.value, document.clean, form, None, refusal), arrival, verdict_context)]


class Turns:
    """Whose batch is judged: one at a time, for side by side all of many would be late.

    A batch that turns out to be dear, of many refused events, goes on in a second row beside the first:
    nobody behind it has to wait for it.
    """

    def __init__(self) -> None:
        """Start with nobody."""
        self.first = asyncio.Lock()
        self.second = asyncio.Lock()
        self.apart = 0

    async def take(self, slices: Iterator[int]) -> None:
        """Do slices of work, each of which yields how many events were refused so far; the
        event loop is free after each.

        Raises Problem 503 if too many batches are in the second row already.
        """
        async with self.first:
            for refused in slices:
                if refused > MANY_REFUSED:
                    break
                await asyncio.sleep(0)
            else:
                return
        if self.apart >= APART:
            raise OVERLOADED.fresh()
        self.apart += 1
        try:
            async with self.second:
                await go_slowly(slices)
        finally:
            self.apart -= 1


async def go_slowly(slices: Iterator[int]) -> None:
    """Do slices of work with a pause before each, so many times as long as the one before it took."""
    took = 0.0
    while True:
        await asyncio.sleep(COOLDOWN * took)
        began = time.perf_counter()
        if next(slices, None) is None:
            return
        took = time.perf_counter() - began


async def judge_batch(
    document: Document, arrival: Arrival, verdict_context: VerdictContext, turns: Turns
) -> list[Verdict]:
    """Return the verdicts on the events of a batch, in order. Raises Problem 400, 413 or
    503 for the batch as a whole."""
    envelope = document.value
    if not isinstance(envelope, dict) or not isinstance(envelope.get("batch"), list):
        raise NOT_A_BATCH.fresh()
    if isinstance(envelope, RepeatedKeys):  # of two lists of events one would be lost without a word
        raise REPEATED_KEYS.fresh()
    if len(envelope["batch"]) > BATCH_EVENTS:
        raise TOO_LARGE.fresh()
    arrival = arrival._replace(sent_at=envelope.get("sentAt"))
    verdicts: list[Verdict] = []
    events = parsed_events(document, envelope, historical=arrival.historical)
    await turns.take(judge_in_slices(events, arrival, verdict_context, verdicts))
    mark_crowd(verdicts, arrival)
    return verdicts


def judge_in_slices(
    events: Iterable[ParsedEvent], arrival: Arrival, verdict_context: VerdictContext, verdicts: list[Verdict]
) -> Iterator[int]:
    """Yield after every slice of work how many different events were refused so far; the verdicts are added
    to `verdicts`."""
    refused: dict[bytes, Verdict] = {}
    spent = 0.0
    for event in events:
        if spent >= SLICE:
            yield len(refused)
            spent = 0.0
        verdict = refused.get(event.form) if refused and event.form else None
        if verdict is not None:  # each has a row of its own
            verdicts.append(verdict._replace(row=dict(verdict.row)))
            spent += ALIKE
            continue
        verdict = judge(event, arrival, verdict_context)
        spent += 1
        if verdict.rejected and event.form:
            spent += REFUSED
            refused[event.form] = verdict
        verdicts.append(verdict)


def mark_crowd(verdicts: list[Verdict], arrival: Arrival) -> None:
    """Flag every event of a live batch of more than five identities: one installation
    has one, and ids cost nothing.

    Not of history, which is everybody's, nor under the key of a relay, which sends for many.
    """
    if arrival.historical or arrival.relayed:
        return
    identities = {verdict.row["anonymous_id"] for verdict in verdicts if not verdict.malformed}
    if len(identities - {None}) > IDENTITIES:
        for verdict in verdicts:
            verdict.row["crowded"] = True


def parsed_events(document: Document, envelope: dict[str, Any], *, historical: bool) -> Iterator[ParsedEvent]:
    """Yield the events of a batch. What is around them refuses all of them or none."""
    refusal = find_refusal_of_batch(envelope, archived=historical, clean=document.clean)
    forms = document.forms or map(canonical, envelope["batch"])
    for value, form in zip(envelope["batch"], forms, strict=True):
        too_large = is_too_large(value, form, archived=historical)
        yield ParsedEvent(value, document.clean, form, "too_large" if too_large else None, refusal)


def count_events(document: Document) -> int:
    """Return how many events a body claims to hold."""
    batch = document.value.get("batch") if isinstance(document.value, dict) else None
    return len(batch) if isinstance(batch, list) else 1
