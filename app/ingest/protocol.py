"""uvicorn's HTTP protocol with what uvicorn has no settings for: bounds for slow senders, long headers and connections, answers
in one piece, and an end that loses no request.
"""

import asyncio
import resource
import select
from typing import Any, ClassVar, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.ingest.heads import Heads

REQUEST_SECONDS: Final = 10.0  # from its first byte to its last; PyAirbyte's requests are one or two segments
HEADER_BYTES: Final = 32 * 1024
CONNECTIONS: Final = 4_000  # a process; each costs about 10 KB
OTHER_FILES: Final = 200  # descriptors that a process needs for everything else
# More is sent at once: a report may be written without a pause.
PIECE_BYTES: Final = 64 * 1024
PIECES: Final = 16
# At the end, for a request that is on its way over a connection without one.
LINGER_SECONDS: Final = 1.0

OVERLOADED: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)
TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
TOO_LONG: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


def bound_connections() -> int:
    """How many connections this process may have: no more than it has descriptors for, or accepting fails without a word."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(CONNECTIONS, max(1, descriptors - OTHER_FILES))


BOUND: Final = bound_connections()


def has_arrived(transport: asyncio.BaseTransport) -> bool:
    """Return whether bytes, or the end of them, wait in the socket of a connection."""
    poller = select.poll()
    poller.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poller.poll(0))


class WholeAnswers:
    """A transport that sends in one piece what is written in one turn of the event loop.

    uvicorn writes head and body of an answer apart: two system calls and two packets, a tenth of all that an event costs.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        """Stand for `transport`."""
        self.transport = transport
        self.loop = loop
        self.written: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        """Do everything else as the transport does."""
        return getattr(self.transport, name)

    def write(self, data: bytes) -> None:
        """Write with whatever else is written before the event loop goes on; at once if it is much."""
        if not self.written:
            self.loop.call_soon(self.flush)
        self.written.append(data)
        if len(data) > PIECE_BYTES or len(self.written) == PIECES:
            self.flush()

    def flush(self) -> None:
        """Hand over what was written."""
        if self.written:
            written, self.written = self.written, []
            self.transport.write(b"".join(written))

    def close(self) -> None:
        """Close once everything is sent."""
        self.flush()
        self.transport.close()


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose request takes too long to arrive or has too long headers, and any beyond the bound.

    `ending` is set once the process accepts no more: every answer is then the last of its connection, and says so.
    """

    ending: ClassVar[bool] = False

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        """Start with no request."""
        super().__init__(*arguments, **keywords)
        self.in_headers = True
        self.in_request = True  # a connection that sends nothing is a slow sender
        self.header_bytes = 0
        self.heads = Heads()
        self.patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, unless there are too many."""
        super().connection_made(cast("asyncio.Transport", WholeAnswers(transport, self.loop)))
        if len(self.connections) > BOUND:
            self.refuse(OVERLOADED)
        else:
            self.start_timer()

    def data_received(self, data: bytes) -> None:
        """Take bytes; start the clock if a request is not complete with them."""
        if self.in_headers:
            self.header_bytes += len(data)
        for piece in self.heads.pieces(data):
            super().data_received(piece)
            if self.parser is None or self.transport.is_closing():
                return
        if self.heads.waiting:  # a request has begun, though the parser has seen none of it
            self._unset_keepalive_if_required()
            self.in_request = True
        if self.in_headers and self.header_bytes > HEADER_BYTES:
            self.refuse(TOO_LONG)
        elif self.in_request and self.patience is None:
            self.start_timer()

    def on_message_begin(self) -> None:
        """A request begins."""
        self.in_headers = self.in_request = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The body begins."""
        self.in_headers = False
        self.header_bytes = 0
        super().on_headers_complete()
        if self.ending and self.cycle is not None:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """The request is complete."""
        self.in_request = False
        self.in_headers = True
        self.heads.ended()
        self.stop_timer()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self.stop_timer()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Answer what is under way and close. uvicorn itself closes a connection whose first request it has not read yet."""
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(LINGER_SECONDS, self.close_idle)
        else:
            self.cycle.keep_alive = False

    def close_idle(self) -> None:
        """Close, unless a request came meanwhile: its answer closes."""
        between = self.cycle is None or self.cycle.response_complete
        if not between or self.header_bytes or self.transport.is_closing():
            return
        if has_arrived(self.transport):  # a busy event loop has not come to read it
            self.loop.call_later(LINGER_SECONDS, self.close_idle)
        else:
            self.transport.close()

    def start_timer(self) -> None:
        """Give the request so long."""
        self.patience = self.loop.call_later(REQUEST_SECONDS, self.refuse, TOO_SLOW)

    def stop_timer(self) -> None:
        """Stop the clock."""
        if self.patience is not None:
            self.patience.cancel()
            self.patience = None

    def refuse(self, answer: bytes) -> None:
        """Answer in one go and close."""
        self.stop_timer()
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()
