"""uvicorn's HTTP protocol with what uvicorn has no settings for: bounds for slow senders and slow readers,
long heads and many requests, answers in one piece, and an end that loses no request.
"""

# Size: one class, because uvicorn has one object a connection.
import asyncio
from typing import Any, ClassVar, Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.ingest.gate import Gate
from app.ingest.heads import BadHeadError, Heads, LongHeadError, Trailers
from app.ingest.refusals import NOT_HTTP, OVERLOADED, TOO_LONG, TOO_SLOW
from app.ingest.transport import Drain, WholeAnswers, has_arrived

REQUEST_SECONDS: Final = 10.0  # from its first byte to its last; PyAirbyte's requests are one or two segments
# Since a request began to arrive, before its connection may have to give way to a new one.
SLOW_SECONDS: Final = 2.0
REQUESTS: Final = 10_000  # a connection; the last answer says that it closes
# Of a body, with all that stands around its chunks; 413 was answered long before.
BODY_BYTES: Final = 8 * 2**20
# Read ahead of an answer that is not sent: what was under way when reading was paused.
HELD_BYTES: Final = 2**20
# Between an answer and the next request where that came ahead of it: 250 such
# requests a second and connection.
PIPELINED_SECONDS: Final = 0.004
# At the end, for a request that is on its way over a connection without one; and for a refusal to be read.
LINGER_SECONDS: Final = 1.0


TRAILERS: Final = Trailers()


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose request takes too long to arrive or whose answers are not
    taken, and any beyond the bound.

    `ending` is set once the process accepts no more: every answer is then the last
    of its connection, and says so.
    """

    ending: ClassVar[bool] = False

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        """Start with no request."""
        super().__init__(*arguments, **keywords)
        self.gate: Gate = self.app.gate
        self.in_request = True  # a connection that sends nothing is a slow sender
        self.requests = 0
        self.body_bytes = 0
        self.heads = Heads()
        self.held = b""  # what came ahead of an answer that is not sent
        self.refused = False
        self.patience: asyncio.TimerHandle | None = None
        self.drain = Drain(self.loop)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, unless there are too many."""
        # Anything that the socket does not take at once counts as unsent.
        transport.set_write_buffer_limits(high=0)
        super().connection_made(cast("asyncio.Transport", WholeAnswers(transport, self.loop)))
        if self.gate.enter(self, self.client[0] if self.client else ""):
            self.start_timer()
        else:
            self.refuse(OVERLOADED)

    def give_way(self) -> bool:
        """Close if nothing of a request has come, or if one takes long to arrive; return whether it does."""
        if self.is_answering() or self.is_over():
            return False
        if self.heads.waiting or (self.cycle is not None and self.cycle.more_body):
            began = self.patience.when() - REQUEST_SECONDS if self.patience is not None else self.loop.time()
            if self.loop.time() - began < SLOW_SECONDS:
                return False
            self.refuse(TOO_SLOW)
            return True
        if has_arrived(self.transport):
            return False
        self.gate.leave(self)
        self.transport.close()
        return True

    def data_received(self, data: bytes) -> None:
        """Take bytes. Nothing is read ahead of an answer that is not sent."""
        cycle = self.cycle
        if (  # `is_answering`, written out: this is once a packet
            self.refused
            or self.held
            or self.flow.write_paused
            or (cycle is not None and not cycle.more_body and not cycle.response_complete)
        ):
            self.held += data
            self.flow.pause_reading()
            if self.refused:
                self.held = b""
                self.flow.resume_reading()
            elif len(self.held) > HELD_BYTES:
                self.transport.abort()
        else:
            self.feed(data)

    def is_answering(self) -> bool:
        """Return whether a request is complete whose answer is not sent."""
        cycle = self.cycle
        return self.flow.write_paused or (
            cycle is not None and not cycle.more_body and not cycle.response_complete
        )

    def feed(self, data: bytes) -> None:
        """Read requests up to one that must be answered first; start the clock if one is
        not complete with what came."""
        try:
            held = self.read_requests(data)
        except LongHeadError:
            held = b""
            self.refuse(TOO_LONG)
        except (BadHeadError, httptools.HttpParserError):
            held = b""
            self.refuse(NOT_HTTP)
        if held and not self.refused:
            self.held = held
            self.flow.pause_reading()
        elif self.in_request or self.heads.waiting:
            self.watch_request()

    def read_requests(self, data: bytes) -> bytes:
        """Read requests; return what came after one that must be answered first. Raises
        what makes a head a bad one."""
        while data:
            piece, data = self.heads.cut(data)
            if piece:
                self.parse(piece)
            if self.refused:
                return b""
            if data and self.is_answering():
                return data
        return b""

    def is_over(self) -> bool:
        """Return whether nothing that comes is read any more."""
        return self.refused or self.parser is None or bool(self.transport.is_closing())

    def watch_request(self) -> None:
        """Start the clock if a request is not complete."""
        if self.is_over():
            return
        if self.heads.waiting:  # a request has begun, though the parser has seen none of it
            self._unset_keepalive_if_required()
            self.in_request = True
        if self.in_request and self.patience is None:
            self.start_timer()

    def parse(self, piece: bytes) -> None:
        """Have the parser read a head or a piece of a body. Raises httptools.HttpParserError."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:  # CONNECT: what follows is for nobody here
            self.cycle.keep_alive = False
            return
        if self.in_request:
            self.body_bytes += len(piece)
            if self.body_bytes > BODY_BYTES:
                self.refuse(TOO_LONG)

    def go_on(self) -> None:
        """Read what was held, if the answer before it is sent."""
        if self.held and not self.transport.is_closing() and not self.is_answering():
            held, self.held = self.held, b""
            self.feed(held)
            if not self.held:
                self.flow.resume_reading()

    def on_message_begin(self) -> None:
        """A request begins."""
        self.in_request = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The body begins."""
        super().on_headers_complete()
        self.headers = TRAILERS
        self.requests += 1
        if (self.ending or self.requests >= REQUESTS) and self.cycle is not None:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """The request is complete."""
        self.in_request = False
        self.body_bytes = 0
        self.heads.ended()
        self.stop_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Read on once the answer is sent."""
        super().on_response_complete()
        self.gate.answered(self)
        if self.held:
            self._unset_keepalive_if_required()
            self.flow.pause_reading()
            # After the answer is handed over. Whoever sends ahead of its answers gets no more
            # of the event loop than others.
            self.loop.call_later(PIPELINED_SECONDS, self.go_on)

    def pause_writing(self) -> None:
        """Give the answer so long to be taken."""
        super().pause_writing()
        self.drain.begin(self.transport)

    def resume_writing(self) -> None:
        """The answer is sent."""
        super().resume_writing()
        self.drain.end()
        self.go_on()

    def eof_received(self) -> bool:  # type: ignore[override] # uvicorn closes
        """The other end sends no more. Return whether the connection stays for the answer that is due."""
        cycle = self.cycle
        if self.refused or cycle is None or cycle.more_body or cycle.response_started:
            return False
        if not self.held:
            cycle.keep_alive = False
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self.gate.leave(self)
        self.stop_timer()
        self.held = b""
        super().connection_lost(exc)
        self.drain.end()

    def shutdown(self) -> None:
        """Answer what is under way and close. uvicorn itself closes a connection whose first
        request it has not read yet."""
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(LINGER_SECONDS, self.close_idle)
        else:
            self.cycle.keep_alive = False

    def close_idle(self) -> None:
        """Close, unless a request came meanwhile: its answer closes."""
        between = self.cycle is None or self.cycle.response_complete
        if not between or self.heads.waiting or self.held or self.transport.is_closing():
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
        """Answer in one go and close a moment later: a socket that is closed over unread
        bytes takes the answer back."""
        self.stop_timer()
        if self.refused or self.transport is None or self.transport.is_closing():
            return
        self.refused = True
        self.held = b""
        cycle = self.cycle
        is_answered = (
            cycle is not None and cycle.more_body and cycle.response_started
        )  # ahead of its body's end
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self._unset_keepalive_if_required()
        if not is_answered:
            self.transport.write(answer)
        if not self.gate.dismiss(self):
            self.transport.close()
            return
        self.transport.write_eof()
        self.flow.resume_reading()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)
