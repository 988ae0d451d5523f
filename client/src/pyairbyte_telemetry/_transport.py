"""One HTTP request, with every wait bounded. Imported on the sender's thread
only: TLS takes a while to import.

The standard library's client, not `requests`: it imports in a fifth of the time, which decides whether a
short process delivers its last event, and what mocks or traces the user's own requests does not see ours.
"""

import base64
import contextlib
import email.utils
import http.client
import io
import os
import socket
import ssl
import time
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from . import _heavy
from ._limits import Limits
from ._proxies import Proxy, find_proxy
from ._settings import Endpoint
from ._version import __version__

USER_AGENT = f"pyairbyte-telemetry/{__version__}"
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_SAFE = "/%:=~+!$,;'@()*[]"  # of a path that somebody configured, what is sent as it is


class Answer(NamedTuple):
    """What the service answered: status, seconds to wait if it said so, and at most
    64 KiB of body (more: none)."""

    status: int
    retry_after: float | None
    body: bytes


class NoAnswerError(Exception):
    """No answer came. The service may have the events all the same, unless it was never reached."""

    def __init__(self, *, reached: bool, cause: str) -> None:
        super().__init__(cause)
        self.reached = reached


class Transport:
    """Posts bodies over kept connections, one a host. Proxies and certificate authorities
    are those of the environment."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._kept: dict[tuple[str, str, int, Proxy | None], http.client.HTTPConnection] = {}

    def post(
        self, endpoint: Endpoint, path: str, body: bytes, headers: dict[str, str], within: float
    ) -> Answer:
        """Post one body and return the answer; `within` seconds at most for each phase of it.

        Raises NoAnswerError, whatever the network, TLS, a proxy or the peer did wrong. Redirects are answers.
        """
        reached = False
        try:
            connection, target, extra = self._connect(endpoint, path, within)
            reached = True
            basic = base64.b64encode(f"{endpoint.key}:".encode()).decode()
            connection.request(
                "POST",
                target,
                body,
                {
                    "Content-Type": "application/json",
                    "User-Agent": USER_AGENT,
                    "Accept-Encoding": "identity",
                    "Authorization": f"Basic {basic}",
                    **extra,
                    **headers,
                },
            )
            return self._read(connection)
        # A value error is a host name or a path that cannot be written on the wire.
        except (http.client.HTTPException, OSError, ValueError) as error:
            self.close()
            raise NoAnswerError(reached=reached, cause=type(error).__name__) from None

    def _connect(
        self, endpoint: Endpoint, path: str, within: float
    ) -> tuple[http.client.HTTPConnection, str, dict[str, str]]:
        """Return a connection that is up, the request's target, and the headers that a proxy wants."""
        limits = self._limits
        parts = urlsplit(endpoint.url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        proxy = find_proxy(parts.scheme, host, port)
        key = (parts.scheme, host, port, proxy)
        connection = self._kept.get(key)
        if connection is not None and _is_dropped(connection):
            self.close()
            connection = None
        if connection is None:
            connection = _make(parts.scheme, host, port, proxy)
            connection.timeout = min(limits.connect_timeout, within)
            self._kept[key] = connection
        answers = _set_end(connection, time.monotonic() + min(limits.attempt_timeout, within))
        if connection.sock is None:
            try:
                connection.connect()
            finally:
                # Before 3.11.5 what a proxy answers to CONNECT is left open, and with it the socket.
                for answer in answers:
                    answer.close()
        connection.sock.settimeout(min(limits.read_timeout, within))
        target = quote(parts.path + path, safe=_SAFE)
        if proxy is None or parts.scheme == "https":
            return connection, target, {}
        return connection, f"{parts.scheme}://{parts.netloc}{target}", proxy.headers

    def _read(self, connection: http.client.HTTPConnection) -> Answer:
        """Return the answer as it came, never inflated. One that is over the limit is
        not read on, and not believed."""
        limit = self._limits.answer_bytes
        # Closed here: of an answer that ends with its connection, that holds on to the socket.
        with contextlib.closing(connection.getresponse()) as response:
            body = response.read(limit + 1)
            if len(body) > limit:
                self.close()
                body = b""
            elif response.length:
                raise http.client.IncompleteRead(body, response.length)
        return Answer(response.status, _read_retry_after(response.headers.get("Retry-After", "")), body)

    def close(self) -> None:
        """Close the kept connections."""
        for connection in self._kept.values():
            connection.close()
        self._kept.clear()


def _read_retry_after(value: str) -> float | None:
    """Return the seconds that `Retry-After` asks for, given as a number or a date; None
    if it says nothing sensible."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = email.utils.parsedate_to_datetime(value)
        return max(0.0, moment.timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None


def _is_dropped(connection: http.client.HTTPConnection) -> bool:
    """Return whether the host has closed a kept connection, or said something that nobody asked for."""
    sock = connection.sock
    if sock is None:
        return False
    sock.setblocking(False)
    try:
        socket.socket.recv(sock, 1, socket.MSG_PEEK)  # TLS sockets refuse to peek themselves
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


class _Patience(io.RawIOBase):
    """A socket's reading side that stops when the attempt is over.

    A socket's own time-out starts anew with each byte: a peer that sends one every
    second would hold us for hours.
    """

    def __init__(self, raw: Any, end: float) -> None:
        self._raw = raw
        self._end = end

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._raw.fileno())

    def readinto(self, buffer: Any) -> int | None:
        if time.monotonic() > self._end:
            raise TimeoutError("the answer took too long")
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def _set_end(connection: http.client.HTTPConnection, end: float) -> list[http.client.HTTPResponse]:
    """Have what is read from now on end at a monotonic time, the answer of a proxy to CONNECT too.

    Return where the answers appear that are being read.
    """
    answers: list[http.client.HTTPResponse] = []

    class Response(http.client.HTTPResponse):
        def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(sock, *args, **kwargs)
            self.fp: Any = io.BufferedReader(_Patience(self.fp.detach(), end))
            answers.append(self)

    connection.response_class = Response
    return answers


def _make(scheme: str, host: str, port: int, proxy: Proxy | None) -> http.client.HTTPConnection:
    """Return a connection that is not up yet."""
    where = (host, port) if proxy is None else (proxy.host, proxy.port)
    if scheme == "http":
        return http.client.HTTPConnection(*where)
    connection = http.client.HTTPSConnection(*where, context=_make_context())
    if proxy is not None:
        connection.set_tunnel(host, port, headers=proxy.headers)
    return connection


def _make_context() -> ssl.SSLContext:
    """Return a context that trusts whom `requests` would: the bundle that is configured,
    else certifi's, else the system's.

    Raises OSError for a bundle that is not there.
    """
    bundle = next(filter(None, map(os.environ.get, _BUNDLES)), None)
    if bundle is None:
        try:
            bundle = str(_heavy.load("certifi").where())
        except ImportError:  # not everywhere
            return ssl.create_default_context()
    if os.path.isdir(bundle):  # noqa: PTH112 -- pathlib is not needed for this
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle)
