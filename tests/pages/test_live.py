"""The live view: what is accepted is shown in words of the vocabulary, to at most
twenty, and never on the way in."""

import asyncio
import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, event

from app.pages.live.feed import BACKLOG, LISTENERS, Feed
from app.pages.live.reading import MINUTE, MINUTES, floor, tabulate
from app.pages.views.live import Snapshot
from app.problems import Problem
from app.store.database import open_engine
from tests.conftest import ServiceFactory
from tests.samples import HASH, SESSION, basic, clean_event
from tests.service import Service


@pytest.fixture
def watched(make_service: ServiceFactory) -> Service:
    return make_service()


@pytest.fixture
def watcher(watched: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=watched.url, timeout=30) as client:
        client.get("/reports", params={"token": watched.report_token})
        yield client


def send(service: Service, **properties: Any) -> None:
    now = dt.datetime.now(dt.UTC).isoformat()
    reported = {**clean_event(**properties), "timestamp": now}
    answer = httpx.post(
        f"{service.url}/v1/track", json=reported, headers=basic(service.write_key), timeout=30
    )
    assert answer.status_code == 200, answer.text


def read_stream(lines: Iterator[str], name: str) -> dict[str, Any]:
    """The data of the next server-sent event of that name."""
    for line in lines:
        if line == f"event: {name}":
            reported: dict[str, Any] = json.loads(next(lines).removeprefix("data: "))
            return reported
    raise AssertionError("the stream ended")


def test_an_accepted_event_comes_as_words_of_the_vocabulary(watched: Service, watcher: httpx.Client) -> None:
    with watcher.stream("GET", "/reports/live/stream") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        read_stream(lines, "minute")  # now it listens
        send(watched, state="failed", exception={"class": "AirbyteConnectorFailedError"})
        reported = read_stream(lines, "accepted")
        minute = read_stream(lines, "minute")
    assert set(reported) == {"time", "event", "state", "connector", "error", "cache", "version"}
    assert (reported["event"], reported["state"], reported["connector"]) == ("sync", "failed", "source-faker")
    assert minute["totals"]["accepted"] == 1
    page = watcher.get("/reports/live").text
    assert "AirbyteConnectorFailedError" in page
    for secret in (SESSION, HASH, clean_event()["anonymousId"]):
        assert secret not in page
        assert secret not in str(reported)


def test_a_stranger_hears_nothing(watched: Service) -> None:
    answer = httpx.get(f"{watched.url}/reports/live/stream", timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


async def test_the_twenty_first_listener_is_refused_and_nobody_is_kept() -> None:
    feed = Feed(create_engine("postgresql+psycopg://nobody@127.0.0.1:9/nothing"))
    queues = [feed.join() for _ in range(LISTENERS)]
    with pytest.raises(Problem) as refused:
        feed.join()
    assert refused.value.status == 503
    streams = [feed.listen(queue) for queue in queues]
    for stream in streams:
        assert await anext(stream) == b"retry: 3000\n\n"
        await stream.aclose()  # type: ignore[attr-defined]
    assert not feed.listeners
    assert feed.task is not None
    await asyncio.wait_for(feed.task, 30)


async def test_who_is_too_slow_is_let_go() -> None:
    feed = Feed(create_engine("postgresql+psycopg://nobody@127.0.0.1:9/nothing"))
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(BACKLOG)
    feed.listeners.add(queue)
    for number in range(BACKLOG + 1):
        feed.hand_out(str(number).encode())
    assert not feed.listeners
    stream = feed.listen(queue)
    assert [reported async for reported in stream] == [b"retry: 3000\n\n"]


def test_every_minute_stands_once_with_what_it_had() -> None:
    now = dt.datetime(2026, 11, 27, 0, 10, 30, tzinfo=dt.UTC)
    minutes = {
        floor(now): Counter({("accepted", ""): 3, ("rejected", "pattern"): 1, ("rejected", "missing"): 1})
    }
    rows = tabulate(minutes, now)
    assert len(rows) == MINUTES
    assert rows[-1] == {"minute": "00:10", "accepted": 3, "duplicate": 0, "rejected": 2}
    assert rows[0]["minute"] == "23:41"
    assert sum(row["accepted"] for row in rows) == 3


def test_readers_within_a_second_share_a_look_and_minutes_that_are_over_are_not_read_again(
    watched: Service,
) -> None:
    engine = open_engine(watched.database_url)
    asked: list[dt.datetime] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
        if "FROM outcomes" in statement:
            asked.append(values["since"])

    snapshot = Snapshot(engine)
    now = dt.datetime.now(dt.UTC)
    first = snapshot.read(now)
    assert snapshot.read(now + dt.timedelta(seconds=0.5)) is first
    assert snapshot.read(now + dt.timedelta(seconds=90)) is not first
    assert asked == [floor(now) - MINUTES * MINUTE, floor(now) - MINUTE]
    engine.dispose()
