"""A batch is written beside the events that come alone: those never wait for it. One of thousands goes in
pieces, so that other batches wait for one piece and never for all of it."""

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
from hypothesis import given
from hypothesis import strategies as st

from app.ingest.lane import BATCH_ROWS, LARGE_ROWS, Group, Lane
from app.ingest.writer import FEW_ROWS
from app.privacy.verdict import Verdict
from tests.look import Look, wait_until
from tests.samples import clean_event
from tests.service import Service

VERDICTS = [Verdict(f"{number}", {}) for number in range(2_500)]
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
SIZES = st.lists(st.one_of(st.integers(1, 30), st.integers(1, 2_500)), max_size=30)


def form_all(sizes: list[int]) -> tuple[list[Group], list[list[tuple[Group, int]]]]:
    """Return the groups of some requests, and what the batches took until all was durable:
    groups, and how much of each."""
    lane = Lane([], 1.0)
    loop = asyncio.new_event_loop()
    groups = [Group(VERDICTS[:size], Counter(), loop.create_future(), 0.0) for size in sizes]
    for group in groups:
        lane.add(group)
    batches = []
    while taken := lane.take():
        batches.append([(group, len(group.next_piece())) for group in taken])
        for group in taken:
            group.outcomes += [verdict.id for verdict in group.next_piece()]
    loop.close()
    return groups, batches


@given(SIZES)
def test_every_event_is_written_once_and_in_order(sizes: list[int]) -> None:
    groups, batches = form_all(sizes)
    for group in groups:
        assert group.outcomes == [verdict.id for verdict in group.verdicts]
    for batch in batches:
        assert sum(number for _, number in batch) <= BATCH_ROWS


@given(SIZES)
def test_the_oldest_small_request_and_the_oldest_large_one_go_first(sizes: list[int]) -> None:
    groups, batches = form_all(sizes)
    small = [group for group in groups if len(group.verdicts) <= LARGE_ROWS]
    large = [group for group in groups if len(group.verdicts) > LARGE_ROWS]
    left = Counter({id(group): len(group.verdicts) for group in large})
    for batch in batches:
        taken = [group for group, _ in batch if len(group.verdicts) <= LARGE_ROWS]
        assert taken == small[: len(taken)]
        assert bool(taken) == bool(small)
        del small[: len(taken)]
        pieces = [(id(group), number) for group, number in batch if len(group.verdicts) > LARGE_ROWS]
        oldest = next((id(group) for group in large if left[id(group)]), None)
        assert [name for name, _ in pieces] == ([oldest] if oldest else [])
        left.subtract(dict(pieces))
    assert not small
    assert not any(left.values())


def test_a_large_request_is_answered_as_a_whole(client: httpx.Client, look: Look) -> None:
    events = [clean_event(number_of_records=number) for number in range(700)]
    events[650] = {"event": "nothing"}
    results = client.post("/v1/batch", json={"batch": events}, timeout=60).json()["results"]
    outcomes = [result["outcome"] for result in results]
    assert [place for place, outcome in enumerate(outcomes) if outcome == "rejected"] == [650]
    assert len({result["id"] for result in results}) == 700
    if "queued" not in outcomes:  # as they are on a machine that is busy
        assert look.value("SELECT count(*) FROM events") == 699
        assert look.value("SELECT count(DISTINCT batch_id) FROM outcomes") >= 2


def test_an_event_alone_waits_for_no_batch(client: httpx.Client, service: Service, look: Look) -> None:
    events = [clean_event(number_of_records=number) for number in range(FEW_ROWS + 1)]
    client.post("/v1/track", json=events[0]).raise_for_status()
    url = service.database_url.replace("+psycopg", "")
    with ThreadPoolExecutor(1) as pool, psycopg.connect(url) as connection:
        connection.execute("DELETE FROM events")  # which the batch waits for: nobody knows yet if it is one
        batch = pool.submit(client.post, "/v1/batch", json={"batch": events}, timeout=60)
        wait_until(lambda: look.value(WAITING) or batch.done(), "the batch waits for a row")
        alone = client.post("/v1/track", json=clean_event(number_of_records=1_000), timeout=60)
        assert not batch.done()
        connection.rollback()
    assert alone.json()["outcome"] == "accepted"
    outcomes = Counter(result["outcome"] for result in batch.result().json()["results"])
    assert outcomes == {"duplicate": 1, "accepted": FEW_ROWS} or set(outcomes) == {"queued"}
