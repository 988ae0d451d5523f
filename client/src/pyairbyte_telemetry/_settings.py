"""What the environment asks for. Read at each event, because hosts and notebooks set variables late."""

import os
import re
import sys
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

DO_NOT_TRACK = "DO_NOT_TRACK"
"""Environment variable to opt-out of telemetry."""

OFFLINE_MODE = "AIRBYTE_OFFLINE_MODE"
URL = "AIRBYTE_TELEMETRY_URL"
ALLOW_HTTP = "AIRBYTE_TELEMETRY_ALLOW_HTTP"
DEBUG = "AIRBYTE_TELEMETRY_DEBUG"
TRACKING_KEY = "AIRBYTE_TRACKING_KEY"
MCP_TRACKING_KEY = "AIRBYTE_MCP_TRACKING_KEY"
ANALYTICS_ID = "AIRBYTE_ANALYTICS_ID"

_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
_LOOPBACK = r"localhost|127(\.[0-9]{1,3}){3}|::1"


class Endpoint(NamedTuple):
    """Where events go: the base URL without a trailing slash, and the write key."""

    url: str
    key: str


def is_set(name: str) -> bool:
    """Return whether a yes-or-no variable says yes."""
    value = os.environ.get(name)
    return value is not None and value.strip().lower() in _TRUE


def is_offline() -> bool:
    """Return whether offline mode is on: by the variable, or by what PyAirbyte made
    of it when it was imported."""
    host = sys.modules.get("airbyte.constants")
    return getattr(host, "AIRBYTE_OFFLINE_MODE", False) is True or is_set(OFFLINE_MODE)


@lru_cache(maxsize=16)
def find_url_problem(url: str, *, allow_http: bool) -> str | None:
    """Return why nothing may be sent to this URL, or None."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return "it is not a URL"
    if parts.scheme not in {"http", "https"} or not host:
        return "it is not an http or https URL"
    if parts.username is not None or parts.query or parts.fragment:
        return "it holds more than a host and a path"
    if parts.scheme == "http" and not allow_http and not re.fullmatch(_LOOPBACK, host):
        return f"plain http goes to this machine only; use https, or set {ALLOW_HTTP}=1"
    return None


def find_endpoint(key: str) -> Endpoint | None:
    """Return where events go, or None if no usable host is configured. No host is built in."""
    url = os.environ.get(URL)
    if not url or find_url_problem(url, allow_http=is_set(ALLOW_HTTP)):
        return None
    return Endpoint(url.rstrip("/"), key)


def find_endpoint_problem() -> str | None:
    """Return why there is no endpoint, in words, or None."""
    url = os.environ.get(URL)
    if not url:
        return f"{URL} is not set, and no host is built in"
    problem = find_url_problem(url, allow_http=is_set(ALLOW_HTTP))
    return problem and f"{URL} cannot be used: {problem}"
