"""JSON as it may arrive: strict, no duplicate keys, no NUL, no lone surrogates,
no NaN, not nested without end.

A clean body is parsed by orjson and proven clean by a search and a count; only another one is parsed again by
the standard library, which can say what is wrong and in which event of a batch.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import orjson

from app.contract.limits import EVENT_DEPTH
from app.problems import Problem

ILLEGAL_CHARACTERS: Final = re.compile("[\x00\ud800-\udfff]")

LONG_NUMBER: Final = re.compile("[0-9]{19}")
# Runs of brackets, and strings, in which brackets mean nothing. A string that is cut off matches, too: else
# each of thousands of quotation marks would be followed to the end of the text.
BRACKETS: Final = re.compile(r'[\[{]+|[\]}]+|"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
DEEPEST: Final = 100


class RepeatedKeys(dict[str, Any]):
    """An object in which a key stands twice."""


class NotANumber:
    """NaN, Infinity or -Infinity, which are no JSON."""


class Document(NamedTuple):
    """A parsed body; `clean` says that no part of it has a fault, nesting aside.

    `forms` are the canonical forms of a clean body's events: it took them to prove it clean.
    """

    value: Any
    clean: bool
    forms: Sequence[bytes] = ()


class ParsedEvent(NamedTuple):
    """One event as it came out of a body, with what reading the body has shown.

    `clean`: it was proven free of the faults that `find_fault` looks for, nesting aside. `form`: its
    canonical form, if that is known. `fault`: it is refused as malformed (`too_large`). `refusal`: rule and
    path by which it is refused whatever it holds.
    """

    value: Any
    clean: bool = True
    form: bytes | None = None
    fault: str | None = None
    refusal: tuple[str, str] | None = None


def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object that remembers whether a key stood twice."""
    collected = dict(pairs)
    return collected if len(collected) == len(pairs) else RepeatedKeys(collected)


def parse(raw: bytes, *, batch: bool = False) -> Document:
    """Return a parsed body, an event or if so a `batch` of events. Raises Problem 400 `malformed`
    when it is not JSON at all."""
    if not may_hide_faults(raw):
        try:
            value = orjson.loads(raw)
            forms, colons = write_again(value, batch=batch)
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):
            pass  # the second: nested so deeply that it cannot be written again
        else:
            if raw.count(b":") == colons:
                return Document(value, True, forms)
    return Document(parse_slowly(raw), clean=False)


def may_hide_faults(raw: bytes) -> bool:
    r"""Return whether an escape stands for NUL or a colon: `\u0000`, `\u003a`. Nearly no body has any,
    which is found much faster."""
    return b"\\" in raw and (b"\\u0000" in raw or b"\\u003" in raw)


def write_again(value: object, *, batch: bool) -> tuple[list[bytes], int]:
    """Return the canonical forms of the events of a body, and how many colons the whole of it takes.
    Raises orjson.JSONEncodeError.

    Every key is followed by one colon, and colons inside strings survive a round trip unless they
    are written as an escape. So without such an escape, as many colons as there were prove that
    no key was lost while parsing.
    """
    if batch and isinstance(value, dict) and isinstance(value.get("batch"), list):
        # Copies: what orjson returns keeps the room in which it wrote, 4 KB for two bytes.
        forms = [
            memoryview(orjson.dumps(event, option=orjson.OPT_SORT_KEYS)).tobytes() for event in value["batch"]
        ]
        envelope = orjson.dumps(value | {"batch": None})
        return forms, b"".join([*forms, envelope]).count(b":")
    form = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return [form], form.count(b":")


def parse_slowly(raw: bytes) -> object:
    """Return what the standard library parses, with what is wrong in it findable by `find_fault`."""
    try:
        text = raw.decode("utf-8")
        try:
            return load(text)
        except RecursionError:
            return load(cut(text))
    except (ValueError, RecursionError):
        raise Problem("malformed", "The body is not JSON in UTF-8.", rule="not_json") from None


def load(text: str) -> object:
    """Return parsed JSON that remembers repeated keys and what is no number. Raises ValueError or
    RecursionError."""
    return json.loads(
        text,
        object_pairs_hook=collect,
        parse_constant=lambda _name: NotANumber(),
        parse_int=read_integer if LONG_NUMBER.search(text) else None,
    )


def cut(text: str) -> str:
    """Return JSON without what lies deeper than any parser goes: one such event must not
    cost its neighbours in a batch.

    Its brackets are matched and not read, but the event is refused for its depth whatever they hold.
    """
    kept = []
    depth = end = 0
    for token in BRACKETS.finditer(text):
        start, stop = token.span()
        size = stop - start
        if text[start] in "[{":
            if depth < DEEPEST <= depth + size:
                kept.append(text[end : start + DEEPEST - depth - 1])
            depth += size
        elif text[start] in "]}":
            if depth - size < DEEPEST <= depth:
                kept.append("0")
                end = start + depth - DEEPEST + 1
            depth -= size
    return "".join([*kept, text[end:]])


def read_integer(digits: str) -> int | float:
    """Return an integer, or beyond 64 bits a decimal, as orjson reads it; Python's own
    reading takes time in the square."""
    if len(digits) > 20:
        return float(digits)
    number = int(digits)
    return number if -(2**63) <= number < 2**64 else float(number)


def find_fault(value: object, *, clean: bool = False) -> str | None:
    """Return the rule of JSON that a parsed event breaks: `duplicate_key`, `not_a_number`,
    `character`, `too_deep`, or None.

    `clean` says that only nesting can be wrong. Goes down level by level, so that nesting cannot end it.
    """
    level: list[object] = [value]
    for _ in range(EVENT_DEPTH):
        if not clean and (rule := find_fault_in_level(level)):
            return rule
        level = contents(level, containers_only=clean)
    if any(isinstance(node, (dict, list)) for node in level):
        return "too_deep"
    return None if clean else find_fault_in_level(level)


def find_fault_in_level(nodes: list[object]) -> str | None:
    """Return the rule that one of these values and keys breaks by itself."""
    if any(isinstance(node, RepeatedKeys) for node in nodes):
        return "duplicate_key"
    if any(isinstance(node, NotANumber) for node in nodes):
        return "not_a_number"
    texts = [node for node in nodes if isinstance(node, str)]
    return "character" if ILLEGAL_CHARACTERS.search("".join(texts)) else None


def contents(nodes: list[object], *, containers_only: bool) -> list[object]:
    """Return the values and keys one level down; only those that contain something
    themselves, if nothing else matters."""
    objects = [node for node in nodes if isinstance(node, dict)]
    inner = [item for node in objects for item in node.values()]
    inner += [item for node in nodes if isinstance(node, list) for item in node]
    if containers_only:
        return [item for item in inner if isinstance(item, (dict, list))]
    return inner + [key for node in objects for key in node]


def canonical(value: object) -> bytes:
    """Return one byte string for equal values: keys sorted, no blanks."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (
        TypeError
    ):  # a lone surrogate, a huge integer, NaN, nested without end: all of them refused later on
        return json.dumps(prune(value, EVENT_DEPTH), sort_keys=True).encode()


def prune(value: object, depth: int) -> object:
    """Return a value without what lies below `depth` containers, and without what JSON cannot hold."""
    if isinstance(value, dict | list) and depth == 0:
        return None
    if isinstance(value, dict):
        return {key: prune(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [prune(item, depth - 1) for item in value]
    return None if isinstance(value, NotANumber) else value
