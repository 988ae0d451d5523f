"""One event: what happened, made of declared fields only.

`build` runs on the caller's thread and leaves out what needs a file or the network;
`complete` adds that on the sender's.
"""

import datetime
import operator
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Any

from . import _environment, _hooks
from ._connectors import describe_cache, describe_connector, identifier, public_name
from ._ids import new_uuid, one_way_hash

_MAX_RECORDS = 2**53 - 1
_MAX_EXIT_CODE = 2**31 - 1


class EventState(str, Enum):
    """What became of it."""

    STARTED = "started"
    FAILED = "failed"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


class EventType(str, Enum):
    """What was done."""

    INSTALL = "install"
    SYNC = "sync"
    VALIDATE = "validate"
    CHECK = "check"


def build(  # noqa: PLR0913 -- the parameters of `send_telemetry`
    *,
    session_id: str,
    source: object,
    destination: object,
    cache: object,
    state: EventState,
    event_type: EventType,
    number_of_records: int | None,
    exception: Exception | None,
    flags: dict[str, Any],
) -> dict[str, Any]:
    """Return the event, less what `complete` adds. Raises ValueError for a state or type that is none."""
    host = _hooks.current
    properties: dict[str, Any] = {
        "session_id": session_id,
        "state": EventState(state).value,
        "version": host.version() if host.version is not None else None,
        "python_version": None,
        "os": None,
        "application_hash": _hash_application(host),
        "flags": flags.copy(),
    }
    if source:
        properties["source"] = describe_connector(source, host.is_registered)
    if destination:
        properties["destination"] = describe_connector(destination, host.is_registered)
    if cache:
        properties["cache"] = describe_cache(cache)
    if exception is not None:
        properties["exception"] = _describe_exception(exception, host)
    if number_of_records is not None:
        count = operator.index(number_of_records)
        if 0 <= count <= _MAX_RECORDS:
            properties["number_of_records"] = count
    return {
        "event": EventType(event_type).value,
        "properties": properties,
        "timestamp": datetime.datetime.now(tz=datetime.timezone.utc).isoformat(),
    }


def is_urgent(event: Mapping[str, Any]) -> bool:
    """Return whether the event ends a sync: the process may well be gone soon."""
    return bool(event["event"] == "sync" and event["properties"]["state"] != "started")


def complete(event: dict[str, Any], anonymous_id: str) -> dict[str, Any]:
    """Return the event as it goes on the wire, but for `messageId` and `sentAt`.
    May read files and ask Colab."""
    properties = event["properties"]
    if properties["version"] is None:
        properties["version"] = _environment.find_host_version()
    properties["python_version"] = _environment.get_python_version()
    properties["os"] = _environment.get_os()
    if properties["application_hash"] is None:
        name = _environment.find_colab_notebook() or _environment.get_script_name()
        properties["application_hash"] = one_way_hash(name)
    return {"anonymousId": anonymous_id, **event}


def new_message_id() -> str:
    """Return an id that stays with an event through all its retries: the service stores it once."""
    return new_uuid()


def _hash_application(host: _hooks.Hooks) -> str | None:
    if host.application_name is not None:
        return _hash_name(host.application_name())
    return None if _environment.is_colab() else _hash_name(_environment.get_script_name())


@lru_cache(maxsize=8)
def _hash_name(name: str | None) -> str:
    return one_way_hash(name)


def _describe_exception(exception: Exception, host: _hooks.Hooks) -> dict[str, Any]:
    """Return the declared fields of what the host says of an exception. The message is not among them."""
    info = host.exception_info(exception)
    described: dict[str, Any] = {"class": identifier(info.get("class"), "other")}
    name = info.get("connector_name")
    if name is not None:
        described["connector_name"] = public_name(name, host.is_registered)
    exit_code = info.get("exit_code")
    if type(exit_code) is int and abs(exit_code) <= _MAX_EXIT_CODE:
        described["exit_code"] = exit_code
    return described
