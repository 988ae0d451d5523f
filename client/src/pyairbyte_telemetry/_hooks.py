"""The host library's own facts. Each has a default that works alone; `configure`
replaces the ones that are given."""

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from . import _environment, _settings
from ._limits import Limits


def _find_mcp_mode() -> bool:
    host = sys.modules.get("airbyte._util.meta")
    return bool(host.is_mcp_mode()) if hasattr(host, "is_mcp_mode") and host is not None else False


_HOSTED = frozenset({"AirbyteError", "AirbyteCloudError"})
"""The base class of hosted Airbyte's errors: up to PyAirbyte 0.71, and since 1.0."""


def describe_exception(exception: BaseException) -> Mapping[str, Any]:
    """Return an exception as PyAirbyte does: its class, and for errors of hosted Airbyte
    what they call safe to log."""
    if any(base.__name__ in _HOSTED for base in type(exception).__mro__):
        description = getattr(exception, "safe_logging_dict", None)
        if callable(description):
            return dict(description())
    return {"class": type(exception).__name__}


Event = dict[str, Any]


class Hooks(NamedTuple):
    """What the host library may tell. Hooks run on the caller's thread: they must be
    quick and touch no file or network.

    A hook that raises costs its event, which is counted as dropped, and nothing else. Only
    `before_send` and `on_error` run on the sender's thread, where they delay later events and nobody
    else; they must not flush or close.
    """

    version: Callable[[], str] | None = None
    """The host library's version. Default: that of the installed `airbyte` distribution, looked
    up off the caller's thread."""

    application_name: Callable[[], str | None] | None = None
    """The script's or notebook's name. Only its hash is sent. Default: as PyAirbyte finds it."""

    mcp_mode: Callable[[], bool] = _find_mcp_mode
    """Whether the host runs as an MCP server."""

    offline: Callable[[], bool] = _settings.is_offline
    """Whether offline mode is on, in which nothing is sent."""

    is_registered: Callable[[str], bool] | None = None
    """Whether a connector's name is public. One that is not goes as `custom`. Default:
    every well-formed name is sent."""

    exception_info: Callable[[Exception], Mapping[str, Any]] = describe_exception
    """What to say of an exception. Of the result only `class`, `connector_name` and
    `exit_code` are sent, never a message."""

    before_send: Callable[[Event], Event | None] | None = None
    """Is given a copy of each event as it would be sent, and returns what shall be sent: it, a
    changed one, or None for nothing."""

    on_error: Callable[[Exception, list[Event]], object] | None = None
    """Is given what went wrong, a `DeliveryError` or what `before_send` raised,
    and the events that it cost."""

    limits: Limits = Limits()


current = Hooks()


def configure(**changes: Any) -> None:
    """Replace hooks by name (see `Hooks`). Raises TypeError for a name that is no hook.

    `limits` counts for what is sent from now on by a sender that has not started yet, so configure early.
    """
    global current  # noqa: PLW0603 -- the host library configures once, at import
    unknown = changes.keys() - set(Hooks._fields)
    if unknown:
        raise TypeError(f"not a hook: {', '.join(sorted(unknown))}")
    current = current._replace(**changes)
    _environment.forget()


def report_error(error: Exception, events: list[Event]) -> None:
    """Let the host's `on_error` know. What it raises itself is nobody's."""
    if current.on_error is not None:
        with suppress(Exception):
            current.on_error(error, events)
