"""Connectors and caches as the host library describes them, cut down to what may be sent."""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from .ids import one_way_hash

CUSTOM = "custom"
"""What goes in the place of a name that is not public."""

_NAME = re.compile("[a-z0-9][a-z0-9_-]{0,79}")
_IDENTIFIER = re.compile("[A-Za-z_][A-Za-z0-9_]{0,99}")
_VERSION = re.compile("[0-9A-Za-z][0-9A-Za-z.+_-]{0,39}")
_HASH = re.compile("[0-9a-f]{64}")


@dataclass
class RuntimeInfoBase:
    """What the host library knows of one participant of a sync."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are known."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass
class WriterRuntimeInfo(RuntimeInfoBase):
    """A cache: its class name, and a hash of its configuration."""

    type: str
    config_hash: str | None = None


@dataclass(kw_only=True)
class ConnectorRuntimeInfo(RuntimeInfoBase):
    """A connector: its registry name, how it is run, its version, and a hash of its configuration."""

    name: str
    executor_type: str | None = None
    version: str | None = None
    config_hash: str | None = None


def describe_connector(info: object, is_registered: Callable[[str], bool] | None) -> dict[str, str]:
    """Return the declared fields of a connector, each in a form that cannot hold free text."""
    described = {"name": public_name(getattr(info, "name", None), is_registered)}
    executor_type = getattr(info, "executor_type", None)
    if isinstance(executor_type, str) and _IDENTIFIER.fullmatch(executor_type):
        described["executor_type"] = executor_type
    version = getattr(info, "version", None)
    if isinstance(version, str) and _VERSION.fullmatch(version):
        described["version"] = version
    add_config_hash(described, info)
    return described


def describe_cache(info: object) -> dict[str, str]:
    """Return the declared fields of a cache."""
    described = {"type": identifier(getattr(info, "type", None), CUSTOM)}
    add_config_hash(described, info)
    return described


def public_name(name: object, is_registered: Callable[[str], bool] | None) -> str:
    """Return a connector's name if it may be sent, else `custom`.

    No registry name holds a dot, a slash, a space, an at sign or a capital; e-mail addresses, hosts and paths do.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return CUSTOM
    if is_registered is not None and not is_registered(name):
        return CUSTOM
    return name


def identifier(text: object, otherwise: str) -> str:
    """Return a Python identifier, such as a class name, as it is; anything else becomes `otherwise`."""
    return text if isinstance(text, str) and _IDENTIFIER.fullmatch(text) else otherwise


def add_config_hash(described: dict[str, str], info: object) -> None:
    """Add the configuration's hash. A host that passes anything else by mistake has it hashed here."""
    config_hash = getattr(info, "config_hash", None)
    if config_hash is not None:
        hashed = isinstance(config_hash, str) and _HASH.fullmatch(config_hash)
        described["config_hash"] = config_hash if hashed else one_way_hash(config_hash)
