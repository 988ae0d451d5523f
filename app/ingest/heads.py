"""Requests without their offers to change the protocol, which a server may ignore (RFC 9110, section 7.8).

Java's HttpClient and `curl --http2` offer `Upgrade: h2c` with their first request. The parser stops at such a
head: it drops the body, and would read what follows as the next request. So heads are looked at before the
parser sees them. A head that is not complete waits for its rest; bodies pass as they come.
"""

from typing import Final

END: Final = b"\r\n\r\n"
HEADER_BYTES: Final = 32 * 1024
HEADERS: Final = 100
# Digits of a length: 999 TB. More are no length, and Python reads them in the square of their number.
LENGTH_DIGITS: Final = 15
# Lines that only mean something with an upgrade, and what is said of them in `Connection`.
OFFERS: Final = frozenset({b"upgrade", b"http2-settings"})


class BadHeadError(Exception):
    """What is not proper HTTP: a `Content-Length` of more digits than any length has, two hosts or none, or
    what cannot become a head."""


class LongHeadError(Exception):
    """A head of too many bytes or lines."""


class Trailers(list[tuple[bytes, bytes]]):
    """Where fields go that come after a body: nowhere. They are no headers, and nobody reads them."""

    def append(self, _field: tuple[bytes, bytes]) -> None:
        """Forget a field."""


class Heads:
    """The bytes of one connection, cut where heads and bodies end, offers to upgrade taken out.

    `waiting` is the beginning of a head that is not complete.
    """

    def __init__(self) -> None:
        """Begin with a head."""
        self.waiting = b""
        self.body = 0  # bytes of the body that are still to come
        self.chunked = False
        self.tail = b""  # the last bytes of a chunked body: its end may come in two packets

    def cut(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the first piece of what came, for the parser, and the rest.
        Raises BadHeadError, LongHeadError.

        The piece is empty if a head is not complete; then it waits here and the rest is empty, too.
        """
        if self.body:
            size = self.body
            self.body = max(0, size - len(data))
            return data[:size], data[size:]
        if self.chunked:
            at = (self.tail + data).find(END)
            size = len(data) if at < 0 else at + len(END) - len(self.tail)
            self.tail = (self.tail + data[:size])[-len(END) + 1 :]
            return data[:size], data[size:]
        data = self.waiting + data
        head, end, rest = data.partition(END)
        if len(head) > HEADER_BYTES:
            raise LongHeadError
        if not end and is_hopeless(head):
            raise BadHeadError
        self.waiting = b"" if end else head
        return (self.read(head + end), rest) if end else (b"", b"")

    def ended(self) -> None:
        """Take the next bytes for a head: the parser has seen the end of a request."""
        self.body, self.chunked, self.tail = 0, False, b""

    def read(self, head: bytes) -> bytes:
        """Return a head without its offers, and know from it how its body ends. Raises
        BadHeadError, LongHeadError."""
        lower = head.lower()
        if head.count(b"\n") > HEADERS:
            raise LongHeadError
        hosts = lower.count(b"\nhost:")
        if hosts > 1 or (not hosts and b" http/1.1\r\n" in lower):  # RFC 9112, section 3.2
            raise BadHeadError
        if (at := lower.find(b"\ncontent-length:")) >= 0:
            length = lower[at + 16 : lower.index(b"\r", at)].strip()
            if len(length) > LENGTH_DIGITS:
                raise BadHeadError
            self.body = int(length) if length.isdigit() else 0
        if b"\ntransfer-encoding:" in lower:
            self.body, self.chunked = 0, True
        return without_offers(head) if b"\nupgrade" in lower else head


def is_hopeless(beginning: bytes) -> bool:
    """Return whether no head begins like this: TLS, another protocol, lines that end with LF alone. Whoever
    sends that waits for an answer, and would for as long as a slow head may take.
    """
    first = beginning.lstrip(b"\r\n")[:1]
    return (bool(first) and not b"A" <= first <= b"Z") or b"\n\n" in beginning


def without_offers(head: bytes) -> bytes:
    """Return a head without `Upgrade` and what belongs to it."""
    kept = []
    for line in head.removesuffix(END).split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if name.lower() in OFFERS:
            continue
        if name.lower() == b"connection":
            options = [option for option in value.split(b",") if option.strip().lower() not in OFFERS]
            if not options:
                continue
            line = name + colon + b",".join(options)  # noqa: PLW2901
        kept.append(line)
    return b"\r\n".join(kept) + END
