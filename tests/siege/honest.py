"""An honest load: events from many addresses, over connections that are kept and over new
ones, as PyAirbyte sends them.

Open loop: each event leaves at its time, whatever happened to those before it, and its
answer's time counts from there.
"""

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.samples import clean_event
from tests.siege.senders import authorization, request

PATIENCE_SECONDS = 30.0
KEPT = 8  # connections that are used again
ADDRESSES = 40


@dataclass
class Account:
    """What became of the requests of one phase."""

    took: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    ids: set[str] = field(default_factory=set)
    lost: int = 0

    def tell(self) -> str:
        """Return how many answers there were of which kind: an outcome, a status that
        is not 200, or none in 30 s."""
        reported = [f"{number} {outcome}" for outcome, number in self.outcomes.most_common()]
        return " + ".join([*reported, f"{self.lost} unanswered"] if self.lost else reported)

    def quantile_ms(self, share: float) -> float:
        """Return the time that this share of the answers took at the most, in milliseconds."""
        ordered = sorted(self.took)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else float("nan")


class Load:
    """So many events a second from as many senders as have to wait."""

    def __init__(self, port: int, key: str, rate: float) -> None:
        self.port, self.key, self.rate = port, key, rate
        self.number = 0
        self.free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def run(self, seconds: float) -> Account:
        """Send for so long; return what was answered."""
        account = Account()
        beginning = time.monotonic()
        tasks = []
        for index in range(int(seconds * self.rate)):
            due = beginning + index / self.rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.number += 1
            tasks.append(asyncio.create_task(self.send_one(self.number, due, account)))
        await asyncio.gather(*tasks)
        for _, writer in self.free:
            writer.close()
        self.free.clear()
        return account

    async def send_one(self, number: int, due: float, account: Account) -> None:
        """Send one event, and again over a new connection if a kept one was closed before it was answered."""
        event = clean_event(number_of_records=number) | {"messageId": f"honest-{number}"}
        body = json.dumps(event).encode()
        whole = request("/v1/track", authorization(self.key), method="POST", body=body)
        keeps = number % 2 == 0
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await self.ask_over_kept(whole) if keeps else None
                outcome, identity = answer or await self.ask_over_new(whole, number, keeps=keeps)
        except (OSError, TimeoutError, EOFError):
            account.lost += 1
            return
        account.took.append(time.monotonic() - due)
        account.outcomes[outcome] += 1
        account.ids.add(identity)

    async def ask_over_kept(self, whole: bytes) -> tuple[str, str] | None:
        """Return outcome and id; None if there is no connection, or it was closed while nobody used it."""
        if not self.free:
            return None
        reader, writer = self.free.pop(0)
        try:
            writer.write(whole)
            answer = await read_outcome(reader)
        except (OSError, EOFError):
            writer.close()
            return None
        self.keep(reader, writer)
        return answer

    async def ask_over_new(self, whole: bytes, number: int, *, keeps: bool) -> tuple[str, str]:
        """Return outcome and id."""
        source = (f"127.0.1.{1 + number % ADDRESSES}", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=source)
        writer.write(whole)
        answer = await read_outcome(reader)
        if keeps:
            self.keep(reader, writer)
        else:
            writer.close()
        return answer

    def keep(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Keep a connection, if there are not enough of them."""
        if len(self.free) < KEPT:
            self.free.append((reader, writer))
        else:
            writer.close()


async def read_outcome(reader: asyncio.StreamReader) -> tuple[str, str]:
    """Return outcome and id of an answer; the status where it is another than 200. Raises EOFError."""
    head = await reader.readuntil(b"\r\n\r\n")
    [length] = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    body = await reader.readexactly(length)
    status = head.split()[1].decode()
    if status != "200":
        return status, ""
    reported = json.loads(body)
    return reported["outcome"], reported["id"]
