"""The queue and its thread. Callers pay for one put; everything else happens over there.

Two rules. No lock is ever waited for on a caller's thread: the garbage collector can run a finalizer that sends an event
while this very thread holds one. And whoever waits, waits for a bounded time.
"""

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


class Letter(NamedTuple):
    """An event on its way, and where to. An urgent one does not wait for company."""

    endpoint: Endpoint
    event: dict[str, Any]
    urgent: bool


class Marker:
    """Stands in the queue behind everything that its owner waits for. With `stop`, the thread ends there."""

    def __init__(self, *, stop: bool = False) -> None:
        self.reached = threading.Event()
        self.stop = stop


class Worker:
    """A bounded queue, and a daemon thread that starts with the first event."""

    def __init__(self, identify: Identify, counts: Counts) -> None:
        self._identify = identify
        self._counts = counts
        self._mailbox: queue.SimpleQueue[Letter | Marker] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self.deadline = Deadline()

    def put(self, letter: Letter) -> None:
        """Take an event in, or count it as dropped if the queue is full. Never waits.

        Callers that come at the very same instant can overfill the queue by one event each.
        """
        if self._mailbox.qsize() >= _hooks.current.limits.queue_events:
            self._counts.drop()
            return
        self._mailbox.put_nowait(letter)
        if self._thread is None or not self._thread.is_alive():
            self._start()

    def send_marker(self, marker: Marker) -> bool:
        """Queue a marker. False if there is nobody to reach it."""
        self._mailbox.put_nowait(marker)
        if not self.is_alive:
            self._start()
        return self.is_alive

    @property
    def is_alive(self) -> bool:
        """Whether the thread is running."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to wait for: no thread, and nothing for one to do."""
        return not self.is_alive and self._mailbox.empty()

    @property
    def is_current(self) -> bool:
        """Whether the caller is this worker's own thread."""
        return threading.current_thread() is self._thread

    def _start(self) -> None:
        """Start the thread, unless somebody else is at it."""
        if not self._starting.acquire(blocking=False):
            return
        try:
            if not self.is_alive:
                thread = threading.Thread(target=self._run, name="pyairbyte-telemetry", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:
            pass  # no more threads, or the interpreter is ending. The next event tries again.
        finally:
            self._starting.release()

    def _run(self) -> None:
        delivery = self._prepare()
        marker: Marker | None = None
        while marker is None or not marker.stop:
            letters, marker = self._collect()
            self._dispatch(letters, delivery)
            if marker is not None and not marker.stop:
                marker.reached.set()
        while not self._mailbox.empty():  # what slipped in behind the stop
            if isinstance(self._mailbox.get(), Letter):
                self._counts.drop()
        if delivery is not None:
            delivery.close()
        marker.reached.set()

    def _prepare(self) -> "Delivery | None":
        """Import what sending takes. None, and every event lost, on an interpreter where that fails."""
        try:
            delivery: Delivery = _heavy.load().Delivery(_hooks.current.limits, self._counts, self.deadline)
        except Exception as error:  # noqa: BLE001 -- a broken installation must not show in the host's output
            _debug(f"cannot send: {error!r}")
            return None
        return delivery

    def _collect(self) -> tuple[list[Letter], Marker | None]:
        """Wait for an event and for company, for half a second; an urgent event takes along what is there already."""
        limits = _hooks.current.limits
        letters: list[Letter] = []
        until: float | None = None
        while len(letters) < limits.batch_events:
            try:
                item = self._mailbox.get(
                    timeout=None if until is None else max(0.0, until - time.monotonic())
                )
            except queue.Empty:
                break
            if isinstance(item, Marker):
                return letters, item
            letters.append(item)
            if item.urgent or until is None:
                until = time.monotonic() + (0.0 if item.urgent else limits.linger)
        return letters, None

    def _dispatch(self, letters: list[Letter], delivery: "Delivery | None") -> None:
        """Bring every one of these events to its end, whatever happens: what is not settled is lost."""
        if not letters:
            return
        before = delivery.settled if delivery is not None else 0
        try:
            anonymous_id = self._identify()
            if anonymous_id is None:  # the user opted out
                self._counts.add("withdrawn", len(letters))
                return
            if delivery is not None:
                delivery.deliver_all(_encode(letters, anonymous_id))
        except Exception as error:  # noqa: BLE001 -- a fault of ours must stay ours
            _debug(f"failed: {error!r}")
        settled = delivery.settled - before if delivery is not None else 0
        self._counts.add("lost", len(letters) - settled)


def _encode(letters: list[Letter], anonymous_id: str) -> list[tuple[Endpoint, bytes]]:
    """Turn events into their final bytes, each with a `messageId` of its own. One that is too large is left out."""
    encoded = []
    for letter in letters:
        wire = _events.complete(letter.event, anonymous_id)
        wire["messageId"] = _events.new_message_id()
        body = json.dumps(wire, separators=(",", ":"), allow_nan=False).encode()
        if len(body) <= _hooks.current.limits.event_bytes:
            encoded.append((letter.endpoint, body))
    return encoded


def _debug(text: str) -> None:
    if is_set(DEBUG):
        say(f"pyairbyte-telemetry: {text}")
