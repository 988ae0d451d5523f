"""A connection's way out: whole answers in one piece, and a time within which they must be taken."""

import asyncio
import contextlib
import select
import socket
import struct
from typing import Any, Final

# More is sent at once: a report may be written without a pause.
PIECE_BYTES: Final = 64 * 1024
PIECES: Final = 16
# An answer is taken within it, or so many bytes of it each time: less than 7 KB/s is nobody who reads.
DRAIN_SECONDS: Final = 10.0
DRAIN_BYTES: Final = 64 * 1024
RESET: Final = struct.pack("ii", 1, 0)  # linger for 0 seconds


def has_arrived(transport: asyncio.BaseTransport) -> bool:
    """Return whether bytes, or the end of them, wait in the socket of a connection."""
    poller = select.poll()
    poller.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poller.poll(0))


class WholeAnswers:
    """A transport that sends in one piece what is written in one turn of the event loop.

    uvicorn writes head and body of an answer apart: two system calls and two packets, a
    tenth of all that an event costs.
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
        """Write with whatever else is written before the event loop goes on; at once,
        and uncopied, if it is much."""
        if len(data) > PIECE_BYTES:
            self.flush()
            self.transport.write(data)
            return
        if not self.written:
            self.loop.call_soon(self.flush)
        self.written.append(data)
        if len(self.written) == PIECES:
            self.flush()

    def flush(self) -> None:
        """Hand over what was written, unless the other end is gone meanwhile: uvloop raises then."""
        if self.written:
            written, self.written = self.written, []
            if not self.transport.is_closing():
                self.transport.write(b"".join(written))

    def write_eof(self) -> None:
        """Write no more once everything is sent."""
        self.flush()
        self.transport.write_eof()

    def abort(self) -> None:
        """Close at once: what nobody reads is thrown away, by the system, too."""
        with contextlib.suppress(OSError):
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()

    def close(self) -> None:
        """Close once everything is sent."""
        self.flush()
        self.transport.close()


class Drain:
    """The time of an answer that is not sent: a connection whose other end does not read is ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start with nothing unsent."""
        self.loop = loop
        self.timer: asyncio.TimerHandle | None = None

    def begin(self, transport: asyncio.Transport) -> None:
        """Look again after a while, unless that is going to happen already."""
        if self.timer is None:
            self.watch(transport)

    def watch(self, transport: asyncio.Transport) -> None:
        """Look after a while whether something was taken of what is unsent now."""
        unsent = transport.get_write_buffer_size()
        self.timer = self.loop.call_later(DRAIN_SECONDS, self.check, transport, unsent)

    def check(self, transport: asyncio.Transport, unsent: int) -> None:
        """End the connection, or look again."""
        if transport.get_write_buffer_size() > unsent - DRAIN_BYTES:
            transport.abort()
        else:
            self.watch(transport)

    def end(self) -> None:
        """Everything is sent."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
