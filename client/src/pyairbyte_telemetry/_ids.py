"""Random ids, one-way hashes, and the form in which a user's id may leave the machine."""

import hashlib
import os
import re
import time
from collections.abc import Mapping

from . import _heavy

HASH_SEED = "PyAirbyte:"
"""Prepended before hashing, so that our hashes form a domain of their own."""

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LEGAL = "[0-7][0-9A-HJKMNP-TV-Z]{25}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_OVERRIDES = "6f2b8a52-6a3c-5e0c-9d0a-2f3f0c1d7b94"
"""The UUIDv5 namespace of ids that people chose themselves. Fixed for ever: another one
makes every such user a new one."""


def new_ulid() -> str:
    """Return a new ULID: 48 bits of milliseconds, 80 random bits, in Crockford's base 32.

    Written out because importing a library for it costs more than all the rest of this package.
    """
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    return "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))


def new_uuid() -> str:
    """Return a new random UUID (RFC 9562, version 4), without importing a module for it."""
    value = int.from_bytes(os.urandom(16), "big") & ~(0xF << 76) & ~(0x3 << 62) | 0x4 << 76 | 0x2 << 62
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def is_wire_id(text: str) -> bool:
    """Return whether the service takes this as an anonymous id: a ULID or a lower-case UUID."""
    return re.fullmatch(_LEGAL, text) is not None


def wire_id(anonymous_id: str) -> str:
    """Return the id that goes on the wire.

    A ULID or UUID goes as it is, in its canonical case. Anything else that a user chose, an e-mail address
    say, goes as a UUIDv5 of it: the same for the same user, legal, and not readable.
    """
    for form in (anonymous_id, anonymous_id.upper(), anonymous_id.lower()):
        if is_wire_id(form):
            return form
    uuid = _heavy.load("uuid")
    return str(uuid.uuid5(uuid.UUID(_OVERRIDES), anonymous_id))


def one_way_hash(obj: object, /) -> str:
    """Return the salted SHA-256 of an object as 64 hexadecimal digits.

    Mappings hash alike whatever their order; lists and nested objects are hashed element by element.
    """
    if isinstance(obj, Mapping):
        text = str(sorted((key, one_way_hash(value)) for key, value in obj.items()))
    elif isinstance(obj, list):
        text = str([one_way_hash(item) for item in obj])
    else:
        text = str(obj)
    return hashlib.sha256((HASH_SEED + text).encode()).hexdigest()
