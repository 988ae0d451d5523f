"""Requests without their offers to change the protocol, which a server may ignore (RFC 9110, section 7.8).

Java's HttpClient and `curl --http2` offer `Upgrade: h2c` with their first request. The parser stops at such a head: it drops
the body, and would read what follows as the next request. So heads are looked at before the parser sees them. A head that is
not complete waits for its rest; bodies pass as they come.
"""

from collections.abc import Iterator
from typing import Final

END: Final = b"\r\n\r\n"
# Lines that only mean something with an upgrade, and what is said of them in `Connection`.
OFFERS: Final = frozenset({b"upgrade", b"http2-settings"})


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

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Yield the pieces of what came, for the parser, in order."""
        while data:
            if self.body:
                piece, data = data[: self.body], data[self.body :]
                self.body -= len(piece)
                yield piece
            elif self.chunked:
                at = (self.tail + data).find(END)
                size = len(data) if at < 0 else at + len(END) - len(self.tail)
                piece, data = data[:size], data[size:]
                self.tail = (self.tail + piece)[-len(END) + 1 :]
                yield piece
            else:
                data = self.waiting + data
                head, end, data = data.partition(END)
                if not end:
                    self.waiting = head
                    return
                self.waiting = b""
                yield self.read(head + end)

    def ended(self) -> None:
        """Take the next bytes for a head: the parser has seen the end of a request."""
        self.body, self.chunked, self.tail = 0, False, b""

    def read(self, head: bytes) -> bytes:
        """Return a head without its offers, and know from it how its body ends."""
        lower = head.lower()
        if b"\ntransfer-encoding:" in lower:
            self.chunked = True
        elif (at := lower.find(b"\ncontent-length:")) >= 0:
            length = lower[at + 16 : lower.index(b"\r", at)].strip()
            self.body = int(length) if length.isdigit() and len(length) < 19 else 0
        return without_offers(head) if b"\nupgrade" in lower else head


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
