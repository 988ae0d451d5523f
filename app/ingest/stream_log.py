"""The log in NATS JetStream: one message a batch, under the batch's id, acknowledged once it is committed.

All instances share one consumer: each batch is given to one of them, and to another one if that has not
acknowledged it in time.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import orjson
import structlog

from app.ingest import instruments
from app.ingest.committer import look_at
from app.ingest.durable import NotKeptError, Taken
from app.ingest.spool_depth import Depth
from app.ingest.stream_entries import is_newer, is_portable, pack, unpack, write_aside
from app.ingest.stream_line import Line
from app.ingest.stream_pull import Puller
from app.privacy.pseudonyms import Pseudonyms
from app.settings import Settings
from app.store.events import Batch
from app.store.stream import ACK_WAIT_SECONDS, SUBJECT
from app.store.stream_look import MEGABYTE, name_key, read_address

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

log = structlog.get_logger()

ID: Final = "Nats-Msg-Id"
ANSWER_SECONDS: Final = 60.0  # the writer gives up long before
COOLDOWN_SECONDS: Final = 2.0  # after a batch that was not acknowledged in time
HOLD_SECONDS: Final = ACK_WAIT_SECONDS / 3  # for which what was taken is surely ours alone
NEWER_SECONDS: Final = 10.0  # until a batch of a newer release is offered again
FULL: Final = 10077
ROOM: Final = 0.75  # of the stream's quota: with less in it the stream is no longer full


@dataclass(slots=True)
class Held:
    """A batch in hand, and every message that brought it."""

    batch: Batch
    messages: "list[Msg]"
    since: float


class StreamLog:
    """Keeps batches in the stream and takes them from there."""

    def __init__(self, line: Line, aside: Path) -> None:
        """Use the stream at the end of `line`; what cannot be read is kept in the folder `aside`."""
        self.line = line
        self.aside = aside
        self.puller = Puller()
        self.held: dict[UUID, Held] = {}
        self.corrupt = 0
        self.full = False
        self.refused_at = self.retry_at = 0.0
        self.work = asyncio.Event()
        line.changed = self.work.set

    async def append(self, batch: Batch) -> None:
        """Keep a batch: a majority of the nodes has it when this returns. Raises NotKeptError, at once while
        the stream is known to be unavailable."""
        client = self.line.client
        if client is None or time.monotonic() < self.retry_at or not is_portable(batch):
            raise NotKeptError
        payload = await asyncio.to_thread(pack, batch)
        if len(payload) > client.max_payload:
            raise NotKeptError
        message = await self.publish(client, payload, str(batch.batch_id))
        self.check_answer(orjson.loads(message.data))
        self.work.set()

    async def publish(self, client: "Client", payload: bytes, identity: str) -> "Msg":
        """Return what the stream answers. Raises NotKeptError."""
        sending = client.request(SUBJECT, payload, timeout=ANSWER_SECONDS, headers={ID: identity})
        # A task, for the driver swallows a cancellation while it sends; nobody waits for that.
        task = asyncio.create_task(sending)
        task.add_done_callback(look_at)
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:  # the writer has given up
            task.cancel()
            self.retry_at = time.monotonic() + COOLDOWN_SECONDS
            raise
        if task.cancelled() or task.exception() is not None:
            self.retry_at = time.monotonic() + COOLDOWN_SECONDS
            raise NotKeptError
        return task.result()

    def check_answer(self, answer: dict[str, Any]) -> None:
        """Raise NotKeptError unless the stream has the batch; one that it had already is as good."""
        error = answer.get("error")
        if error is None:
            self.full = False
            return
        if not self.full:
            log.warning("log_refuses", error=error.get("err_code"))
        self.full = error.get("err_code") == FULL
        self.refused_at = time.monotonic()
        raise NotKeptError

    async def tend(self) -> None:
        """Keep the connection; tell `/metrics` how much waits."""
        self.line.start()
        state = self.line.state
        if state is not None and self.line.looked_at > self.refused_at:
            self.full &= state.size_bytes >= state.most_bytes * ROOM
        self.report()

    async def take(self, rows: int) -> Taken | None:
        """Return the oldest batches in hand, after having asked for more where these are few."""
        self.work.clear()
        client = self.line.client
        if client is None:
            self.held.clear()  # whoever is there next is given them
            return None
        await self.let_go()
        missing = rows - sum(max(1, len(held.batch.verdicts)) for held in self.held.values())
        if missing > 0:
            await self.receive(await self.puller.pull(client, missing))
            self.line.lost |= self.puller.lost
        chosen: list[Held] = []
        for held in self.held.values():
            rows -= max(1, len(held.batch.verdicts))
            if chosen and rows < 0:
                break
            chosen.append(held)
        for held in chosen:
            del self.held[held.batch.batch_id]
        return Taken([held.batch for held in chosen], chosen) if chosen else None

    async def receive(self, messages: "Sequence[Msg]") -> None:
        """Take messages in hand; set aside what is no batch."""
        batches = await asyncio.to_thread(lambda: [unpack(message.data) for message in messages])
        for message, batch in zip(messages, batches, strict=True):
            if batch is None:
                await self.drop_corrupt(message)
            elif is_newer(batch):
                with suppress(Exception):
                    await message.nak(NEWER_SECONDS)
            elif batch.batch_id in self.held:  # given again, for it took long
                self.held[batch.batch_id].messages.append(message)
            else:
                self.held[batch.batch_id] = Held(batch, [message], time.monotonic())

    async def let_go(self) -> None:
        """Give back what was in hand for so long that another instance may soon be given it."""
        latest = time.monotonic() - HOLD_SECONDS
        for held in [each for each in self.held.values() if each.since < latest]:
            del self.held[held.batch.batch_id]
            await answer(held.messages, "nak")

    async def drop_corrupt(self, message: "Msg") -> None:
        """Set a message aside that is no batch, have it delivered no more, and say so."""
        self.corrupt += 1
        number = message.metadata.sequence.stream
        file = self.aside / f"log.{number}.corrupt"
        with suppress(OSError):  # on a full disk the log names it all the same
            await asyncio.to_thread(write_aside, file, message.data)
        log.error("log_entry_corrupt", entry=number, set_aside=file.name)
        await answer([message], "term")

    async def done(self, taken: Taken) -> None:
        """Acknowledge what is committed. What does not get there is given again, and fenced by its id."""
        for held in taken.entries:
            await answer(held.messages, "ack")

    async def put_back(self, taken: Taken) -> None:
        """Keep in hand what could not be committed, before everything else."""
        self.held = {held.batch.batch_id: held for held in taken.entries} | self.held

    async def wait(self, seconds: float) -> None:
        """Return when something was appended here since the last look, after `seconds` at the latest."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.work.wait()

    def depth(self) -> Depth:
        """Return how much waits in the stream, of all instances, as of the last look."""
        state = self.line.state
        if state is None:
            return Depth(corrupt=self.corrupt)
        return Depth(state.messages, state.size_bytes, state.age_seconds, self.corrupt)

    def report(self) -> None:
        """Tell `/metrics` how much waits."""
        depth = self.depth()
        instruments.LOG_ENTRIES.set(depth.entries)
        instruments.LOG_BYTES.set(depth.payload_bytes)
        instruments.LOG_AGE.set(depth.age_seconds)
        instruments.LOG_CONNECTED.set(self.line.client is not None)

    def describe(self) -> dict[str, Any]:
        """Return what `/readyz` says of the stream."""
        depth, state = self.depth(), self.line.state
        connected = self.line.client is not None
        return {
            "connected": connected,
            "writable": connected and not self.full and time.monotonic() >= self.retry_at,
            "cause": self.line.cause,
            "entries": depth.entries,
            "bytes": depth.payload_bytes,
            "age_seconds": round(depth.age_seconds, 1),
            "replicas": state.replicas if state else 0,
            "current_replicas": state.current if state else 0,
        }

    async def close(self) -> None:
        """Give back what is in hand, so that others have it at once, and disconnect."""
        for held in self.held.values():
            await answer(held.messages, "nak")
        await self.line.stop()


def open_stream(settings: Settings, pseudonyms: Pseudonyms) -> StreamLog | None:
    """Return the log in NATS that the settings name, None if they name none. Raises ConfigurationError."""
    address = read_address(settings)
    if address is None:
        return None
    line = Line(address, settings.log_mb * MEGABYTE, name_key(pseudonyms))
    return StreamLog(line, settings.data_dir / "spool")


async def answer(messages: "Sequence[Msg]", how: str) -> None:
    """Say `ack`, `nak` or `term` to messages; lost if the connection is."""
    for message in messages:
        with suppress(Exception):
            await getattr(message, how)()
