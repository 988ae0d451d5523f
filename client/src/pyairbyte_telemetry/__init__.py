"""Anonymous usage events of PyAirbyte: a drop-in for `airbyte._util.telemetry` that never gets in the way.

You can opt out at any time by setting the environment variable DO_NOT_TRACK to any value, or for good with
`python -m pyairbyte_telemetry off`. `python -m pyairbyte_telemetry show` prints what would be sent.

No personal data is sent, and nothing that could hold any without being hashed first. What is sent:

- the versions of PyAirbyte and Python, and the operating system's name;
- the connectors' names, versions and how they are run; the cache's type; a hash of each configuration;
- what was done (install, check, validate, sync), what became of it, and how many records there were;
- the class of an exception, never its message;
- a hash of the script's or notebook's name;
- whether this is CI, a notebook, LangChain or an MCP server.

Nothing is sent unless AIRBYTE_TELEMETRY_URL names a host. Functions that send return at once and never raise.
"""

import atexit
import os
import sys
from contextlib import suppress
from functools import lru_cache
from typing import Any

from . import _environment, _events, _hooks, _identity, _optout, _settings
from ._connectors import ConnectorRuntimeInfo, WriterRuntimeInfo
from ._errors import DeliveryError
from ._events import EventState, EventType
from ._hooks import Hooks
from ._ids import new_ulid, one_way_hash, wire_id
from ._limits import Limits
from ._sender import Sender
from ._version import __version__ as __version__
from ._worker import QueuedEvent

__all__ = [
    "DEBUG",
    "DO_NOT_TRACK",
    "PYAIRBYTE_APP_TRACKING_KEY",
    "PYAIRBYTE_MCP_TRACKING_KEY",
    "PYAIRBYTE_SESSION_ID",
    "UNKNOWN",
    "_ANALYTICS_FILE",
    "_ANALYTICS_ID",
    "_ENV_ANALYTICS_ID",
    "ConnectorRuntimeInfo",
    "DeliveryError",
    "EventState",
    "EventType",
    "Hooks",
    "Limits",
    "WriterRuntimeInfo",
    "_get_analytics_id",
    "_get_static_env_flags",
    "_setup_analytics",
    "close",
    "configure",
    "flush",
    "get_env_flags",
    "get_segment_write_key",
    "log_config_validation_result",
    "log_connector_check_result",
    "log_install_state",
    "one_way_hash",
    "send_telemetry",
    "statistics",
]

DEBUG = True
"""Whether analytics-file trouble goes to stderr. (AIRBYTE_TELEMETRY_DEBUG=1 shows what is sent.)"""

PYAIRBYTE_APP_TRACKING_KEY = os.environ.get(_settings.TRACKING_KEY, "") or "cukeSffc0G6gFQehKDhhzSurDzVSZ2OP"
"""The write key that stands for the application "PyAirbyte". It is public."""

PYAIRBYTE_MCP_TRACKING_KEY = (
    os.environ.get(_settings.MCP_TRACKING_KEY, "") or "KUID2VHtcNVbjAN7RsZdg6ZKKeMHCWhZ"
)
"""The write key that stands for the application "PyAirbyte MCP". It is public, too."""

PYAIRBYTE_SESSION_ID = new_ulid()
"""Unique identifier of this process and its forks. It orders what happened, and identifies no user."""

DO_NOT_TRACK = _settings.DO_NOT_TRACK
_ENV_ANALYTICS_ID = _settings.ANALYTICS_ID
_ANALYTICS_FILE = _identity.find_file()
_ANALYTICS_ID: str | bool | None  # see __getattr__
UNKNOWN = "unknown"


def __getattr__(name: str) -> Any:
    """Return `_ANALYTICS_ID`, looked up now: importing this package reads and writes no file."""
    if name != "_ANALYTICS_ID":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _get_analytics_id() if _settings.find_endpoint("") else None


def _setup_analytics() -> str | bool:
    """Return the anonymous user ID, making the analytics file if missing; False after an opt-out."""
    return _identity.set_up(_ANALYTICS_FILE, debug=DEBUG)


_known: dict[tuple[str | None, str], str] = {}


def _get_analytics_id() -> str | None:
    """Return the anonymous user ID as the user knows it, or None if the user has opted out."""
    for module in (sys.modules.get(__name__), sys.modules.get("airbyte._util.telemetry")):
        # Set by somebody, here or in the host's module that imported our names. None means: not looked up.
        result = vars(module).get("_ANALYTICS_ID") if module is not None else None
        if result is not None:
            return None if result is False else str(result)
    place = (os.environ.get(_ENV_ANALYTICS_ID), str(_ANALYTICS_FILE))
    if place not in _known or _optout.find_reason() or _optout.is_file_there(_ANALYTICS_FILE):
        found = _setup_analytics()
        if isinstance(found, bool):
            return None
        _known[place] = found
    return _known[place]


def _identify() -> str | None:
    """Return the ID that goes on the wire, or None if nothing may. Reads files: for the sender's thread."""
    if _optout.find_reason() or _optout.is_file_there(_ANALYTICS_FILE):
        return None
    found = _get_analytics_id()
    return wire_id(found) if found else None


_sender = Sender(_identify, lambda: _ANALYTICS_FILE)
atexit.register(_sender.exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_sender.renew)


@lru_cache(maxsize=1)
def _get_static_env_flags() -> dict[str, Any]:
    """Return the flags that are on and cannot change while a process runs, as at the first call."""
    return _environment.find_static_flags()


def get_env_flags() -> dict[str, Any]:
    """Return the flags of the environment that are on. An MCP server says so only once it has started."""
    flags = _get_static_env_flags().copy()
    if _hooks.current.mcp_mode():
        flags["MCP"] = True
    return flags


# Up to PyAirbyte 0.71 the whole was remembered, and tests cleared it by this name.
get_env_flags.cache_clear = _get_static_env_flags.cache_clear  # type: ignore[attr-defined]


def get_segment_write_key() -> str:
    """Return the write key of the application that runs at this moment: PyAirbyte, or its MCP server."""
    return PYAIRBYTE_MCP_TRACKING_KEY if _hooks.current.mcp_mode() else PYAIRBYTE_APP_TRACKING_KEY


def configure(**changes: Any) -> None:
    """Tell the host library's facts: `version`, `application_name`, `mcp_mode` … (see `Hooks`)."""
    _hooks.configure(**changes)
    _get_static_env_flags.cache_clear()


def send_telemetry(  # noqa: PLR0913 -- the signature is PyAirbyte's
    *,
    source: ConnectorRuntimeInfo | None,
    destination: ConnectorRuntimeInfo | None,
    cache: WriterRuntimeInfo | None,
    state: EventState,
    event_type: EventType,
    number_of_records: int | None = None,
    exception: Exception | None = None,
) -> None:
    """Queue one event. Takes microseconds, touches no file and no network, never raises."""
    with suppress(Exception):
        if _optout.find_reason():
            return
        try:
            endpoint = _settings.find_endpoint(get_segment_write_key())
            if endpoint is None:
                return
            event = _events.build(
                session_id=PYAIRBYTE_SESSION_ID,
                source=source,
                destination=destination,
                cache=cache,
                state=state,
                event_type=event_type,
                number_of_records=number_of_records,
                exception=exception,
                flags=get_env_flags(),
            )
        except Exception:  # noqa: BLE001 -- a hook failed, or an argument is not what it should be
            if _settings.find_endpoint("") is not None:
                _sender.counts.drop()
            return
        _sender.put(QueuedEvent(endpoint, event, _events.is_urgent(event)))


def _send_named(
    name: str, state: EventState, event_type: EventType, exception: Exception | None, *, is_destination: bool
) -> None:
    info = ConnectorRuntimeInfo(name=name)
    send_telemetry(
        source=None if is_destination else info,
        destination=info if is_destination else None,
        cache=None,
        state=state,
        event_type=event_type,
        exception=exception,
    )


def log_config_validation_result(name: str, state: EventState, exception: Exception | None = None) -> None:
    """Log a config validation event. A name that starts with "destination-" is a destination's."""
    _send_named(
        name, state, EventType.VALIDATE, exception, is_destination=str(name).startswith("destination-")
    )


def log_connector_check_result(name: str, state: EventState, exception: Exception | None = None) -> None:
    """Log a connector's `check` result. A name that starts with "destination-" is a destination's."""
    _send_named(name, state, EventType.CHECK, exception, is_destination=str(name).startswith("destination-"))


def log_install_state(name: str, state: EventState, exception: Exception | None = None) -> None:
    """Log an install event. Destinations too go as sources here, as PyAirbyte has always sent them."""
    _send_named(name, state, EventType.INSTALL, exception, is_destination=False)


def flush(timeout: float | None = 5.0) -> bool:
    """Wait until every event sent so far is settled: delivered, refused or given up.

    Return False if that took longer than `timeout` seconds (None: however long it takes).
    """
    return _sender.flush(timeout)


def close(timeout: float = 1.0) -> bool:
    """Deliver what is queued within `timeout` seconds, give up the rest, and end the thread.

    Return False if the thread did not end in time. A later event starts a new one. The
    interpreter's exit calls this itself.
    """
    return _sender.close(timeout)


def statistics() -> dict[str, int]:
    """Return what became of this process's events so far (see `counts.Counts`)."""
    return _sender.counts.snapshot()
