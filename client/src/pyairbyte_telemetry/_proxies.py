"""Which proxy a request goes through: that of the environment, as `requests` and
most other programs take it."""

import base64
import os
import sys
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from . import _heavy

_SYSTEMS_WITH_SETTINGS = frozenset({"darwin", "win32"})
"""Systems that keep proxies outside the environment, too."""


class Proxy(NamedTuple):
    """A proxy that is spoken to in plain HTTP, and what it wants for an account (`user:password`)."""

    host: str
    port: int
    account: str

    @property
    def headers(self) -> dict[str, str]:
        """The headers that it wants."""
        if not self.account:
            return {}
        return {"Proxy-Authorization": "Basic " + base64.b64encode(self.account.encode()).decode()}


def find_proxy(scheme: str, host: str, port: int) -> Proxy | None:
    """Return the proxy for a host, or None. Raises OSError for one of a kind that we do not
    speak: SOCKS, or TLS to it."""
    url = find_proxy_url(scheme, host, port)
    if not url:
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        raise OSError("a proxy of another kind than http")
    account = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
    return Proxy(parts.hostname, parts.port or 80, account)


def find_proxy_url(scheme: str, host: str, port: int) -> str | None:
    """Return the URL of the proxy for a host as it is configured, or None."""
    if sys.platform not in _SYSTEMS_WITH_SETTINGS and not any(
        value and name.lower().endswith("_proxy") for name, value in os.environ.items()
    ):
        return None  # the usual case, without an import
    request = _heavy.load("urllib.request")
    if request.proxy_bypass(f"{host}:{port}") or request.proxy_bypass(host) or _is_in_bypassed_network(host):
        return None
    proxies: dict[str, str] = request.getproxies()
    keys = (f"{scheme}://{host}", scheme, f"all://{host}", "all")
    return next((proxies[key] for key in keys if proxies.get(key)), None)


def _is_in_bypassed_network(host: str) -> bool:
    """Return whether the host is an address in a network, such as 10.0.0.0/8, that NO_PROXY names."""
    listed = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    networks = [part.strip() for part in listed.split(",") if "/" in part]
    if not networks:
        return False
    ipaddress = _heavy.load("ipaddress")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(_is_in(address, network, ipaddress) for network in networks)


def _is_in(address: Any, network: str, ipaddress: Any) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:  # no network at all
        return False
