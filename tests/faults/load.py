"""A load of valid, duplicate, refused and malformed events, and an account of what was answered."""

import datetime as dt
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from app.store.events import hour_of
from tests.samples import SESSION, basic, clean_event, spoil

STATES = ("started", "succeeded", "started", "failed")  # of a session, one after another


@dataclass
class Account:
    """What senders were told: ids by promise, counts of outcomes, the slowest answer in seconds."""

    promised: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)
    hours: Counter[tuple[dt.datetime, str]] = field(default_factory=Counter)  # `kept` and `rejected` ones
    astride: int = 0  # events of requests that began in one hour and ended in another
    statuses: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    slowest_was: str = ""  # its status, and what went on
    now: str = ""  # what goes on
    down_since: float | None = None  # while the service is being killed or started: answers are not timed
    up_since: float = 0.0
    lost_connections: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def downtime(self) -> Iterator[None]:
        """Do not time answers to requests that meet a service on its way down or up."""
        self.down_since = time.monotonic()
        yield
        self.up_since, self.down_since = time.monotonic(), None

    def note(self, response: httpx.Response, started: float) -> None:
        """Write an answer down that came just now to a request of `started`."""
        seconds = time.monotonic() - started
        now = dt.datetime.now(dt.UTC)
        hours = {hour_of(now), hour_of(now - dt.timedelta(seconds=seconds))}
        body: dict[str, Any] = response.json() if response.content else {}
        results = body.get("results", [body] if "outcome" in body else [])
        with self.lock:
            if self.down_since is None and started > self.up_since and seconds > self.slowest:
                self.slowest, self.slowest_was = seconds, f"{response.status_code} after {self.now}"
            self.statuses[response.status_code] += 1
            if response.status_code == 422 and not results:  # a batch that is refused whole has its results
                self.outcomes["rejected"] += 1
                self.count(hours, "rejected")
            for result in results:
                self.outcomes[result["outcome"]] += 1
                kept = result["outcome"] in ("accepted", "queued", "duplicate")
                (self.promised if kept else self.refused).add(result["id"])
                self.count(hours, "kept" if kept else "rejected")

    def count(self, hours: set[dt.datetime], kind: str) -> None:
        """Count an event in the hour in which it was sent and answered, if that is one."""
        if len(hours) == 1:
            self.hours[next(iter(hours)), kind] += 1
        else:
            self.astride += 1


class Sender(threading.Thread):
    """Sends one request after another, as PyAirbyte does: no retry, whatever happens."""

    def __init__(self, url: str, key: str, account: Account, seed: int) -> None:
        super().__init__(daemon=True)
        self.url, self.key, self.account = url, key, account
        self.random = random.Random(seed)
        self.seed = seed
        self.number = 0
        self.ending = threading.Event()

    def run(self) -> None:
        with httpx.Client(base_url=self.url, headers=basic(self.key), timeout=30) as client:
            while not self.ending.is_set():
                path, body = self.compose()
                started = time.monotonic()
                try:
                    response = client.post(path, content=body)
                except httpx.TransportError:
                    with self.account.lock:
                        self.account.lost_connections += 1
                    self.ending.wait(0.01)
                    continue
                self.account.note(response, started)
                if response.status_code == 503:
                    self.ending.wait(0.01)

    def compose(self) -> tuple[str, bytes]:
        """The next request: mostly a valid event, sometimes an old one again, a
        refused one, nonsense or a batch."""
        kind = self.random.random()
        if kind < 0.05:
            return "/v1/track", b'{"event": "sync", "event": "sync"}'
        if kind < 0.2:
            return "/v1/batch", json.dumps(
                {"batch": [self.event() for _ in range(self.random.randint(1, 20))]}
            ).encode()
        return "/v1/track", json.dumps(self.event()).encode()

    def event(self) -> dict[str, Any]:
        """An event: new, sent before, or refused."""
        kind = self.random.random()
        if kind < 0.1 and self.number > 5:
            return self.numbered(self.random.randint(1, self.number))
        self.number += 1
        event = self.numbered(self.number)
        if kind > 0.9:
            event["messageId"] += "-refused"
            return spoil("properties.application_hash", "main.py", event)
        return event

    def numbered(self, number: int) -> dict[str, Any]:
        """The n-th event of this sender; a session has four, of two syncs."""
        session = f"{SESSION[:16]}{self.seed % 1000:03d}{number // 4:07d}"
        state = STATES[number % len(STATES)]
        return clean_event(number_of_records=number, session_id=session, state=state) | {
            "messageId": f"{self.seed}-{number}"
        }


def start_senders(url: str, key: str, account: Account, number: int, seed: int) -> list[Sender]:
    """Start sending."""
    senders = [Sender(url, key, account, seed * 1000 + index) for index in range(number)]
    for sender in senders:
        sender.start()
    return senders


def stop_senders(senders: list[Sender]) -> None:
    """Stop sending and wait for the last answers."""
    for sender in senders:
        sender.ending.set()
    for sender in senders:
        sender.join()
