"""From a body to the verdicts on its events: alone, as a batch, or as history."""

import asyncio
from collections.abc import Iterator
from typing import Any, Final

from app.contract.document import Document, ParsedEvent, canonical
from app.contract.limits import BATCH_EVENTS
from app.ingest.body import TOO_LARGE
from app.privacy.envelope import Refusal, find_refusal_of_batch, is_too_large
from app.privacy.projection import Arrival
from app.privacy.verdict import Installation, Verdict, judge
from app.problems import Problem

# 2 ms of judging at a stretch: other requests, and the socket of a commit under way, come in between.
SLICE: Final = 50  # events
# A refused event is looked at field by field, which costs so many more; one that is like another of its batch costs nothing.
REFUSED: Final = 4
# Of a live batch: more are a crowd.
IDENTITIES: Final = 5

NOT_AN_OBJECT: Final = Problem("malformed", "The body must be a JSON object.", rule="not_an_object")
NOT_A_BATCH: Final = Problem(
    "malformed", "The body must be an object with a list `batch`.", rule="not_a_batch"
)


def judge_single(
    document: Document, arrival: Arrival, installation: Installation, refusal: Refusal | None = None
) -> list[Verdict]:
    """Return the verdict on a body that is one event; `refusal` refuses it. Raises Problem 400 for what is no object."""
    if not isinstance(document.value, dict):
        raise NOT_AN_OBJECT.fresh()
    form = document.forms[0] if document.forms else None
    return [judge(ParsedEvent(document.value, document.clean, form, None, refusal), arrival, installation)]


async def judge_batch(
    document: Document, arrival: Arrival, installation: Installation, turn: asyncio.Lock
) -> list[Verdict]:
    """Return the verdicts on the events of a batch, in order. Raises Problem 400 or 413 for the batch as a whole.

    The event loop is free after every slice of work, and batches take turns: side by side, all of many would be late.
    """
    envelope = document.value
    if not isinstance(envelope, dict) or not isinstance(envelope.get("batch"), list):
        raise NOT_A_BATCH.fresh()
    if len(envelope["batch"]) > BATCH_EVENTS:
        raise TOO_LARGE.fresh()
    arrival = arrival._replace(sent_at=envelope.get("sentAt"))
    verdicts: list[Verdict] = []
    refused: dict[bytes, Verdict] = {}
    spent = 0
    async with turn:
        for event in parsed_events(document, envelope, historical=arrival.historical):
            if spent >= SLICE:
                await asyncio.sleep(0)
                spent = 0
            verdict = refused.get(event.form) if refused and event.form else None
            if verdict is not None:  # each has a row of its own
                verdicts.append(verdict._replace(row=dict(verdict.row)))
                continue
            verdict = judge(event, arrival, installation)
            spent += 1
            if verdict.rejected and event.form:
                spent += REFUSED
                refused[event.form] = verdict
            verdicts.append(verdict)
    mark_crowd(verdicts, arrival)
    return verdicts


def mark_crowd(verdicts: list[Verdict], arrival: Arrival) -> None:
    """Flag every event of a live batch of more than five identities: one installation has one, and ids cost nothing.

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
    refusal = find_refusal_of_batch(envelope, archived=historical)
    forms = document.forms or map(canonical, envelope["batch"])
    for value, form in zip(envelope["batch"], forms, strict=True):
        too_large = is_too_large(value, form, archived=historical)
        yield ParsedEvent(value, document.clean, form, "too_large" if too_large else None, refusal)
