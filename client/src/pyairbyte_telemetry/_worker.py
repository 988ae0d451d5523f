"""The queue and its thread. Callers pay for one put; everything else happens over there.

Two rules. No lock is ever waited for on a caller's thread: the garbage collector can run a finalizer that
sends an event while this very thread holds one. And whoever waits, waits for a bounded time.
"""

import _thread
import contextlib
import copy
import json
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _events, _heavy, _hooks
from ._console import say
from ._counts import Counts
from ._deadline import Deadline
from ._settings import DEBUG, Endpoint, is_set

if TYPE_CHECKING:
    from ._delivery import Delivery

Identify = Callable[[], "str | None"]


class QueuedEvent(NamedTuple):
    """An event on its way, and where to. An urgent one does not wait for company."""

    endpoint: Endpoint
    event: dict[str, Any]
    urgent: bool


class Sentinel:
    """Stands in the queue behind everything that its owner waits for. With `stop`, the thread ends there."""

    def __init__(self, *, stop: bool = False) -> None:
        self.reached = threading.Event()
        self.stop = stop


class Worker:
    """A bounded queue, and a daemon thread that starts with the first event.

    `identify` returns the id on the wire, None if nothing may be sent; `recall`
    the losses of earlier processes.
    """

    def __init__(self, identify: Identify, recall: Callable[[], int], counts: Counts) -> None:
        self._identify = identify
        self._recall = recall
        self._counts = counts
        self._queue: queue.SimpleQueue[QueuedEvent | Sentinel] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._thread: int | None = None
        self._in_hand = 0
        """Events of the batch that is being sent that have not come to their end."""
        self.deadline = Deadline()
        self.is_alive = False
        """Whether the thread is running, or about to."""
        self.prepared = threading.Event()
        """Set once the thread has imported what sending takes."""
        self.slowness = 1.0
        """How many times longer that took than the process computed meanwhile: how
        busy others keep the machine."""

    def put(self, item: QueuedEvent) -> None:
        """Take an event in, or count it as dropped if the queue is full. Never waits.

        Callers that come at the very same instant can overfill the queue by one event each.
        """
        if self._queue.qsize() >= _hooks.current.limits.queue_events:
            self._counts.drop()
            return
        self._queue.put_nowait(item)
        if not self.is_alive:
            self._start()

    def send_sentinel(self, sentinel: Sentinel) -> bool:
        """Queue a sentinel. Return False if there is nobody to reach it."""
        self._queue.put_nowait(sentinel)
        if not self.is_alive:
            self._start()
        return self.is_alive

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to wait for: no thread, and nothing for one to do."""
        return not self.is_alive and self._queue.empty()

    @property
    def is_current(self) -> bool:
        """Whether the caller is this worker's own thread."""
        return threading.get_ident() == self._thread

    def give_up(self) -> int:
        """Return how many events have not come to their end, and leave those in the queue to nobody."""
        given_up = self._in_hand
        with contextlib.suppress(queue.Empty):
            while True:
                given_up += isinstance(self._queue.get_nowait(), QueuedEvent)
        return given_up

    def _start(self) -> None:
        """Start the thread, unless somebody else is at it.

        Not by `threading.Thread`, which waits until the new thread has run: 27
        ms were seen on a busy machine.
        """
        if not self._starting.acquire(blocking=False):
            return
        try:
            if not self.is_alive:
                self.is_alive = True
                _thread.start_new_thread(self._run, ())
        except RuntimeError:
            self.is_alive = (
                False  # no more threads, or the interpreter is ending. The next event tries again.
            )
        finally:
            self._starting.release()

    def _run(self) -> None:
        self._thread = threading.get_ident()
        began, computed = time.monotonic(), time.process_time()
        delivery = self._prepare()
        computed = max(0.001, time.process_time() - computed)
        self.slowness = max(1.0, (time.monotonic() - began) / computed)
        self.prepared.set()
        sentinel: Sentinel | None = None
        while sentinel is None or not sentinel.stop:
            items, sentinel = self._collect()
            self._dispatch(items, delivery)
            if sentinel is not None and not sentinel.stop:
                sentinel.reached.set()
        if delivery is not None:
            delivery.close()
        self._thread, self.is_alive = None, False
        for _ in range(self.give_up()):  # what slipped in behind the stop
            self._counts.drop()
        sentinel.reached.set()

    def _prepare(self) -> "Delivery | None":
        """Return what sending takes, imported. None, and every event lost, on an interpreter where that
        fails."""
        try:
            module = _heavy.load_delivery()
            delivery: Delivery = module.Delivery(_hooks.current.limits, self._counts, self.deadline)
        except Exception as error:  # noqa: BLE001 -- a broken installation must not show in the host's output
            _debug(f"cannot send: {error!r}")
            return None
        return delivery

    def _collect(self) -> tuple[list[QueuedEvent], Sentinel | None]:
        """Return an event and its company after waiting for them, for half a second; an urgent event takes
        along what is there already."""
        limits = _hooks.current.limits
        items: list[QueuedEvent] = []
        until: float | None = None
        while len(items) < limits.batch_events:
            try:
                item = self._queue.get(timeout=None if until is None else max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if isinstance(item, Sentinel):
                return items, item
            items.append(item)
            self._in_hand += 1
            if item.urgent or until is None:
                until = time.monotonic() + (0.0 if item.urgent else limits.linger)
        return items, None

    def _dispatch(self, items: list[QueuedEvent], delivery: "Delivery | None") -> None:
        """Bring every one of these events to its end, whatever happens: what is not settled is lost."""
        if not items:
            return
        try:
            anonymous_id = self._identify()
            if anonymous_id is None:  # the user opted out
                self._end("withdrawn", len(items))
                return
            self._counts.add("inherited", self._recall())
            if delivery is not None:
                delivery.deliver_all(self._encode(items, anonymous_id), self._settle)
        except Exception as error:  # noqa: BLE001 -- a fault of ours must stay ours
            _debug(f"failed: {error!r}")
        finally:
            self._end("lost", self._in_hand)

    def _settle(self, events: int) -> None:
        """Note that events have come to their end and are counted."""
        self._in_hand -= events

    def _end(self, outcome: str, events: int) -> None:
        self._counts.add(outcome, events)
        self._settle(events)

    def _encode(self, items: list[QueuedEvent], anonymous_id: str) -> list[tuple[Endpoint, bytes]]:
        """Return the events' final bytes, each with a `messageId` of its own, less those that do not go."""
        encoded = []
        for item in items:
            wire = _events.complete(item.event, anonymous_id)
            wire["messageId"] = _events.new_message_id()
            outcome = "lost"
            try:
                body = _encode(wire)
                if body is None:
                    outcome = "withdrawn"
                elif len(body) <= _hooks.current.limits.event_bytes:
                    encoded.append((item.endpoint, body))
                    continue
            except Exception as error:  # noqa: BLE001 -- somebody else's hook
                _hooks.report_error(error, [wire])
            self._end(outcome, 1)
        return encoded


def _encode(wire: dict[str, Any]) -> bytes | None:
    """Return the JSON of what the host's `before_send` makes of an event, None if it wants none sent.

    Raises TypeError and ValueError for what is no JSON object, and whatever the hook raises.
    """
    before_send = _hooks.current.before_send
    changed = wire if before_send is None else before_send(copy.deepcopy(wire))
    if changed is None:
        return None
    if not isinstance(changed, dict):
        raise TypeError("before_send returned neither an event nor None")
    return json.dumps(changed, separators=(",", ":"), allow_nan=False).encode()


def _debug(text: str) -> None:
    if is_set(DEBUG):
        say(f"pyairbyte-telemetry: {text}")
