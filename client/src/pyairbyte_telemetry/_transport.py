"""One HTTP request, with every wait bounded. Imported on the sender's thread only, because `requests` is heavy."""

import email.utils
import http.client
import io
import threading
import time
from http.cookiejar import DefaultCookiePolicy
from typing import Any, NamedTuple

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from ._limits import Limits
from ._settings import Endpoint
from ._version import __version__

USER_AGENT = f"pyairbyte-telemetry/{__version__}"


class Answer(NamedTuple):
    """What the service answered: status, seconds to wait if it said so, and at most 64 KiB of body (more: none)."""

    status: int
    retry_after: float | None
    body: bytes


class NoAnswerError(Exception):
    """No answer came. The service may have the events all the same, unless it was never reached."""

    def __init__(self, *, reached: bool, cause: str) -> None:
        super().__init__(cause)
        self.reached = reached


class Transport:
    """Posts bodies over kept connections. Proxies and certificate authorities are taken as `requests` takes them."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._session = requests.Session()
        self._session.cookies.set_policy(
            DefaultCookiePolicy(allowed_domains=[])
        )  # an id that nobody asked for
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter())

    def post(
        self, endpoint: Endpoint, path: str, body: bytes, headers: dict[str, str], within: float
    ) -> Answer:
        """Post one body and return the answer; `within` seconds at most for each phase of it.

        Raises NoAnswerError, whatever the network, TLS, a proxy or the peer did wrong. Redirects are answers.
        """
        limits = self._limits
        _attempt.expires = time.monotonic() + min(limits.attempt_timeout, within)
        try:
            response = self._session.post(
                endpoint.url + path,
                data=body,
                headers={
                    "Content-Type": "application/json",
                    "User-Agent": USER_AGENT,
                    "Accept-Encoding": "identity",
                    **headers,
                },
                auth=(endpoint.key, ""),
                timeout=(min(limits.connect_timeout, within), min(limits.read_timeout, within)),
                allow_redirects=False,
                stream=True,
            )
            return Answer(
                response.status_code, _read_retry_after(response), _read_body(response, limits.answer_bytes)
            )
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            http.client.HTTPException,
            OSError,
        ) as error:
            raise NoAnswerError(reached=_was_reached(error), cause=type(error).__name__) from None

    def close(self) -> None:
        """Close the kept connections."""
        self._session.close()


def _read_body(response: requests.Response, limit: int) -> bytes:
    """Read the answer as it came, never inflated. One that is over the limit is not read on, and not believed."""
    raw = response.raw
    body: bytes = raw.read(limit + 1, decode_content=False) or b""
    if len(body) > limit:
        raw.close()
        return b""
    raw.release_conn()
    return body


def _read_retry_after(response: requests.Response) -> float | None:
    """Return the seconds that `Retry-After` asks for, given as a number or a date; None if it says nothing sensible."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = email.utils.parsedate_to_datetime(value)
        return max(0.0, moment.timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None


def _was_reached(error: BaseException) -> bool:
    """Whether a connection was made, so that the service may have read the request."""
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError):
        return False
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return not isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ProxyError)


_attempt = threading.local()
"""`expires`: the monotonic time at which this thread's attempt is over. Not set: it never is."""


class _Patience(io.RawIOBase):
    """A socket's reading side that stops when the attempt is over.

    A socket's own time-out starts anew with each byte: a peer that sends one every second would hold us for hours.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._expires: float = getattr(_attempt, "expires", float("inf"))

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._raw.fileno())

    def readinto(self, buffer: Any) -> int | None:
        if time.monotonic() > self._expires:
            raise TimeoutError("the answer took too long")
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp: Any = io.BufferedReader(_Patience(self.fp.detach()))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}


class _Adapter(HTTPAdapter):
    """The usual adapter over connections whose answers have a deadline."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):  # that one has connections of its own
            manager.pool_classes_by_scheme = _POOLS
        return manager
