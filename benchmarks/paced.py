"""An open-loop load: requests leave at their time whatever the answers do, and an
answer's time counts from there.

A closed loop would hide a stall: while nothing is answered, it sends nothing.
"""

import asyncio
import base64
import gc
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, cast

import uvloop

from benchmarks.load import MOMENT_GAP, SESSION_GAP, cut_events
from benchmarks.servers import WRITE_KEY

TICK_SECONDS: Final = 0.001
PATIENCE_SECONDS: Final = 10.0
OFF: Final = "2024-01-02T12:00:00."


@dataclass(slots=True)
class Answers:
    """When each answer came, how long it took from the moment its request was due (both in
    seconds), and how it ended."""

    came_at: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    statuses: dict[bytes, int] = field(default_factory=dict)

    def between(self, start: float, end: float) -> "Answers":
        """Return those to requests that were due in a stretch of time."""
        chosen = [
            (at, took) for at, took in zip(self.came_at, self.took, strict=True) if start <= at - took < end
        ]
        return Answers([at for at, _ in chosen], [took for _, took in chosen])

    def quantile_ms(self, share: float) -> float:
        """Return the time that this share of the answers took at the most, in milliseconds."""
        ordered = sorted(self.took)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else float("nan")

    @property
    def longest_gap_ms(self) -> float:
        """The longest time without any answer, in milliseconds."""
        ordered = sorted(self.came_at)
        return max((b - a for a, b in pairwise(ordered)), default=0.0) * 1000


class Requests:
    """Distinct requests: event after event of the demo, each with a session and a microsecond of its own.

    One in a hundred comes from a machine whose clock is years off: it goes to the default partition.
    """

    def __init__(self, host: str, first: int = 0) -> None:
        """For a server at `host`; `first` keeps the events of two loads apart."""
        second = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime())
        credentials = base64.b64encode(f"{WRITE_KEY}:".encode()).decode()
        self.number = first
        self.templates = []
        for number, text in enumerate(cut_events(5_000)):
            length = len(text) - len(SESSION_GAP) - len(MOMENT_GAP) + 8 + len(second) + 6
            head = (
                f"POST /v1/track HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic {credentials}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
            )
            before, rest = text.split(SESSION_GAP)
            between, after = rest.split(MOMENT_GAP)
            moment = OFF if number % 100 == 0 else second
            self.templates.append((f"{head}{before}", f"{between}{moment}", after))

    def __call__(self) -> bytes:
        """Return the next request."""
        before, between, after = self.templates[self.number % len(self.templates)]
        request = f"{before}{self.number // 4:08d}{between}{self.number % 1_000_000:06d}{after}"
        self.number += 1
        return request.encode()


class Connection(asyncio.Protocol):
    """One kept-alive connection with at most one request on its way."""

    def __init__(self, answered: Callable[["Connection", bytes], None]) -> None:
        """Call `answered` with the status of every answer."""
        self.answered = answered
        self.received = b""
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to write to."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer; report it once it is whole."""
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if len(body) >= int(length or b"0"):
            self.received = b""
            self.answered(self, head[9:12])

    def send(self, request: bytes, due: float) -> None:
        """Send a request that was due at a moment of `time.monotonic`."""
        self.due = due
        self.transport.write(request)


class Load:
    """A load of `rate` requests a second over some connections; one that finds none
    free waits, and its time runs."""

    def __init__(self, requests: Callable[[], bytes], rate: float) -> None:
        """Send what `requests` gives."""
        self.requests = requests
        self.rate = rate
        self.answers = Answers()
        self.waiting: deque[float] = deque()
        self.free: deque[Connection] = deque()
        self.all_answered = asyncio.Event()
        self.sent = 0

    def answered(self, connection: Connection, status: bytes) -> None:
        """Note an answer and use its connection for whoever waits."""
        now = time.monotonic()
        self.answers.came_at.append(now)
        self.answers.took.append(now - connection.due)
        self.answers.statuses[status] = self.answers.statuses.get(status, 0) + 1
        if len(self.answers.took) == self.sent:
            self.all_answered.set()
        if self.waiting:
            connection.send(self.requests(), self.waiting.popleft())
        else:
            self.free.append(connection)

    def send_until(self, number: float, start: float) -> None:
        """Send all that is due by now."""
        while self.sent < number:
            due = start + self.sent / self.rate
            self.sent += 1
            if self.free:
                self.free.popleft().send(self.requests(), due)
            else:
                self.waiting.append(due)

    async def run(self, url: str, seconds: float, connections: int) -> Answers:
        """Return the answers to all requests of some seconds; those that never came within
        ten seconds more are missing."""
        host, _, port = url.removeprefix("http://").partition(":")
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            made = await loop.create_connection(lambda: Connection(self.answered), host, int(port))
            self.free.append(made[1])
        everyone = list(self.free)
        start = time.monotonic()
        while (elapsed := time.monotonic() - start) < seconds:
            self.send_until(elapsed * self.rate, start)
            await asyncio.sleep(TICK_SECONDS)
        self.all_answered.clear()
        if len(self.answers.took) < self.sent:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.all_answered.wait(), PATIENCE_SECONDS)
        for connection in everyone:
            connection.transport.close()
        return self.answers


def run_paced(
    url: str, rate: float, seconds: float, connections: int = 64, requests: Requests | None = None
) -> Answers:
    """Return a load on a loop of its own, with the garbage collector off: its pauses
    would look like the server's."""
    requests = requests or Requests(url.removeprefix("http://"))
    gc.collect()
    gc.disable()
    try:
        return uvloop.run(Load(requests, rate).run(url, seconds, connections))
    finally:
        gc.enable()
