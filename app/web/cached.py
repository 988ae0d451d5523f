"""Answers that are the same for whoever asks: made by the app once in a while, then
bytes that no framework touches.

However many ask, and however often: each costs a copy of the bytes, and those who ask while an
answer is made wait for that one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, NamedTuple

import structlog

from app.web.entity import is_known

log = structlog.get_logger()

FOR_EVER: Final = float("inf")
METHODS: Final = ("GET", "HEAD")
# An answer that is no answer, such as a 500, is kept for less.
FAILURE_SECONDS: Final = 0.5
FAILURES: Final = 500

Headers = list[tuple[bytes, bytes]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    headers: Headers
    body: bytes

    @property
    def tag(self) -> bytes:
        """The entity tag; empty if it has none."""
        return dict(self.headers).get(b"etag", b"")


class Answers(NamedTuple):
    """What is sent to whoever reads gzip, and to all others."""

    plain: Answer
    gzipped: Answer


class Cached:
    """An ASGI endpoint in front of a path of an app. Only GET and HEAD are answered from
    memory; a query changes nothing."""

    def __init__(self, app: AsgiApp, path: str, seconds: float) -> None:
        """Serve what `app` answers at `path` for so many seconds."""
        self.app = app
        self.path = path
        self.seconds = seconds
        self.made: Answers | None = None
        self.until = float("-inf")
        self.making: asyncio.Task[Answers] | None = None

    async def __call__(self, scope: Mapping[str, Any], receive: object, send: Send) -> None:
        """Answer one request."""
        if scope["method"] not in METHODS:
            await self.app(scope, receive, send)
            return
        made = self.made
        if made is None or time.monotonic() >= self.until:
            made = await self.renew()
        headers = dict(scope["headers"])
        answer = made.gzipped if b"gzip" in headers.get(b"accept-encoding", b"") else made.plain
        if is_known(answer.tag.decode(), headers.get(b"if-none-match", b"").decode("latin-1")):
            answer = Answer(304, [field for field in answer.headers if field[0] != b"content-length"], b"")
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def renew(self) -> Answers:
        """Return new answers: those that are being made, if some are."""
        making = self.making
        if making is None or making.done():
            making = self.making = asyncio.create_task(self.keep())
        return await asyncio.shield(making)

    async def keep(self) -> Answers:
        """Return the answers, made now and kept."""
        plain = await ask(self.app, self.path, b"identity")
        packed = await ask(self.app, self.path, b"gzip") if b"accept-encoding" in varying(plain) else plain
        made = Answers(plain, packed)
        seconds = self.seconds if plain.status < FAILURES else min(self.seconds, FAILURE_SECONDS)
        self.made, self.until = made, time.monotonic() + seconds
        return made


def varying(answer: Answer) -> bytes:
    """Return what an answer says that it depends on."""
    return dict(answer.headers).get(b"vary", b"").lower()


async def ask(app: AsgiApp, path: str, encoding: bytes) -> Answer:
    """Return what an app answers to a GET that comes from nobody."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"accept-encoding", encoding)],
        "client": None,
        "server": None,
        "state": {},
    }
    messages: list[MutableMapping[str, Any]] = []

    async def receive() -> Mapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        messages.append(message)

    try:
        await app(scope, receive, send)
    except Exception:  # the app has answered with a problem, and raises so that the server logs it
        if not messages:
            raise
        log.exception("request_failed")
    start, *rest = messages
    return Answer(start["status"], list(start["headers"]), b"".join(part.get("body", b"") for part in rest))
