"""Posts a fleet through the real HTTP API: in batches, gzipped, over a few
connections, waiting as long as `Retry-After` asks."""

import asyncio
import gzip
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import orjson

from app.demo.fleet import FleetEvent, Route
from app.problems import TelemetryError

BATCH_EVENTS: Final = 500
BATCH_BYTES: Final = 480 * 1024  # the service takes 500 KiB, brackets and commas included
CONNECTIONS: Final = 4
TRIES: Final = 8
LONGEST_WAIT: Final = 300.0
TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
GZIP_LEVEL: Final = 1
INTERCHANGEABLE: Final = {"queued": "accepted", "duplicate": "accepted"}


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send, as whom."""

    url: str
    write_key: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one route as one request body, with what should become of each."""

    route: Route
    body: bytes
    events: tuple[FleetEvent, ...]


@dataclass(slots=True)
class Summary:
    """What became of a fleet. `unexpected` counts verdicts that were not the ones the fleet was made for."""

    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    withheld: Counter[str] = field(default_factory=Counter)
    unexpected: int = 0
    requests: int = 0
    waits: int = 0
    seconds: float = 0.0

    @property
    def events(self) -> int:
        """How many events were answered."""
        return self.outcomes.total()

    def add(self, batch: Batch, results: list[dict[str, Any]]) -> None:
        """Count the service's answers to a batch, one for each of its events, in order."""
        self.requests += 1
        if len(results) != len(batch.events):
            raise TelemetryError(
                f"The service answered {len(results)} results to {len(batch.events)} events."
            )
        for event, result in zip(batch.events, results, strict=True):
            outcome, withheld = result["outcome"], result.get("withheld", [])
            self.outcomes[outcome] += 1
            self.withheld.update(withheld)
            if outcome == "rejected":
                self.reasons[result.get("reason", "")] += 1
            self.unexpected += settle(outcome) != settle(event.outcome) or set(withheld) != set(
                event.withheld
            )


def settle(outcome: str) -> str:
    """Return the outcome less what depends on timing: a retry may overtake its original, or
    find it from an earlier run."""
    return INTERCHANGEABLE.get(outcome, outcome)


def pack(events: Iterable[FleetEvent]) -> Iterator[Batch]:
    """Yield events grouped into request bodies of at most 500 events and 480 KiB, each of one route, in
    order."""
    waiting: dict[Route, list[tuple[FleetEvent, bytes]]] = {"import": [], "batch": []}
    sizes: Counter[Route] = Counter()
    for event in events:
        encoded = orjson.dumps(event.body)
        queue = waiting[event.route]
        if len(queue) == BATCH_EVENTS or sizes[event.route] + len(encoded) > BATCH_BYTES:
            yield seal(event.route, queue)
            queue.clear()
            sizes[event.route] = 0
        queue.append((event, encoded))
        sizes[event.route] += len(encoded) + 1
    for route, queue in waiting.items():
        if queue:
            yield seal(route, queue)


def seal(route: Route, queue: list[tuple[FleetEvent, bytes]]) -> Batch:
    """Return the request body of some encoded events."""
    body = b'{"batch":[' + b",".join(encoded for _, encoded in queue) + b"]}"
    return Batch(route, body, tuple(event for event, _ in queue))


async def send_events(
    events: Iterable[FleetEvent], target: Target, report: Callable[[Batch], None] = lambda _batch: None
) -> Summary:
    """Send `events` to the service and return the answers' counts; `report` is called after each batch.

    Raises TelemetryError when the service cannot be reached, refuses the key or a whole batch, or stays busy.
    """
    summary, batches, began = Summary(), pack(events), time.monotonic()
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with httpx.AsyncClient(
        base_url=target.url, auth=(target.write_key, ""), timeout=TIMEOUT, limits=limits, trust_env=False
    ) as client:

        async def work() -> None:
            for batch in batches:  # shared: each worker takes the next one
                summary.add(batch, await post(client, batch, summary))
                report(batch)

        failure: TelemetryError | None = None
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(CONNECTIONS):
                    group.create_task(work())
        except* TelemetryError as failures:
            failure = first_of(failures)
        if failure:  # raised here: Debian's Python 3.11.2 wraps what an `except*` raises in a group
            raise failure
    summary.seconds = time.monotonic() - began
    return summary


def first_of(failures: BaseExceptionGroup[TelemetryError]) -> TelemetryError:
    """Return one of several workers' errors: they tell the same story."""
    error = failures.exceptions[0]
    return first_of(error) if isinstance(error, BaseExceptionGroup) else error


async def post(client: httpx.AsyncClient, batch: Batch, summary: Summary) -> list[dict[str, Any]]:
    """Post one batch until it is answered; return what the service answers for each event."""
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    body = await asyncio.to_thread(gzip.compress, batch.body, GZIP_LEVEL)
    for attempt in range(TRIES):
        try:
            response = await client.post(f"/v1/{batch.route}", content=body, headers=headers)
        except httpx.ConnectError:
            raise TelemetryError(
                f"Nothing answers at {client.base_url}. Start the service with `python3 dev.py serve`."
            ) from None
        except httpx.TransportError:  # the batch is safe to send again: its events are recognised
            wait = 0.2 * 2**attempt
        else:
            if response.status_code == httpx.codes.OK:
                results: list[dict[str, Any]] = orjson.loads(response.content)["results"]
                return results
            wait = read_wait(response)
        summary.waits += 1
        await asyncio.sleep(wait)
    raise TelemetryError(f"{client.base_url} stayed busy: gave up on a batch after {TRIES} tries.")


def read_wait(response: httpx.Response) -> float:
    """Return seconds to wait before trying again. Raises TelemetryError when trying again cannot help."""
    if response.status_code in (429, 503):
        seconds = response.headers.get("Retry-After", "")
        return min(float(seconds), LONGEST_WAIT) if seconds.isdecimal() else 1.0
    if response.status_code == httpx.codes.UNAUTHORIZED:
        raise TelemetryError("The service does not know the write key: give one of its own with --write-key.")
    raise TelemetryError(
        f"The service refused a batch: {response.status_code} {read_code(response)}".rstrip()
    )


def read_code(response: httpx.Response) -> str:
    """Return the stable code of a problem body, if it is one."""
    try:
        return str(orjson.loads(response.content)["code"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
