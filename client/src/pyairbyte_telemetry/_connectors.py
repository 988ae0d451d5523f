"""Connectors and caches as the host library describes them, cut down to what may be sent."""

import string
from collections.abc import Callable
from typing import Any

from ._ids import one_way_hash

CUSTOM = "custom"
"""What goes in the place of a name that is not public."""

# Sets, not regular expressions: compiling those takes as long as importing a module.
_NAME = frozenset(string.ascii_lowercase + string.digits + "-_")
_VERSION = frozenset(string.ascii_letters + string.digits + ".+_-")
_HASH = frozenset("0123456789abcdef")


class RuntimeInfoBase:
    """What the host library knows of one participant of a sync. Written out: `dataclasses`
    imports half as long as we do."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are known."""
        return {key: value for key, value in vars(self).items() if value is not None}

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = ", ".join(f"{key}={value!r}" for key, value in vars(self).items())
        return f"{type(self).__name__}({fields})"


class WriterRuntimeInfo(RuntimeInfoBase):
    """A cache: its class name, and a hash of its configuration."""

    def __init__(self, type: str, config_hash: str | None = None) -> None:
        self.type = type
        self.config_hash = config_hash


class ConnectorRuntimeInfo(RuntimeInfoBase):
    """A connector: its registry name, how it is run, its version, and a hash of its configuration."""

    def __init__(
        self,
        *,
        name: str,
        executor_type: str | None = None,
        version: str | None = None,
        config_hash: str | None = None,
    ) -> None:
        self.name = name
        self.executor_type = executor_type
        self.version = version
        self.config_hash = config_hash


def describe_connector(info: object, is_registered: Callable[[str], bool] | None) -> dict[str, str]:
    """Return the declared fields of a connector, each in a form that cannot hold free text."""
    described = {"name": public_name(getattr(info, "name", None), is_registered)}
    executor_type = identifier(getattr(info, "executor_type", None), "")
    if executor_type:
        described["executor_type"] = executor_type
    version = getattr(info, "version", None)
    if isinstance(version, str) and 0 < len(version) <= 40 and _VERSION.issuperset(version):
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

    No registry name holds a dot, a slash, a space, an at sign or a capital; e-mail
    addresses, hosts and paths do.
    """
    if not isinstance(name, str) or not 0 < len(name) <= 80 or not _NAME.issuperset(name):
        return CUSTOM
    if is_registered is not None and not is_registered(name):
        return CUSTOM
    return name


def identifier(text: object, otherwise: str) -> str:
    """Return a Python identifier, such as a class name, as it is; anything else becomes `otherwise`."""
    fits = isinstance(text, str) and len(text) <= 100 and text.isascii() and text.isidentifier()
    return str(text) if fits else otherwise


def add_config_hash(described: dict[str, str], info: object) -> None:
    """Add the configuration's hash. A host that passes anything else by mistake has it hashed here."""
    config_hash = getattr(info, "config_hash", None)
    if config_hash is not None:
        hashed = isinstance(config_hash, str) and len(config_hash) == 64 and _HASH.issuperset(config_hash)
        described["config_hash"] = config_hash if hashed else one_way_hash(config_hash)
