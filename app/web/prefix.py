"""Under which path a proxy serves us. Links, redirections and cookies that we send
carry it; what we look up does not.

It comes from TELEMETRY_PATH_PREFIX, or from X-Forwarded-Prefix of a trusted proxy. Whether the proxy strips
it from what it sends on or not makes no difference.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from app.settings import OWN_PATHS, PATH_PREFIX
from app.web.peers import Peers

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
HEADER: Final = b"x-forwarded-prefix"
KEY: Final = "telemetry.prefix"  # of a request's scope
# An attribute of a page that holds an address of ours; the value of a form's field is none.
ADDRESS: Final = re.compile(rf'(?<! value)="(/(?:{OWN_PATHS})[/"?#])'.encode())


class Prefixes:
    """Finds the prefix of a request."""

    def __init__(self, configured: str, peers: Peers) -> None:
        """Take what is `configured` where no trusted proxy says anything."""
        self.configured = configured
        self.peers = peers

    def find(self, scope: Mapping[str, Any]) -> str:
        """Return the prefix, such as `/telemetry`; nothing if there is none."""
        values: set[bytes] = {value for name, value in scope["headers"] if name == HEADER}
        if len(values) == 1 and self.peers.is_trusted(str((scope.get("client") or ("",))[0])):
            text = values.pop().decode("latin-1").strip().rstrip("/")
            if PATH_PREFIX.fullmatch(text):
                return text
        return self.configured


def place(scope: MutableMapping[str, Any], send: Send, prefix: str) -> tuple[MutableMapping[str, Any], Send]:
    """Return a request as if it had come without its prefix, and a `send` that puts it back on."""
    if not prefix:
        return scope, send
    path = strip(scope["path"], prefix)
    return {**scope, "path": path, "raw_path": path.encode(), KEY: prefix}, put_on(send, prefix)


def strip(path: str, prefix: str) -> str:
    """Return a path without the prefix, if it has it."""
    if path == prefix:
        return "/"
    return path.removeprefix(prefix) if path.startswith(f"{prefix}/") else path


def put_on(send: Send, prefix: str) -> Send:
    """Return `send` whose redirections lead under the prefix, and whose cookies hold there."""
    encoded = prefix.encode()

    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {
                **message,
                "headers": [rewrite(name, value, encoded) for name, value in message["headers"]],
            }
        await send(message)

    return sending


def rewrite(name: bytes, value: bytes, prefix: bytes) -> tuple[bytes, bytes]:
    """Return a header with the prefix where it holds a path of ours."""
    if name.lower() == b"location" and value.startswith(b"/") and not value.startswith(b"//"):
        return name, prefix + value
    if name.lower() == b"set-cookie":
        return name, value.replace(b"Path=/", b"Path=" + prefix + b"/", 1)
    return name, value


def of(scope: Mapping[str, Any]) -> str:
    """Return the prefix under which a request came."""
    return str(scope.get(KEY, ""))


def link(page: bytes, prefix: str) -> bytes:
    """Return a page whose links lead under the prefix."""
    return ADDRESS.sub(b'="' + prefix.encode() + rb"\1", page) if prefix else page
