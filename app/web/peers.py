"""Whose request it is: the connection's address, or what a trusted proxy says. Addresses are
compared here and never kept."""

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

NO_CLIENT: Final = ("",)  # a Unix socket
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# A parameter of RFC 7239 with what ends it: for=192.0.2.43, for="[2001:db8::1]:4711". What stands in
# quotes is none: a `host` is whatever the sender called us.
PARAMETER: Final = re.compile(
    rb"""\s*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*)))?\s*([;,]|$)"""
)
BRACKETED: Final = re.compile(r"\[([0-9a-fA-F:.]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+")


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks of addresses and networks in text. Raises ValueError."""
    return tuple(ipaddress.ip_network(text.strip(), strict=False) for text in texts if text.strip())


class Peers:
    """Finds the sender of a request behind proxies that are trusted."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        """Believe what these networks say about whom they speak for."""
        self.trusted = trusted
        self.is_trusted = lru_cache(1024)(self.look_up)

    def look_up(self, address: str) -> bool:
        """Return whether an address is a trusted proxy's."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None) or found
        return any(mapped in network for network in self.trusted)

    def find(self, scope: Mapping[str, Any]) -> str:
        """Return the address of whoever sent the request.

        From the connection backwards through X-Forwarded-For, or Forwarded: the first that is no trusted
        proxy. A name that is no address ends the way at the proxy that gave it, and so do two headers that
        disagree: a proxy sets one of them, and whoever sends may have set the other.
        """
        address = str((scope.get("client") or NO_CLIENT)[0])
        if not self.trusted or not self.is_trusted(address):
            return address
        chains = {tuple(chain) for chain in (read_forwarded_for(scope), read_forwarded(scope)) if chain}
        if len(chains) != 1:
            return address
        for hop in reversed(chains.pop()):
            if hop is None:
                return address
            address = hop
            if not self.is_trusted(address):
                return address
        return address


def read_forwarded_for(scope: Mapping[str, Any]) -> list[str | None]:
    """Return the addresses of all X-Forwarded-For headers in order; None for what is none."""
    values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return [read_address(part) for value in values for part in value.split(b",")]


def read_forwarded(scope: Mapping[str, Any]) -> list[str | None]:
    """Return the addresses of all Forwarded headers in order; None for `unknown` and obfuscated ones,
    and for a header that cannot be read."""
    values = [value for name, value in scope["headers"] if name == b"forwarded"]
    return [hop for value in values for hop in read_elements(value)]


def read_elements(value: bytes) -> list[str | None]:
    """Return what `for` says in a Forwarded header; one None if its quotes do not add up."""
    hops: list[str | None] = []
    position = 0
    while position < len(value):
        parameter = PARAMETER.match(value, position)
        if parameter is None:
            return [None]
        position = parameter.end()
        name, quoted, plain, _ = parameter.groups()
        if name and name.lower() == b"for":
            hops.append(read_address(plain if quoted is None else quoted))
    return hops


def read_address(text: bytes) -> str | None:
    """Return an address in its canonical form, without port and brackets; None if it is no address."""
    plain = text.strip().decode("latin-1")
    if match := BRACKETED.fullmatch(plain):
        plain = match[1] or match[2]
    try:
        found = ipaddress.ip_address(plain)
    except ValueError:
        return None
    return str(getattr(found, "ipv4_mapped", None) or found)
