"""The login cookie: an expiry, which token it came by, and an HMAC of both under that token's secret.

Nothing is stored; a token that is revoked or changed logs out whoever came by it.
"""

import hashlib
import hmac
import re
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from app.pages import site
from app.problems import Problem
from app.reports.parameters import CONNECTOR, PARAMETERS
from app.reports.readers import Reader, Readers

COOKIE: Final = "telemetry_reports"
SECONDS: Final = 30 * 86_400
PURPOSE: Final = b"pages of the reports, cookie:"  # so that the HMAC is of use for nothing else
COOKIE_VALUE: Final = re.compile(r"(?P<expiry>[0-9]{1,12})\.(?P<number>[0-9]{1,5})\.[0-9a-f]{64}")
# What a report's parameters look like: lower case, digits, and what stands between them.
VALUE: Final = re.compile("[a-z0-9.,_+-]{1,64}")
TWIN: Final = re.compile(r"\.(json|csv|parquet|svg|png|md)$")


class Session:
    """Who is logged in, by a report token."""

    def __init__(self, readers: Readers, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives seconds since the epoch."""
        self.readers = readers
        self.clock = clock

    def sign(self, reader: Reader, expiry: int) -> str:
        """Return the value of a reader's cookie that ends at `expiry`, in seconds since the epoch."""
        payload = f"{expiry}.{reader.number}"
        return f"{payload}.{hmac.new(reader.secret, PURPOSE + payload.encode(), hashlib.sha256).hexdigest()}"

    def is_open(self, cookie: str) -> bool:
        """Return whether a cookie is one of ours and not over."""
        match = COOKIE_VALUE.fullmatch(cookie)
        reader = self.readers.get(int(match["number"])) if match else None
        if match is None or reader is None:
            return False
        known = hmac.compare_digest(cookie.encode(), self.sign(reader, int(match["expiry"])).encode())
        return known and int(match["expiry"]) > self.clock()

    def make_cookie(self, reader: Reader, *, secure: bool) -> str:
        """Return the header that sets the cookie for 30 days."""
        return write_cookie(self.sign(reader, int(self.clock()) + SECONDS), SECONDS, secure=secure)


def write_cookie(value: str, seconds: int, *, secure: bool) -> str:
    """Return a `Set-Cookie`. Lax, not Strict: with Strict a link in a chat would
    ask people to log in who are."""
    parts = [f"{COOKIE}={value}", "Path=/reports", f"Max-Age={seconds}", "HttpOnly", "SameSite=Lax"]
    return "; ".join([*parts, "Secure"] if secure else parts)


def check_origin(origin: str | None, host: str, fetch_site: str | None) -> None:
    """Raise Problem 403 for a form that was sent from another site.

    Our pages send no referrer, and browsers then write `Origin: null`: what they
    say in `Sec-Fetch-Site` decides.
    """
    if fetch_site is not None and fetch_site not in ("same-origin", "none"):
        raise Problem("wrong_origin", "This form was sent from another site.")
    if origin == "null" and fetch_site is not None:
        return
    if origin is not None and not is_at(origin, host):
        raise Problem("wrong_origin", "This form was sent from another site.")


def is_at(origin: str, host: str) -> bool:
    """Return whether an origin is that of a host. Its scheme is the proxy's affair."""
    try:
        return urlsplit(origin).netloc == host
    except ValueError:  # brackets that hold no address
        return False


def find_way_back(path: str) -> str:
    """Return the address to go to after the login: a page of ours with parameters
    of ours, whatever was asked for.

    The login page holds it and anybody gets that page, so nothing else of an address comes back.
    """
    try:
        parts = urlsplit(path)
    except ValueError:  # brackets that hold no address
        return site.BASE
    stem = TWIN.sub("", parts.path)
    page, _, connector = stem.removeprefix(f"{site.CONNECTORS.path}/").rpartition("/")
    of_connector = stem.startswith(f"{site.CONNECTORS.path}/") and not page and CONNECTOR.fullmatch(connector)
    if parts.scheme or parts.netloc or not (stem in site.PATHS or of_connector):
        return site.BASE
    asked = [pair for pair in parse_qsl(parts.query) if pair[0] in PARAMETERS and VALUE.fullmatch(pair[1])]
    return f"{parts.path}?{urlencode(asked)}" if asked else parts.path
