"""Hands the ingest paths to their ASGI endpoints ahead of FastAPI's routing."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from app.ingest.gate import Gate
from app.problems import Problem
from app.web import prefix

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]
# Cached answers that hold links of ours: under a prefix they are others.
LINKING: Final = frozenset({"/openapi.json", "/docs", "/privacy"})
SLASHES: Final = re.compile("/{2,}")


class TelemetryApp(FastAPI):
    """A FastAPI app that hands `shortcuts` (ASGI endpoints by path) their requests
    before anything of FastAPI's runs.

    What is `cached` (ASGI endpoints by path) is asked next, once `check` of the scope has found no problem:
    shortcuts check for themselves. `gate` says which connections may stay, `find_prefix` under which path a
    request finds us. `//v1/track` and `/v1/track/`, which come of base URLs with a slash, are `/v1/track`.
    HEAD is answered wherever GET is. `count_lost` is called for a POST under `/v1/` that nothing answers.
    """

    shortcuts: Mapping[str, AsgiApp] = MappingProxyType({})
    cached: Mapping[str, AsgiApp] = MappingProxyType({})
    gate: Gate
    check: Callable[[Any], Problem | None] = staticmethod(lambda _scope: None)
    count_lost: Callable[[], None] = staticmethod(lambda: None)
    find_prefix: Callable[[Mapping[str, Any]], str] = staticmethod(lambda _scope: "")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Dispatch by path."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        endpoint = self.shortcuts.get(scope["path"])
        if endpoint is None:
            scope, send = prefix.place(scope, send, self.find_prefix(scope))
            scope = normalize(scope)
            endpoint = self.shortcuts.get(scope["path"])
        if endpoint is not None:
            await endpoint(scope, receive, send)
        else:
            await self.answer_readers(scope, receive, send)

    async def answer_readers(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer what is no event: from memory, or as FastAPI does."""
        problem = self.check(scope)
        if problem is not None:
            await refuse(problem, send)
            return
        cached = self.cached.get(scope["path"])
        if cached is not None and (not prefix.of(scope) or scope["path"] not in LINKING):
            await cached(scope, receive, send)
        elif scope["path"] == "/openapi.json" and prefix.of(scope):
            document = {**await asyncio.to_thread(self.openapi), "servers": [{"url": prefix.of(scope)}]}
            await JSONResponse(document)(scope, receive, send)
        elif scope["method"] == "HEAD":
            await answer_head(super().__call__, scope, receive, send)
        elif scope["method"] == "POST" and scope["path"].startswith("/v1/"):
            await super().__call__(scope, receive, self.watch(send))
        else:
            await super().__call__(scope, receive, send)

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer as FastAPI does, whatever is cached."""
        if scope["path"] == "/openapi.json" and self.openapi_schema is None:  # half a second, the first time
            await asyncio.to_thread(self.openapi)
        await super().__call__(scope, receive, send)

    def watch(self, send: Send) -> Send:
        """Return `send` that counts a 404."""

        async def watching(message: MutableMapping[str, Any]) -> None:
            if message.get("status") == HTTPStatus.NOT_FOUND:
                self.count_lost()
            await send(message)

        return watching


async def refuse(problem: Problem, send: Send) -> None:
    """Answer with a problem."""
    body = problem.render()
    headers = [*problem.fields(), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def normalize(scope: Any) -> Any:
    """Return a request's scope with one slash where several are in its path, and none at its end."""
    path = SLASHES.sub("/", scope["path"])
    path = path.rstrip("/") or "/"
    if path == scope["path"]:
        return scope
    return {**scope, "path": path, "raw_path": quote(path).encode()}


async def answer_head(app: AsgiApp, scope: Any, receive: Any, send: Send) -> None:
    """Answer HEAD as GET, without the body. A stream without end gets a disconnect."""
    over = asyncio.Event()

    async def receive_until_over() -> Any:
        if over.is_set():
            return {"type": "http.disconnect"}
        return await receive()

    async def send_head(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            over.set()

    await app({**scope, "method": "GET"}, receive_until_over, send_head)
