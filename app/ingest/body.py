"""Reads a request's body: bounded while it streams in and while it inflates, so that no
sender can fill the memory."""

import zlib
from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from app.problems import Problem

GZIP: Final = 31  # zlib's wbits for "gzip header, 32 KiB window"
GZIPPED: Final = (b"gzip", b"x-gzip")  # RFC 9110: the second is the first's old name
ENCODINGS: Final = (b"", b"identity", *GZIPPED)
TYPE: Final = b"application/json"
# What a gzip body may be called that is JSON inside. Not so a plain one: a page in a browser can send a form,
# a text or an untyped body to any host, but no Content-Encoding that the host did not allow before (Fetch,
# "CORS-safelisted request-header"). See docs/decisions/0037-gzip-by-other-names.md.
FORM: Final = frozenset({b"application/x-www-form-urlencoded"})  # RudderStack's SDK for Node
GZIP_TYPES_OF_SEGMENT: Final = FORM | {b"text/plain", b""}  # its SDKs for Kotlin and C#
TOO_LARGE: Final = Problem(
    "too_large", "The body is larger than the documented limit, counted after inflating."
)
WRONG_TYPE: Final = Problem(
    "unsupported_media_type",
    "Send JSON with the header `Content-Type: application/json`; if it is compressed, with "
    "`Content-Encoding: gzip`.",
)
MEMBERS: Final = 16  # of a gzip body; senders make one, and each costs a copy of what follows it
TOO_MANY_MEMBERS: Final = Problem(
    "malformed",
    f"The body has more than {MEMBERS} gzip members: send it as one.",
    rule="too_many_members",
)
UNKNOWN_BYTES: Final = 4 * 2**20  # eight batches of the largest size
NO_ROOM: Final = Problem("overloaded", "Too many bodies are coming in without a write key in their header.")
NOT_GZIP: Final = Problem("malformed", "The body is not gzip, or it is cut off.", rule="not_gzip")


Receive = Callable[[], Awaitable[Mapping[str, Any]]]


class Disconnected(Exception):  # noqa: N818 -- nothing went wrong: the client went away
    """The client went away before its body was complete."""


def check_headers(headers: Mapping[bytes, bytes], limit: int, gzip_types: AbstractSet[bytes]) -> bool:
    """Return whether the body comes gzipped. Raises Problem 415 for another type or
    encoding, 413 for a declared length."""
    content_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    is_typed = content_type == TYPE or (content_type in gzip_types and encoding in GZIPPED)
    if not is_typed or encoding not in ENCODINGS:
        raise WRONG_TYPE.fresh()
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > limit:  # the protocol lets no length of more than 15 digits in
        raise TOO_LARGE.fresh()
    return encoding in GZIPPED


class Room:
    """What bodies may take together until their senders are known: without a key in the
    header it may stand at their end."""

    def __init__(self, most: int = UNKNOWN_BYTES) -> None:
        """Give room for `most` bytes."""
        self.left = most

    def take(self, size: int) -> None:
        """Take room. Raises Problem 503."""
        if size > self.left:
            raise NO_ROOM.fresh()
        self.left -= size

    def give_back(self, size: int) -> None:
        """Give room back."""
        self.left += size


async def read(
    receive: Receive,
    headers: Mapping[bytes, bytes],
    limit: int,
    room: Room | None = None,
    gzip_types: AbstractSet[bytes] = FORM,
) -> bytes:
    """Return the inflated body, at most `limit` bytes of it, kept in `room` while it comes in.

    `gzip_types`: what a gzip body may be called beside JSON. Raises Problem 400, 413, 415, 503,
    or Disconnected.
    """
    gzipped = check_headers(headers, limit, gzip_types)
    message = await receive()
    chunk: bytes = message.get("body", b"")
    if not gzipped and not message.get("more_body") and message["type"] == "http.request":
        if len(chunk) > limit:
            raise TOO_LARGE.fresh()
        return chunk
    sink = Inflated(limit) if gzipped else Plain(limit)
    taken = 0
    try:
        while message["type"] == "http.request":
            sink.feed(message.get("body", b""))
            if not message.get("more_body"):
                return sink.finish()
            if room is not None:
                room.take(len(sink.collected) - taken)
                taken = len(sink.collected)
            message = await receive()
    finally:
        if room is not None:
            room.give_back(taken)
    raise Disconnected


class Plain:
    """Collects a body as it is."""

    def __init__(self, limit: int) -> None:
        """Collect at most `limit` bytes."""
        self.limit = limit
        self.collected = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take a chunk. Raises Problem 413."""
        self.collected += chunk
        if len(self.collected) > self.limit:
            raise TOO_LARGE.fresh()

    def finish(self) -> bytes:
        """Return the whole body."""
        return bytes(self.collected)


class Inflated(Plain):
    """Inflates a gzip body as it comes in, never further than the limit: a bomb is met by 413."""

    def __init__(self, limit: int) -> None:
        """Inflate to at most `limit` bytes."""
        super().__init__(limit)
        self.stream = zlib.decompressobj(GZIP)
        self.received = 0
        self.members = 1

    def feed(self, chunk: bytes) -> None:
        """Take a chunk. Raises Problem 400 for what is no gzip or of too many members, 413 over the limit."""
        self.received += len(chunk)
        if self.received > self.limit:
            raise TOO_LARGE.fresh()
        while chunk:
            if self.stream.eof:  # a further member: gzip files may be concatenated
                self.members += 1
                if self.members > MEMBERS:
                    raise TOO_MANY_MEMBERS.fresh()
                self.stream = zlib.decompressobj(GZIP)
            try:
                inflated = self.stream.decompress(chunk, self.limit + 1 - len(self.collected))
            except zlib.error:
                raise NOT_GZIP.fresh() from None
            super().feed(inflated)
            chunk = self.stream.unused_data or self.stream.unconsumed_tail

    def finish(self) -> bytes:
        """Return the whole body. Raises Problem 400 if it is cut off."""
        if not self.stream.eof:
            raise NOT_GZIP.fresh()
        return super().finish()
