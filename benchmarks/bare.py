"""References for the service: ASGI apps under the same server, without what the service adds.

`app` reads the body, parses and validates it with the service's own contract, and answers; it stores nothing
and checks no key. `noop` reads the body and answers: what the server alone can do.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from app.contract import document, wire
from app.contract.vocabulary import shipped_connectors

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

REPLY: Final = b'{"success":true}'
START: Final[dict[str, Any]] = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(REPLY)).encode())],
}
BODY: Final[dict[str, Any]] = {"type": "http.response.body", "body": REPLY}
CONNECTORS: Final = shipped_connectors()


async def read_body(receive: Receive) -> bytes:
    """Return the whole request body."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return body


async def answer_lifespan(receive: Receive, send: Send) -> None:
    """Start up and shut down: there is nothing to do."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def noop(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer without looking."""
    if scope["type"] == "lifespan":
        await answer_lifespan(receive, send)
        return
    await read_body(receive)
    await send(START)
    await send(BODY)


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Parse, validate, answer."""
    if scope["type"] == "lifespan":
        await answer_lifespan(receive, send)
        return
    parsed = document.parse(await read_body(receive))
    wire.validate(parsed.value, CONNECTORS)
    await send(START)
    await send(BODY)
