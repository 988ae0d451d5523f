"""`/v1/track`, `/v1/batch`, `/v1/import`, `/v1/validate`: the only file of the way in that knows HTTP.

Bare ASGI inside the FastAPI app: FastAPI's request and response machinery costs more than all the rest of an event.
`app.ingest.shortcut` describes the endpoints in OpenAPI all the same.
"""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, NamedTuple

import orjson
import structlog

from app.contract.document import Document, canonical, parse
from app.contract.limits import BATCH_BYTES, BATCH_EVENTS, EVENT_BYTES
from app.ingest import instruments
from app.ingest.body import TOO_LARGE, Disconnected, Receive, read
from app.ingest.keyring import Keyring, Sender
from app.ingest.writer import Writer
from app.privacy.projection import Arrival
from app.privacy.verdict import Installation, Verdict, judge
from app.problems import Problem
from app.store.events import INTERNAL, REJECTED, Tally, hour_of

log = structlog.get_logger()

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
JSON: Final = [(b"content-type", b"application/json")]
BATCH_KEYS: Final = frozenset({"batch", "sentAt", "writeKey", "context", "integrations"})
STATUSES: Final = (200, 204, 400, 401, 405, 413, 415, 422, 429, 500, 503)
# 2 ms of judging at a stretch: other requests, and the socket of a commit under way, come in between.
SLICE: Final = 50  # events
NOTHING: Final[Mapping[Tally, int]] = {}
NO_WRITE_KEY: Final = 0  # tallies of requests that came without a valid one

NOT_AN_OBJECT: Final = Problem(400, "malformed", "The body must be a JSON object.", rule="not_an_object")
NOT_A_BATCH: Final = Problem(
    400, "malformed", "The body must be an object with a list `batch`.", rule="not_a_batch"
)
NOT_ALLOWED: Final = Problem(405, "method_not_allowed", "Send a POST request.", allow="POST")
FAILED: Final = Problem(500, "internal", "The service failed; the fault is ours and is logged.")
DETAILS: Final = {
    "too_large": "The event is larger than 32 KiB.",
    "duplicate_key": "An object has a key twice.",
    "not_a_number": "NaN and Infinity are no JSON.",
    "character": "A string holds NUL or a lone surrogate.",
    "too_deep": "Containers are nested deeper than five.",
    "not_an_object": "An event must be a JSON object.",
}


# Takes a token of a bucket; None, or the seconds after which there is one again.
Admit = Callable[[str], int | None]


@dataclass(frozen=True, slots=True)
class Ingest:
    """What the endpoints share."""

    keyring: Keyring
    writer: Writer
    installation: Installation
    admit_address: Admit
    admit_key: Admit
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # of the batch that is judged


class Request(NamedTuple):
    """One authenticated body."""

    document: Document
    sender: Sender
    received_at: dt.datetime
    headers: Mapping[bytes, bytes]


class Endpoint:
    """An ASGI endpoint: read, authenticate, judge, store, reply."""

    def __init__(self, ingest: Ingest, path: str, limit: int, reply: "Reply") -> None:
        """Take bodies of at most `limit` inflated bytes, batches if an event is too small for it, answered by `reply`."""
        self.ingest = ingest
        self.answered = {status: instruments.REQUESTS.labels(path, status) for status in STATUSES}
        self.limit = limit
        self.batch = limit > EVENT_BYTES
        self.reply = reply

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request. Whatever goes wrong ends in a problem that holds nothing of the input."""
        received_at = dt.datetime.now(dt.UTC)
        try:
            await self.answer(scope, receive, send, received_at)
        except Problem as problem:
            if problem.status in (400, 401, 413, 415, 429):
                self.refused(received_at, NO_WRITE_KEY, problem.code)
            await self.respond(send, problem.status, problem.headers(), problem.render())
        except Disconnected:
            return
        except Exception:
            log.exception("request_failed")  # the log shows the type and the place, never the message
            await self.respond(send, 500, FAILED.headers(), FAILED.render())

    async def answer(
        self, scope: Mapping[str, Any], receive: Receive, send: Send, received_at: dt.datetime
    ) -> None:
        """Answer with 200 or 204. Raises Problem for everything else."""
        if scope["method"] != "POST":
            raise NOT_ALLOWED.fresh()
        headers = dict(scope["headers"])
        if is_opt_out(headers):
            self.refused(received_at, NO_WRITE_KEY, "dnt")
            await self.respond(send, 204, [], b"")
        else:
            client = scope.get("client")
            admit(self.ingest.admit_address, client[0] if client else "")
            request = await self.read(receive, headers, received_at)
            admit(self.ingest.admit_key, str(request.sender.write_key))
            await self.respond(send, 200, JSON, await self.reply(self.ingest, request))

    async def read(
        self, receive: Receive, headers: Mapping[bytes, bytes], received_at: dt.datetime
    ) -> Request:
        """Read and authenticate. The header is checked before the body is read, the body's key after."""
        header = headers.get(b"authorization")
        sender = await self.ingest.keyring.authenticate(header, None) if header is not None else None
        raw = await read(receive, headers, self.limit)
        if sender is not None:
            return Request(parse(raw, batch=self.batch), sender, received_at, headers)
        document = parse_unauthenticated(raw, batch=self.batch)
        body_key = document.value.get("writeKey") if isinstance(document.value, dict) else None
        sender = await self.ingest.keyring.authenticate(None, body_key)
        return Request(document, sender, received_at, headers)

    async def respond(self, send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Send a whole response."""
        self.answered[status].inc()
        length = [(b"content-length", str(len(body)).encode())] if status != 204 else []
        await send({"type": "http.response.start", "status": status, "headers": headers + length})
        await send({"type": "http.response.body", "body": body})

    def refused(self, received_at: dt.datetime, write_key: int, reason: str) -> None:
        """Count a request that never became an event."""
        self.ingest.writer.tally(Tally(hour_of(received_at), write_key, "refused", reason))


Reply = Callable[[Ingest, Request], Awaitable[bytes]]


def admit(take: Admit, name: str) -> None:
    """Take a token. Raises Problem 429."""
    wait = take(name)
    if wait is not None:
        raise Problem(
            429, "too_many_requests", "Too many requests; try again later.", retry_after=min(wait, 300)
        )


def is_opt_out(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the sender asks not to be tracked."""
    return headers.get(b"dnt") == b"1" or headers.get(b"sec-gpc") == b"1"


def parse_unauthenticated(raw: bytes, *, batch: bool) -> Document:
    """Parse a body that should name its write key; one that cannot be parsed names none."""
    try:
        return parse(raw, batch=batch)
    except Problem:
        return Document(None, clean=False)


def dropped_by_client(request: Request) -> Mapping[Tally, int]:
    """What the client says it had to drop since its last request, as a tally."""
    number = request.headers.get(b"telemetry-client-dropped", b"")
    if not number.isdigit() or len(number) > 9:
        return NOTHING
    return {Tally(hour_of(request.received_at), request.sender.write_key, "client_dropped", ""): int(number)}


async def track(ingest: Ingest, request: Request) -> bytes:
    """One event: 200 once it is durable. Raises Problem 400 or 422 for a refused one, which is in the ledger then."""
    if not isinstance(request.document.value, dict):
        raise NOT_AN_OBJECT.fresh()
    arrival = Arrival(request.received_at, request.sender.write_key, request.sender.text)
    document = request.document
    form = document.forms[0] if document.forms else None
    verdict = judge(document.value, arrival, ingest.installation, clean=document.clean, form=form)
    if verdict.malformed:
        raise malformed(verdict)
    outcomes = await ingest.writer.submit([verdict], dropped_by_client(request))
    if outcomes[0] == REJECTED:
        raise refused(verdict)
    return orjson.dumps(describe(verdict, outcomes[0], success=True))


def malformed(verdict: Verdict) -> Problem:
    """The 400 of an event that is no proper JSON."""
    rule = verdict.reason or "malformed"
    return Problem(400, "malformed", DETAILS[rule], rule=rule)


def refused(verdict: Verdict) -> Problem:
    """The 422 of an event that is outside the closed world."""
    return Problem(
        422,
        "event_refused",
        "The event is refused; `rule` and `path` say why. Nothing of the refused field was kept.",
        rule=verdict.reason or INTERNAL,
        path=verdict.path,
    )


def describe(verdict: Verdict, outcome: str, *, success: bool | None = None) -> dict[str, object]:
    """One event's result in a reply."""
    result: dict[str, object] = {} if success is None else {"success": success}
    result["id"] = verdict.id
    result["outcome"] = outcome
    if outcome == REJECTED:
        result["reason"] = verdict.reason or INTERNAL
        if verdict.path is not None:
            result["path"] = verdict.path
    if verdict.withheld:
        result["withheld"] = verdict.withheld
    return result


async def judge_batch(ingest: Ingest, request: Request, *, historical: bool) -> list[Verdict]:
    """The verdicts on the events of a batch, in order. Raises Problem 400 or 413 for the batch as a whole.

    The event loop is free after every slice, and batches take turns: side by side, all of many would be late.
    """
    envelope = request.document.value
    if not isinstance(envelope, dict) or not isinstance(envelope.get("batch"), list):
        raise NOT_A_BATCH.fresh()
    if not BATCH_KEYS.issuperset(envelope):
        raise NOT_A_BATCH.fresh()
    if len(envelope["batch"]) > BATCH_EVENTS:
        raise TOO_LARGE.fresh()
    arrival = Arrival(
        request.received_at,
        request.sender.write_key,
        request.sender.text,
        sent_at=envelope.get("sentAt"),
        historical=historical,
    )
    events = envelope["batch"]
    pairs = zip(events, request.document.forms or map(canonical, events), strict=True)
    verdicts: list[Verdict] = []
    async with ingest.turn:
        for start in range(0, len(events), SLICE):
            if start:
                await asyncio.sleep(0)
            verdicts += [
                judge(
                    event,
                    arrival,
                    ingest.installation,
                    clean=request.document.clean,
                    fault="too_large" if len(form) > EVENT_BYTES else None,
                    form=form,
                )
                for event, form in islice(pairs, SLICE)
            ]
    return verdicts


async def store_batch(ingest: Ingest, request: Request, *, historical: bool) -> bytes:
    """Judge and store a batch: one result an event; one bad event never fails its neighbours."""
    verdicts = await judge_batch(ingest, request, historical=historical)
    outcomes = await ingest.writer.submit(verdicts, dropped_by_client(request)) if verdicts else []
    results = [describe(verdict, outcome) for verdict, outcome in zip(verdicts, outcomes, strict=True)]
    return orjson.dumps({"success": True, "results": results})


async def batch(ingest: Ingest, request: Request) -> bytes:
    """Live events: a clock that is off is corrected."""
    return await store_batch(ingest, request, historical=False)


async def import_(ingest: Ingest, request: Request) -> bytes:
    """History: times are kept as they are."""
    return await store_batch(ingest, request, historical=True)


async def validate(ingest: Ingest, request: Request) -> bytes:
    """The same verdicts and reply as a batch; stores nothing, counts nothing."""
    value = request.document.value
    if isinstance(value, dict) and "batch" not in value:
        document = Document({"batch": [value]}, request.document.clean, request.document.forms)
        request = Request(document, request.sender, request.received_at, request.headers)
    verdicts = await judge_batch(ingest, request, historical=False)
    results = [describe(verdict, REJECTED if verdict.rejected else "accepted") for verdict in verdicts]
    return orjson.dumps({"success": True, "results": results})


def endpoints(ingest: Ingest) -> dict[str, Endpoint]:
    """The endpoints by path."""
    replies: dict[str, tuple[int, Reply]] = {
        "/v1/track": (EVENT_BYTES, track),
        "/v1/batch": (BATCH_BYTES, batch),
        "/v1/import": (BATCH_BYTES, import_),
        "/v1/validate": (BATCH_BYTES, validate),
    }
    return {path: Endpoint(ingest, path, limit, reply) for path, (limit, reply) in replies.items()}
