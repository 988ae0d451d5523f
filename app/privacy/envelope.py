"""Takes an event out of what is around it: the transport keys are bounded, scanned and dropped.

No byte of them goes further than this file: what it returns is the event, and the rule and path of a refusal.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeGuard

from app.contract.document import canonical, find_fault
from app.contract.envelope import (
    BATCH_BYTES,
    BATCH_KEYS,
    CONTEXT,
    DROPPED,
    KEY_BYTES,
    PERSONAL_CONTEXT,
    UNREAD_IN_ARCHIVES,
)
from app.contract.limits import EVENT_BYTES, EVENT_DEPTH
from app.privacy.detector import detect_json
from app.privacy.versions import FORMS, veil

REMEMBERED: Final = 4_096  # dropped values: those of an SDK are the same in every event
# `traits` is no transport key, but is refused by its name.
LIVE: Final = frozenset({*DROPPED, "traits", "sentAt", "writeKey"})
ARCHIVED: Final = LIVE | UNREAD_IN_ARCHIVES
ORDERED: Final = tuple(sorted(LIVE))  # of several refusals it is always the same one that is reported
TRANSPORT: Final = frozenset({"sentAt", "writeKey"})  # part of the wire, though no part of the event
# What RudderStack's Node, Go and Rust SDKs send for `timestamp`.
TIME_OF_RUDDERSTACK: Final = "originalTimestamp"
NOBODY: Final = ("userId", "")  # of Segment's SDK for Kotlin
PERSONAL: Final = tuple(path.rpartition(".") for path in PERSONAL_CONTEXT)
HOLDERS: Final = frozenset(path.partition(".")[0] for path in PERSONAL_CONTEXT)
MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}"
    r"(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?"
)

Refusal = tuple[str, str]  # rule and path


class Unwrapped(NamedTuple):
    """An event without its envelope; whether it had one, and nested too deeply; the rule
    and path if that refuses it."""

    event: dict[str, Any]
    dropped: bool = False
    too_deep: bool = False
    refusal: Refusal | None = None


def is_bare(event: object) -> TypeGuard[dict[str, Any]]:
    """Return whether something is an object around which nothing stands, live or archived."""
    return type(event) is dict and ARCHIVED.isdisjoint(event)


def unwrap(event: object, *, archived: bool = False) -> Unwrapped:
    """Return an event without its envelope, an empty one for what is no object.

    `archived`: what archives add is dropped without being read.
    """
    if not isinstance(event, dict):
        return Unwrapped({})
    keys = ARCHIVED if archived else LIVE
    if keys.isdisjoint(event):
        return Unwrapped(event)
    # The class is kept: it says that a key stood twice.
    inner = event.copy() if type(event) is dict else type(event)(event)
    around = {key: value for key in ORDERED if key in inner and (value := inner.pop(key)) is not None}
    if isinstance(sent_at := around.get("sentAt"), str):
        inner["sentAt"] = sent_at
    if inner.get("timestamp") is None and isinstance(moment := around.get(TIME_OF_RUDDERSTACK), str):
        inner["timestamp"] = moment
    dropped = not TRANSPORT.issuperset(around)
    if archived:
        inner = type(inner)({key: value for key, value in inner.items() if key not in UNREAD_IN_ARCHIVES})
        around = {key: value for key, value in around.items() if key not in UNREAD_IN_ARCHIVES}
    return Unwrapped(inner, dropped, is_deeper(around, EVENT_DEPTH), find_refusal(around))


def is_deeper(container: dict[str, Any] | list[Any], most: int) -> bool:
    """Return whether more than `most` containers are inside one another, this one being the first."""
    if most == 0:
        return True
    items = container.values() if isinstance(container, dict) else container
    return any(is_deeper(item, most - 1) for item in items if isinstance(item, (dict, list)))


def is_too_large(value: object, form: bytes, *, archived: bool) -> bool:
    """Return whether an event of this canonical form is too large. What archives
    added to one does not count."""
    if len(form) <= EVENT_BYTES:
        return False
    return not archived or len(canonical(unwrap(value, archived=True).event)) > EVENT_BYTES


def find_refusal(around: Mapping[str, Any]) -> Refusal | None:
    """Return the rule and path of the first key around one event that refuses it."""
    for key, value in around.items():
        if key == "traits":
            return "not_allowed", key
        if key == "context":
            refusal = find_refusal_in_context(value)
            if refusal is not None:
                return refusal
        elif key != "writeKey" and (rule := scan(value, KEY_BYTES, key)):
            return rule, key
    return None


def find_refusal_in_context(context: object) -> Refusal | None:
    """Return the rule and path of the first key of `context` that refuses the event."""
    if context == []:  # PHP's empty object
        return None
    if not isinstance(context, dict):
        return "not_an_object", "context"
    if (path := find_personal(context)) is not None:
        return "not_allowed", path
    for key, value in context.items():
        if value is None:
            continue
        if key not in CONTEXT:
            return "unknown_key", "context.*"
        if rule := scan(value, KEY_BYTES, key):
            return rule, f"context.{key}"
    return None


def find_personal(context: Mapping[str, Any]) -> str | None:
    """Return the path of what names or locates a person in a `context`."""
    if HOLDERS.isdisjoint(context):
        return None
    for parent, _, key in PERSONAL:
        holder = context.get(parent) if parent else context
        if isinstance(holder, Mapping) and holder.get(key) is not None:
            return f"context.{parent}.{key}" if parent else f"context.{key}"
    return None


def find_refusal_of_batch(
    envelope: Mapping[str, Any], *, archived: bool = False, clean: bool = False
) -> Refusal | None:
    """Return the rule and path by which what is around the events of a batch refuses all of them. `clean`
    says that only nesting can be wrong with it."""
    keys = BATCH_KEYS | UNREAD_IN_ARCHIVES if archived else BATCH_KEYS
    around = {key: value for key, value in envelope.items() if key not in keys and value is not None}
    if rule := scan(envelope.get("sentAt"), KEY_BYTES):
        return rule, "batch.sentAt"
    if not around:
        return None
    for key in ("userId", "traits"):
        if key in around and (key, around[key]) != NOBODY:
            return "not_allowed", f"batch.{key}"
    context = around.get("context")
    if isinstance(context, dict) and (path := find_personal(context)) is not None:
        return "not_allowed", f"batch.{path}"
    rule = find_fault(around, clean=clean) or scan_batch(around)
    return (rule, "batch.*") if rule else None


def scan_batch(around: Mapping[str, Any]) -> str | None:
    """Return the rule that what is dropped from a batch breaks. In its `context`
    programs may give their versions."""
    if len(canonical(around)) > BATCH_BYTES:
        return "too_long"
    context = around.get("context")
    if not isinstance(context, dict):
        return scan(around, BATCH_BYTES)
    rest = {**around, "context": {key: value for key, value in context.items() if key not in FORMS}}
    versions = ((key, context[key]) for key in FORMS if key in context)
    rules = (scan(value, BATCH_BYTES, key) for key, value in versions)
    return scan(rest, BATCH_BYTES) or next(filter(None, rules), None)


def scan(value: object, most_bytes: int, key: str = "") -> str | None:
    """Return the rule that a dropped value breaks: too long, or it looks like personal data or a secret."""
    if value is None or isinstance(value, bool) or (isinstance(value, str) and MOMENT.fullmatch(value)):
        return None
    form = canonical(value)
    if len(form) > most_bytes:
        return "too_long"
    detect = detect_form if len(form) <= KEY_BYTES else detect_form.__wrapped__
    return detect(form, key if key in FORMS else "")


@lru_cache(REMEMBERED)
def detect_form(form: bytes, key: str) -> str | None:
    """Return what the detector says of a value's canonical form: once for each,
    as long as it is remembered. `key` says where programs give their versions."""
    return detect_json(veil(key, form))
