"""Batches are judged in slices and in turn, so that one of them never holds up everything else."""

import asyncio
import datetime as dt

from app.contract.document import Document
from app.contract.limits import BATCH_EVENTS
from app.contract.vocabulary import shipped_connectors
from app.ingest.verdicts import APART, MANY_REFUSED, REFUSED, SLICE, Turns, judge_batch
from app.privacy.projection import Arrival
from app.privacy.pseudonyms import Pseudonyms
from app.privacy.verdict import VerdictContext
from app.problems import Problem
from tests.samples import clean_event

VERDICT_CONTEXT = VerdictContext(shipped_connectors(), Pseudonyms("k" * 32))
ARRIVAL = Arrival(dt.datetime(2026, 11, 23, 9, 0, tzinfo=dt.UTC), 1, b"key")


def make_document(number: int) -> Document:
    """A batch of some distinct events."""
    events = [clean_event(number_of_records=each) for each in range(number)]
    return Document({"batch": events}, clean=True)


def make_dear(number: int) -> Document:
    """A batch of some distinct events that are refused."""
    return Document({"batch": [{"event": str(each)} for each in range(number)]}, clean=True)


async def judge_beside_a_counter(number: int) -> tuple[int, list[int]]:
    """How often the loop was free while a batch was judged, and the numbers of records
    in the order of the verdicts."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counter = asyncio.create_task(count())
    await asyncio.sleep(0)
    verdicts = await judge_batch(make_document(number), ARRIVAL, VERDICT_CONTEXT, Turns())
    counter.cancel()
    return turns, [verdict.row["number_of_records"] for verdict in verdicts]


def test_the_loop_is_free_after_every_slice() -> None:
    turns, numbers = asyncio.run(judge_beside_a_counter(BATCH_EVENTS))
    assert turns == BATCH_EVENTS // SLICE - 1
    assert numbers == list(range(BATCH_EVENTS))


def test_refused_events_make_smaller_slices() -> None:
    async def judge_beside() -> tuple[int, int]:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        counter = asyncio.create_task(count())
        await asyncio.sleep(0)
        verdicts = await judge_batch(make_dear(MANY_REFUSED), ARRIVAL, VERDICT_CONTEXT, Turns())
        counter.cancel()
        return turns, len(verdicts)

    assert asyncio.run(judge_beside()) == (MANY_REFUSED * (1 + REFUSED) // SLICE - 1, MANY_REFUSED)


def test_a_small_batch_is_judged_at_once() -> None:
    turns, numbers = asyncio.run(judge_beside_a_counter(SLICE))
    assert (turns, len(numbers)) == (0, SLICE)


def test_no_event_of_a_last_slice_is_lost() -> None:
    assert asyncio.run(judge_beside_a_counter(2 * SLICE + 1))[1] == list(range(2 * SLICE + 1))


def test_batches_are_judged_in_the_order_in_which_they_came() -> None:
    ended: list[int] = []

    async def judge_one(turns: Turns, number: int) -> None:
        await judge_batch(make_document(number), ARRIVAL, VERDICT_CONTEXT, turns)
        ended.append(number)

    async def judge_all() -> None:
        turns = Turns()
        async with asyncio.TaskGroup() as group:
            for number in (20 * SLICE, 3 * SLICE, 1):
                group.create_task(judge_one(turns, number))

    asyncio.run(judge_all())
    assert ended == [20 * SLICE, 3 * SLICE, 1]


def test_a_batch_of_refused_events_holds_up_nobody_behind_it() -> None:
    ended: list[str] = []

    async def judge_one(turns: Turns, document: Document, name: str) -> None:
        verdicts = await judge_batch(document, ARRIVAL, VERDICT_CONTEXT, turns)
        assert [verdict.rejected for verdict in verdicts] == [name == "dear"] * len(document.value["batch"])
        ended.append(name)

    async def judge_all() -> None:
        turns = Turns()
        async with asyncio.TaskGroup() as group:
            group.create_task(judge_one(turns, make_dear(10 * MANY_REFUSED), "dear"))
            group.create_task(judge_one(turns, make_document(3 * SLICE), "clean"))

    asyncio.run(judge_all())
    assert ended == ["clean", "dear"]


def test_only_so_many_batches_of_refused_events_wait() -> None:
    async def judge_all() -> tuple[list[str], int]:
        turns = Turns()
        judging = [
            judge_batch(make_dear(2 * MANY_REFUSED), ARRIVAL, VERDICT_CONTEXT, turns)
            for _ in range(APART + 3)
        ]
        async with turns.second:  # none of them ends before all have come
            waiting = [asyncio.create_task(each) for each in judging]
            done, kept = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            while len(done) < 3:
                more, kept = await asyncio.wait(kept, return_when=asyncio.FIRST_COMPLETED)
                done |= more
        errors = [task.exception() for task in done]
        judged = await asyncio.gather(*kept)
        assert turns.apart == 0
        return [error.code for error in errors if isinstance(error, Problem)], len(judged)

    assert asyncio.run(judge_all()) == (["overloaded"] * 3, APART)
