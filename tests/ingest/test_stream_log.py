"""Batches in the stream, with a real NATS and a real Postgres: each is stored once, whoever is late."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from app.ingest import drain as drain_module
from app.ingest.circuit import Circuit
from app.ingest.committer import Committer
from app.ingest.drain import Drain
from app.ingest.durable import NotKeptError
from app.ingest.stream_entries import pack, unpack
from app.ingest.stream_line import Line
from app.ingest.stream_log import StreamLog
from app.store import stream
from app.store.database import open_write_engine
from app.store.events import Batch
from app.store.lexicon import Lexicon
from app.store.stream import STREAM, SUBJECT, State, read_state
from app.store.stream_connection import Address, ask_for, visit
from tests.look import Look
from tests.nats import Node, needs_nats, running
from tests.store.test_merging import batch_of, verdict_on

pytestmark = needs_nats

MEGABYTES = 16
OF_EACH = {"received": 4, "accepted": 3, "rejected": 1}  # of a batch of `batch_of`
numbers = itertools.count()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running(tmp_path_factory.mktemp("nats")) as node:
        yield node


@pytest.fixture
def url(node: Node) -> Iterator[str]:
    yield node.url
    asyncio.run(ask(node.url, lambda client: ask_for(client, f"STREAM.PURGE.{STREAM}")))


async def ask(url: str, work: Callable[[Any], Awaitable[Any]]) -> Any:
    async with visit(Address.parse(url)) as client:
        return await work(client)


async def state_of(url: str) -> State:
    state: State = await ask(url, read_state)
    return state


def open_log(url: str, folder: Path) -> StreamLog:
    return StreamLog(Line(Address.parse(url), MEGABYTES * 2**20, "key"), folder)


async def ready(log: StreamLog) -> StreamLog:
    await log.tend()
    await reach(lambda: log.line.client is not None)
    return log


async def reach(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 -- nothing tells
            await asyncio.sleep(0.02)


async def take(log: StreamLog, rows: int = 10_000) -> Any:
    """What is taken once there is something."""
    async with asyncio.timeout(30):
        while (taken := await log.take(rows)) is None:  # noqa: ASYNC110 -- nothing tells
            await asyncio.sleep(0.05)
    return taken


def some_batches(number: int) -> list[Batch]:
    return [Batch([verdict_on(f"m{next(numbers)}")]) for _ in range(number)]


def test_a_batch_survives_the_way_as_it_is() -> None:
    for batch in (batch_of(1), Batch([verdict_on(f"many-{number}") for number in range(300)])):
        message = pack(batch)
        assert unpack(message) == batch
        assert unpack(message[:-9]) is None
    assert len(message) < 300 * 100
    for wrong in (b"", b"{}", b"no batch", b"\x78\x01", b'{"batch_id": "x", "verdicts": [], "tallies": []}'):
        assert unpack(wrong) is None


async def test_they_are_taken_oldest_first_by_rows_and_gone_once_done(url: str, tmp_path: Path) -> None:
    log = await ready(open_log(url, tmp_path))
    batches = some_batches(30)
    for batch in batches:
        await log.append(batch)
    first = await take(log, 20)
    second = await take(log, 20)
    assert [*first.batches, *second.batches] == batches
    await log.put_back(second)
    await log.done(first)
    assert (await take(log)).batches == batches[20:]
    await log.put_back(second)
    await log.close()
    again = await ready(open_log(url, tmp_path))
    assert (await take(again)).batches == batches[20:]  # at once: they were given back
    await again.close()


async def test_the_same_batch_twice_is_one(url: str, tmp_path: Path) -> None:
    log = await ready(open_log(url, tmp_path))
    [batch] = some_batches(1)
    await log.append(batch)
    await log.append(batch)
    assert (await state_of(url)).messages == 1
    await log.close()


async def test_what_is_committed_and_not_acknowledged_comes_again_and_is_fenced(
    url: str, tmp_path: Path, database_url: str, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "ACK_WAIT_SECONDS", 1.0)
    first = await ready(open_log(url, tmp_path))
    batches = [batch_of(number) for number in range(3)]
    for batch in batches:
        await first.append(batch)
    engine = open_write_engine(database_url)
    committer = Committer(engine, Circuit(), Lexicon())
    taken = await take(first)
    await committer.commit(taken.batches, 10)
    await first.line.stop()  # as a process that is killed: nothing is acknowledged, nothing given back
    before = look.outcomes()
    second = await ready(open_log(url, tmp_path))
    drain = Drain(second, committer, lambda: None, lambda _batch: None)
    async with asyncio.timeout(30):
        while (await state_of(url)).messages:
            await drain.drain_some()
    assert look.outcomes() == before
    assert before["received"] == 12
    await second.close()
    await committer.close()
    await engine.dispose()


async def test_a_batch_that_commits_after_its_deadline(
    url: str, tmp_path: Path, database_url: str, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain_module, "COMMIT_SECONDS", 0.2)
    log = await ready(open_log(url, tmp_path))
    await log.append(batch_of(0))
    engine = open_write_engine(database_url)
    committer = Committer(engine, Circuit(), Lexicon())
    drain = Drain(log, committer, lambda: None, lambda _batch: None)
    with look.engine.begin() as connection:
        connection.execute(text("LOCK TABLE events IN SHARE MODE"))
        assert await drain.drain_some() is False
    await reach(lambda: look.outcomes() == OF_EACH)  # the statement that was left behind
    await log.append(batch_of(1))
    async with asyncio.timeout(30):
        while (await state_of(url)).messages:
            await drain.drain_some()
    assert look.outcomes()["received"] == 8
    assert look.value("SELECT count(DISTINCT batch_id) FROM outcomes") == 2
    await log.close()
    await committer.close()
    await engine.dispose()


async def test_what_is_no_batch_is_set_aside_and_holds_nobody_up(url: str, tmp_path: Path) -> None:
    log = await ready(open_log(url, tmp_path))
    await ask(url, lambda client: client.request(SUBJECT, b"no batch"))
    [batch] = some_batches(1)
    await log.append(batch)
    taken = await take(log)
    assert taken.batches == [batch]
    await log.done(taken)
    [aside] = tmp_path.glob("log.*.corrupt")  # noqa: ASYNC240 -- a test may block
    assert (aside.read_bytes(), aside.stat().st_mode & 0o777) == (b"no batch", 0o600)
    assert log.depth().corrupt == 1
    async with asyncio.timeout(30):
        while (await state_of(url)).messages:  # noqa: ASYNC110 -- nothing tells
            await asyncio.sleep(0.02)
    await log.close()


async def test_batches_of_provisional_write_keys_stay_with_their_process(url: str, tmp_path: Path) -> None:
    log = await ready(open_log(url, tmp_path))
    [batch] = some_batches(1)
    batch.verdicts[0].row["write_key"] = -1
    with pytest.raises(NotKeptError):
        await log.append(batch)
    [counted] = some_batches(1)
    [tally] = batch_of(1).tallies
    counted.tallies = Counter({tally.__class__(tally.hour, -1, tally.kind, tally.reason): 1})
    with pytest.raises(NotKeptError):
        await log.append(counted)
    assert (await state_of(url)).messages == 0
    await log.close()


async def test_batches_of_a_newer_release_wait_for_its_instances(url: str, tmp_path: Path) -> None:
    log = await ready(open_log(url, tmp_path))
    newer, known = some_batches(2)
    document = orjson.loads(pack(newer))
    document["columns"].append("a_new_column")
    document["verdicts"][0][1].append("value")
    await ask(url, lambda client: client.request(SUBJECT, orjson.dumps(document)))
    await log.append(known)
    taken = await take(log)
    assert taken.batches == [known]
    await log.done(taken)
    await log.close()
    assert not list(tmp_path.iterdir())  # noqa: ASYNC240 -- a test may block
    assert (await state_of(url)).messages >= 1


async def test_a_stream_that_was_deleted_is_made_anew(url: str, tmp_path: Path) -> None:
    log = await ready(open_log(url, tmp_path))
    await ask(url, lambda client: ask_for(client, f"STREAM.DELETE.{STREAM}"))
    [batch] = some_batches(1)
    async with asyncio.timeout(30):
        while True:
            try:
                await log.append(batch)
                break
            except NotKeptError:
                await asyncio.sleep(0.05)
    assert (await take(log)).batches == [batch]
    await log.close()
