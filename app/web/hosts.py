"""Whom a request names as its host. A page from elsewhere whose name comes to mean this machine
(DNS rebinding) names itself."""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any, Final

from app.problems import Problem
from app.settings import LOOPBACK_HOSTS, Settings

UNKNOWN_HOST: Final = Problem(
    "unknown_host", "This service is not known under that name: see TELEMETRY_HOSTS."
)

IsKnown = Callable[[Mapping[str, Any]], bool]


def know_hosts(settings: Settings) -> IsKnown:
    """Return what says whether the host of a request's scope is ours.

    Names are those of TELEMETRY_HOSTS. Without it, on loopback and with no proxy in front: localhost, and
    addresses, which nobody can rebind; elsewhere any.
    """
    names = frozenset(filter(None, (name.strip().lower() for name in settings.hosts.split(","))))
    if not names and (settings.host not in LOOPBACK_HOSTS or settings.trusted_proxies):
        return lambda _scope: True
    names |= LOOPBACK_HOSTS

    def is_known(scope: Mapping[str, Any]) -> bool:
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        return not host or is_ours(host, names)

    return is_known


def is_ours(host: bytes, names: frozenset[str]) -> bool:
    """Return whether a `Host` is one of the names, below localhost, or an address."""
    name = strip_port(host.decode("latin-1").lower())
    if name in names or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def strip_port(host: str) -> str:
    """Return a host without its port, and an IPv6 address without its brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
