"""One event or a batch over HTTP, from the request to the answer: all of the way in that knows HTTP.

Bare ASGI inside the FastAPI app: FastAPI's request and response machinery costs more than all the rest of an
event. `app.ingest.endpoints` has the paths, `app.ingest.openapi` what OpenAPI says of them.
"""

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from app.contract.document import Document, parse
from app.contract.limits import BATCH_BYTES, EVENT_BYTES
from app.ingest import instruments
from app.ingest.body import FORM, Disconnected, Receive, Room, read
from app.ingest.heeded import count, is_opt_out, parse_unauthenticated
from app.ingest.keyring import Keyring, Sender, find_key
from app.ingest.replies import malformed, render_batch, render_single
from app.ingest.verdicts import REFUSED, Turns, count_events, judge_batch, judge_single
from app.ingest.writer import Writer
from app.privacy.examination import UNSUPPORTED_TYPE
from app.privacy.projection import Arrival
from app.privacy.verdict import Verdict, VerdictContext
from app.problems import Problem
from app.scopes import INGEST, RELAY, SCOPES
from app.store.events import Tally, hour_of
from app.web.limits import Limit, weigh
from app.web.problems import FAILED

log = structlog.get_logger()

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
JSON: Final = [(b"content-type", b"application/json")]
STATUSES: Final = (200, 204, 400, 401, 403, 405, 413, 415, 422, 429, 500, 503)
NO_WRITE_KEY: Final = 0  # tallies of requests that came without a valid one
NOT_ALLOWED: Final = Problem("method_not_allowed", "Send a POST request.", allow="POST")
MAY_NOT: Final = {
    scope: Problem("missing_scope", f"This write key may not do this: it needs the scope `{scope}`.")
    for scope in SCOPES
}
Submit = Callable[[Sequence[Verdict], Mapping[Tally, int]], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class IngestContext:
    """What the endpoints share."""

    keyring: Keyring
    writer: Writer
    verdict_context: VerdictContext
    addresses: Limit
    keys: Limit
    find_peer: Callable[[Mapping[str, Any]], str]  # the address that sends
    room: Room = field(default_factory=Room)  # for bodies of senders unknown yet
    turns: Turns = field(default_factory=Turns)  # of the batches that are judged


class Endpoint:
    """An ASGI endpoint for one event, which `type_` may refuse: another kind of message than `track`."""

    limit = EVENT_BYTES
    batch = False
    historical = False
    scope: str | None = INGEST  # that the write key needs
    gzip_types = FORM  # what else than JSON a gzip body may be called

    def __init__(self, ingest: IngestContext, path: str, type_: str = "track") -> None:
        """Answer at a path."""
        self.ingest = ingest
        self.submit = self.make_submit()
        self.answered = {status: instruments.REQUESTS.labels(path, status) for status in STATUSES}
        self.refusal = None if type_ == "track" else (UNSUPPORTED_TYPE, "type")

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request. Whatever goes wrong ends in a problem that holds nothing of the input."""
        received_at = dt.datetime.now(dt.UTC)
        try:
            await self.answer(scope, receive, send, received_at)
        except Problem as problem:
            if problem.status in (400, 401, 403, 413, 415, 429):
                self.refused(received_at, NO_WRITE_KEY, problem.code)
            await self.respond_problem(send, problem)
        except Disconnected:
            return
        except Exception:  # the log shows the type and the place, never the message
            log.exception("request_failed")
            await self.respond_problem(send, FAILED)

    async def answer(
        self, scope: Mapping[str, Any], receive: Receive, send: Send, received_at: dt.datetime
    ) -> None:
        """Take the steps of a request in order and answer with 200 or 204. Raises
        Problem for everything else."""
        address, headers = self.admit(scope)
        if is_opt_out(headers):
            self.refused(received_at, NO_WRITE_KEY, "dnt")
            await self.respond(send, 204, [], b"")
            return
        took = instruments.time_steps()
        raw, sender = await self.read(receive, headers)
        took("read")
        document, sender = await self.parse(raw, sender)
        took("parse")
        weight = self.charge(address, sender, raw, document)  # ahead of the verdicts, which may be refused
        verdicts = await self.judge(document, self.arrive(received_at, sender))
        took("judge")
        self.charge_refused(address, raw, verdicts, weight)
        tallies = count(headers, received_at, sender, verdicts)
        outcomes = await self.submit(verdicts, tallies) if verdicts else []
        took("store")
        await self.respond(send, 200, JSON, self.render(verdicts, outcomes))
        took("reply")

    def admit(self, scope: Mapping[str, Any]) -> tuple[str, dict[bytes, bytes]]:
        """Return the address that a request comes from, and its headers. Raises Problem 405 or 429."""
        if scope["method"] != "POST":
            raise NOT_ALLOWED.fresh()
        address = self.ingest.find_peer(scope)
        self.ingest.addresses.require(address)
        return address, dict(scope["headers"])

    async def read(self, receive: Receive, headers: Mapping[bytes, bytes]) -> tuple[bytes, Sender | None]:
        """Return the inflated body, and the sender if the header names one. Raises Problem, Disconnected."""
        header = headers.get(b"authorization")
        sender = await self.authenticate(header, None) if header is not None else None
        room = self.ingest.room if sender is None else None
        return await read(receive, headers, self.limit, room, self.gzip_types), sender

    async def parse(self, raw: bytes, sender: Sender | None) -> tuple[Document, Sender]:
        """Return the parsed body and its sender, whom it may name itself. Raises Problem 400, 401, 403."""
        if sender is not None:
            return parse(raw, batch=self.batch), sender
        await self.ingest.keyring.authenticate(None, find_key(raw))
        document = parse_unauthenticated(raw, batch=self.batch)
        return document, await self.authenticate_by_body(document)

    def charge(self, address: str, sender: Sender, raw: bytes, document: Document) -> float:
        """Charge key and address for a request; return the tokens it cost. Raises Problem 429."""
        self.ingest.keys.require(str(sender.write_key))
        weight = weigh(len(raw), count_events(document)) if self.batch else 0.0
        self.ingest.addresses.charge(address, weight)
        return weight

    def charge_refused(self, address: str, raw: bytes, verdicts: Sequence[Verdict], weight: float) -> None:
        """Charge an address for what was refused of a batch, beyond the `weight` that it has paid."""
        if self.batch and (refused := [verdict.rejected for verdict in verdicts].count(True)):
            further = weigh(len(raw), len(verdicts) + REFUSED * refused) - weight
            self.ingest.addresses.charge(address, further)

    async def authenticate(self, header: bytes | None, body_key: object) -> Sender:
        """Return the sender, who may do what this endpoint does. Raises Problem 401 or 403."""
        sender = await self.ingest.keyring.authenticate(header, body_key)
        if self.scope is not None and self.scope not in sender.scopes:
            raise MAY_NOT[self.scope].fresh()
        return sender

    def arrive(self, received_at: dt.datetime, sender: Sender) -> Arrival:
        """Return how what this sender sends comes in."""
        return Arrival(received_at, sender.write_key, sender.text, relayed=RELAY in sender.scopes)

    async def authenticate_by_body(self, document: Document) -> Sender:
        """Return the sender whom a body names where no header does. Raises Problem 401 or 403."""
        key = document.value.get("writeKey") if isinstance(document.value, dict) else None
        return await self.authenticate(None, key)

    async def judge(self, document: Document, arrival: Arrival) -> list[Verdict]:
        """Return the verdicts on what came. Raises Problem 400 if it is no event."""
        verdicts = judge_single(document, arrival, self.ingest.verdict_context, self.refusal)
        if verdicts[0].malformed:
            raise malformed(verdicts[0])
        return verdicts

    def make_submit(self) -> Submit:
        """Return what makes verdicts durable and returns their outcomes; it raises Problem 503."""
        return self.ingest.writer.submit

    def render(self, verdicts: Sequence[Verdict], outcomes: Sequence[str]) -> bytes:
        """Return the reply. Raises Problem 422 if nothing was accepted."""
        return render_single(verdicts, outcomes)

    async def respond(self, send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Send a whole response."""
        self.answered[status].inc()
        length = [(b"content-length", str(len(body)).encode())] if status != 204 else []
        await send({"type": "http.response.start", "status": status, "headers": headers + length})
        await send({"type": "http.response.body", "body": body})

    async def respond_problem(self, send: Send, problem: Problem) -> None:
        """Send a problem."""
        await self.respond(send, problem.status, problem.fields(), problem.render())

    def refused(self, received_at: dt.datetime, write_key: int, reason: str) -> None:
        """Count a request that never became an event."""
        self.ingest.writer.tally(Tally(hour_of(received_at), write_key, "refused", reason))


class BatchEndpoint(Endpoint):
    """Live events: a clock that is off is corrected. One result an event; one bad event
    never fails its neighbours."""

    limit = BATCH_BYTES
    batch = True

    async def judge(self, document: Document, arrival: Arrival) -> list[Verdict]:
        """Return the verdicts in order. Raises Problem 400 or 413 for the batch as a whole."""
        arrival = arrival._replace(historical=self.historical)
        return await judge_batch(document, arrival, self.ingest.verdict_context, self.ingest.turns)

    def render(self, verdicts: Sequence[Verdict], outcomes: Sequence[str]) -> bytes:
        """Return the results in order. Raises Problem 422 if all events are refused."""
        return render_batch(verdicts, outcomes)
