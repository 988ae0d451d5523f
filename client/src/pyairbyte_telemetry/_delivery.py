"""From finished events to settled ones: batches, attempts, and the count of what became of each event.

Imported on the sender's thread only.
"""

import gzip
import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any, NamedTuple

from . import _hooks
from ._console import say
from ._counts import Counts
from ._deadline import Deadline
from ._errors import DeliveryError
from ._limits import Limits
from ._settings import DEBUG, Endpoint, is_set
from ._transport import Answer, NoAnswerError, Transport

DROPPED_HEADER = "Telemetry-Client-Dropped"
"""How many events the client lost since it last got through. The service keeps the
figure with its data quality."""

_RETRIED = frozenset({408, 429})
_TOO_LARGE = 413
_EVENT_REFUSED = 422  # of one event: the service counts the refusal, and what came with it
_OUTCOMES = {
    "accepted": "accepted",
    "queued": "accepted",
    "duplicate": "duplicate",
    "expired": "expired",
    "forgotten": "forgotten",
    "rejected": "refused",
}


class Batch(NamedTuple):
    """Events for one endpoint, encoded once: a retry repeats the very same bytes, `messageId` included."""

    endpoint: Endpoint
    events: tuple[bytes, ...]

    @property
    def path(self) -> str:
        """One event goes plainly, as released clients post it."""
        return "/v1/track" if len(self.events) == 1 else "/v1/batch"

    def encode(self, sent_at: str) -> bytes:
        """Return the body. `sentAt` is this attempt's time: it tells the service how far
        off this machine's clock is."""
        stamp = b',"sentAt":"' + sent_at.encode() + b'"}'
        if len(self.events) == 1:
            return self.events[0][:-1] + stamp
        tracks = b",".join(event[:-1] + b',"type":"track"}' for event in self.events)
        return b'{"batch":[' + tracks + b"]" + stamp

    def split(self) -> "tuple[Batch, Batch]":
        """Return two halves."""
        middle = len(self.events) // 2
        return Batch(self.endpoint, self.events[:middle]), Batch(self.endpoint, self.events[middle:])


class Delivery:
    """Delivers batches one after another and settles the counts."""

    def __init__(self, limits: Limits, counts: Counts, deadline: Deadline) -> None:
        self._limits = limits
        self._counts = counts
        self._deadline = deadline
        self._transport = Transport(limits)
        self._settle: Callable[[int], None] = _ignore

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def deliver_all(self, encoded: list[tuple[Endpoint, bytes]], settle: Callable[[int], None]) -> None:
        """Deliver events, in batches. `settle` is called with the number of those
        that have come to their end."""
        self._settle = settle
        for batch in form_batches(encoded, self._limits):
            self.deliver(batch)

    def deliver(self, batch: Batch) -> None:
        """Deliver a batch, however many attempts that takes within the budget.
        Afterwards each event is settled."""
        began = time.monotonic()
        for attempt in range(self._limits.attempts):
            answer = self._post(batch)
            if isinstance(answer, Answer) and not _is_transient(answer.status):
                self._judge(batch, answer)
                return
            if not self._wait(attempt, answer, began):
                break
            self._counts.add("retried", len(batch.events))
        if isinstance(answer, Answer):
            self._fail("lost", batch.events, answer.status, _read_reason(answer.body))
        else:
            self._fail("lost", batch.events, None, str(answer))

    def _post(self, batch: Batch) -> Answer | NoAnswerError:
        if self._deadline.remaining <= 0:
            return NoAnswerError(reached=False, cause="out of time")
        body = batch.encode(datetime.now(tz=timezone.utc).isoformat())
        if is_set(DEBUG):
            say(f"pyairbyte-telemetry: POST {batch.path} {body.decode()}")
        headers = {}
        if batch.path == "/v1/batch" and len(body) > self._limits.gzip_above:
            body = gzip.compress(body, 6)
            headers["Content-Encoding"] = "gzip"
        losses = self._counts.take_unreported()
        if losses:
            headers[DROPPED_HEADER] = str(losses)
        reported = False
        try:
            answer = self._transport.post(batch.endpoint, batch.path, body, headers, self._deadline.remaining)
            reported = _is_success(answer.status) or answer.status == _EVENT_REFUSED
        except NoAnswerError as error:
            return error
        finally:
            self._counts.end_report(losses, reported=reported)
        return answer

    def _wait(self, attempt: int, answer: Answer | NoAnswerError, began: float) -> bool:
        """Pause before the next attempt: full jitter, or what the service asked for.
        Returns False if it is not worth it."""
        limits, left = self._limits, self._deadline.remaining
        if attempt + 1 >= limits.attempts:
            return False
        if self._deadline.is_set and isinstance(answer, NoAnswerError) and not answer.reached:
            return False  # nobody there: do not hold up the exit
        pause = _draw() * min(limits.backoff_cap, limits.backoff_base * 2**attempt, left / 2)
        asked = answer.retry_after if isinstance(answer, Answer) else None
        if asked is not None:
            pause = max(pause, min(asked, limits.retry_after_cap))
        if pause >= left or time.monotonic() + pause - began > limits.retry_budget:
            return False
        # A deadline that comes up meanwhile cuts jitter short, but not a pause that the service asked for.
        return self._deadline.pause(pause) or asked is None

    def _judge(self, batch: Batch, answer: Answer) -> None:
        """Count what became of each event of an answered batch."""
        events, status = batch.events, answer.status
        if _is_success(status):
            for event, (outcome, reason) in zip(
                events, _read_outcomes(answer.body, len(events)), strict=True
            ):
                if outcome == "refused":
                    self._fail(outcome, (event,), status, reason)
                else:
                    self._end(outcome, 1)
        elif status == _TOO_LARGE and len(events) > 1:
            for half in batch.split():  # a proxy in between may allow less than the service
                self.deliver(half)
        elif 300 <= status < 400:
            self._fail(
                "lost", events, status, "redirects are not followed"
            )  # whoever sends them is not the service
        else:
            self._fail("refused", events, status, _read_reason(answer.body))

    def _end(self, outcome: str, events: int) -> None:
        self._counts.add(outcome, events)
        self._settle(events)

    def _fail(self, outcome: str, events: tuple[bytes, ...], status: int | None, reason: str) -> None:
        """Count events that were not stored, and let the host know."""
        self._end(outcome, len(events))
        if _hooks.current.on_error is not None:
            _hooks.report_error(
                DeliveryError(outcome, status, reason), [json.loads(event) for event in events]
            )


def _ignore(_events: int) -> None:
    """Settle nothing."""


def _draw() -> float:
    """Return a random number from 0 to 1, for jitter; not of `random`, whose import
    takes as long as a request."""
    return int.from_bytes(os.urandom(4), "big") / 2**32


def _is_success(status: int) -> bool:
    return 200 <= status < 300


def _is_transient(status: int) -> bool:
    return status in _RETRIED or status >= 500


def _read_outcomes(body: bytes, size: int) -> list[tuple[str, str]]:
    """Return each event's outcome and the reason given, in order. Where the answer does not
    say, the event was accepted."""
    try:
        answer: Any = json.loads(body)
        items = answer["results"] if size > 1 else [answer]
        outcomes = [
            (_OUTCOMES.get(item["outcome"], "accepted"), str(item.get("reason") or "rejected"))
            for item in items
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        outcomes = []
    return outcomes if len(outcomes) == size else [("accepted", "")] * size


def _read_reason(body: bytes) -> str:
    """Return the problem's stable code, such as `unknown_write_key`, as far as the answer says one."""
    try:
        return str(json.loads(body)["code"])[:100]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "refused"


def form_batches(encoded: list[tuple[Endpoint, bytes]], limits: Limits) -> Iterator[Batch]:
    """Yield consecutive events for one endpoint as batches within the limits."""
    events: list[bytes] = []
    size = 0
    for index, (endpoint, event) in enumerate(encoded):
        full = len(events) >= limits.batch_events or size + len(event) + 32 > limits.batch_bytes
        if events and (full or endpoint != encoded[index - 1][0]):
            yield Batch(encoded[index - 1][0], tuple(events))
            events, size = [], 0
        events.append(event)
        size += len(event) + 32  # `type`, comma
    if events:
        yield Batch(encoded[-1][0], tuple(events))
