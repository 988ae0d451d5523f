"""JSON as it may arrive: strict, no duplicate keys, no NUL, no lone surrogates, no NaN, not nested without end.

A clean body is parsed by orjson and proven clean by two searches and one count; only another one is parsed again by the
standard library, which can say what is wrong and in which event of a batch.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from app.contract.limits import EVENT_DEPTH
from app.problems import Problem

ILLEGAL_CHARACTERS: Final = re.compile("[\x00\ud800-\udfff]")


class RepeatedKeys(dict[str, Any]):
    """An object in which a key stands twice."""


class NotANumber:
    """NaN, Infinity or -Infinity, which are no JSON."""


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed body; `clean` says that no part of it has a fault, nesting aside."""

    value: Any
    clean: bool


def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object that remembers whether a key stood twice."""
    collected = dict(pairs)
    return collected if len(collected) == len(pairs) else RepeatedKeys(collected)


def has_only_unique_keys(raw: bytes, value: object) -> bool:
    """Whether no key can have been dropped while parsing `raw` into `value`; false also when in doubt.

    Every key is followed by one colon, and colons inside strings survive a round trip unless they are written as an
    escape (`\\u003a`). So without such an escape, equal counts prove that no key was lost.
    """
    return b"\\u003" not in raw and raw.count(b":") == orjson.dumps(value).count(b":")


def parse(raw: bytes) -> Document:
    """Parse a body. Raises Problem 400 `malformed` when it is not JSON at all."""
    if b"\\u0000" not in raw:
        try:
            value = orjson.loads(raw)
            if has_only_unique_keys(raw, value):
                return Document(value, clean=True)
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):
            pass  # the second: nested so deeply that it cannot be written again
    return Document(parse_slowly(raw), clean=False)


def parse_slowly(raw: bytes) -> object:
    """Parse with the standard library, keeping what is wrong findable by `find_fault`."""
    try:
        return json.loads(
            raw.decode("utf-8"), object_pairs_hook=collect, parse_constant=lambda _name: NotANumber()
        )
    except (ValueError, RecursionError):
        raise Problem(400, "malformed", "The body is not JSON in UTF-8.", rule="not_json") from None


def walk(value: object) -> Iterator[tuple[object, int]]:
    """Every value and key below `value`, with the number of containers around it; iterative, so nesting cannot end it."""
    stack: list[tuple[object, int]] = [(value, 0)]
    while stack:
        node, depth = stack.pop()
        yield node, depth
        if isinstance(node, dict):
            stack.extend((part, depth + 1) for pair in node.items() for part in pair)
        elif isinstance(node, list):
            stack.extend((part, depth + 1) for part in node)


def find_fault(value: object) -> str | None:
    """The rule of JSON that a parsed event breaks: `duplicate_key`, `not_a_number`, `character`, `too_deep`, or None."""
    for node, depth in walk(value):
        if isinstance(node, RepeatedKeys):
            return "duplicate_key"
        if isinstance(node, NotANumber):
            return "not_a_number"
        if isinstance(node, str) and ILLEGAL_CHARACTERS.search(node):
            return "character"
        if isinstance(node, dict | list) and depth >= EVENT_DEPTH:
            return "too_deep"
    return None


def canonical(value: object) -> bytes:
    """One byte string for equal values: keys sorted, no blanks."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (
        TypeError
    ):  # a lone surrogate, a huge integer, NaN, nested without end: all of them refused later on
        return json.dumps(prune(value, EVENT_DEPTH), sort_keys=True).encode()


def prune(value: object, depth: int) -> object:
    """A value without what lies below `depth` containers, and without what JSON cannot hold."""
    if isinstance(value, dict | list) and depth == 0:
        return None
    if isinstance(value, dict):
        return {key: prune(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [prune(item, depth - 1) for item in value]
    return None if isinstance(value, NotANumber) else value
