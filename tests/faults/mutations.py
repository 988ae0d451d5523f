"""Captured bodies, spoiled at random: bytes flipped, cut, nested, re-typed, re-encoded."""

import copy
import gzip
import json
import random
from collections.abc import Callable
from typing import Any, Final

CANARY: Final = "canary-Zk93vQ"
LEAVES: Final[list[Any]] = [
    None,
    True,
    -1,
    2**70,
    1e400,
    float("nan"),
    "",
    "\x00",
    "\ud800",
    CANARY,
    f"{CANARY}@example.com",
    f"/home/{CANARY}/x",
    "ｅ" * 40,
    [],
    {},
    [[[[[[1]]]]]],
    {CANARY: CANARY},
    "9999-12-31T23:59:59-14:00",
    "x" * 5000,
]
ENCODINGS: Final = ("utf-16", "utf-32", "latin-1", "utf-8-sig", "utf-7")


def leaves(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values of a document."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else []
    return [path, *(found for key, item in pairs for found in leaves(item, (*path, key)))]


def retype(rng: random.Random, document: Any) -> bytes:
    """Replace a few values by others."""
    changed = copy.deepcopy(document)
    for _ in range(rng.randint(1, 3)):
        path = rng.choice(leaves(changed))
        if not path:
            return dump(rng.choice(LEAVES))
        node = changed
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = copy.deepcopy(rng.choice(LEAVES))
    return dump(changed)


def add_key(rng: random.Random, document: Any) -> bytes:
    """Add an unknown key somewhere, or one that is there already."""
    raw = dump(document)
    places = [
        index for index, byte in enumerate(raw) if byte == ord("{") and raw[index + 1 : index + 2] == b'"'
    ]
    place = rng.choice(places) + 1
    key = rng.choice([CANARY, "event", "email", "properties", "\\u0065vent", "source"])
    return raw[:place] + f'"{key}": "{CANARY}", '.encode() + raw[place:]


def nest(rng: random.Random, document: Any) -> bytes:
    """Put the document into containers."""
    depth = rng.choice([1, 2, 5, 100, 300, 1000])
    opening, closing = rng.choice([(b"[", b"]"), (b'{"a":', b"}"), (b'{"batch":[', b"]}")])
    return opening * depth + dump(document) + closing * depth


def flip(rng: random.Random, document: Any) -> bytes:
    """Flip bits."""
    raw = bytearray(dump(document))
    for _ in range(rng.randint(1, 8)):
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    return bytes(raw)


def cut(rng: random.Random, document: Any) -> bytes:
    """Cut the end off, or a piece out."""
    raw = dump(document)
    start, end = sorted((rng.randrange(len(raw)), rng.randrange(len(raw))))
    return rng.choice([raw[:start], raw[:start] + raw[end:]])


def reencode(rng: random.Random, document: Any) -> bytes:
    """Write the text in another encoding."""
    text = json.dumps(document, ensure_ascii=rng.random() < 0.5)
    return text.encode(rng.choice(ENCODINGS), "replace")


def dump(document: Any) -> bytes:
    """JSON as a lenient sender writes it: NaN, lone surrogates and all."""
    return json.dumps(document).encode("utf-8", "surrogatepass")


MUTATIONS: Final[list[Callable[[random.Random, Any], bytes]]] = [
    retype,
    retype,
    add_key,
    nest,
    flip,
    cut,
    reencode,
]


def mutate(rng: random.Random, document: Any) -> tuple[bytes, bool]:
    """A spoiled body, and whether it is (said to be) gzipped."""
    raw = rng.choice(MUTATIONS)(rng, document)
    kind = rng.random()
    if kind < 0.1:
        return gzip.compress(raw), True
    if kind < 0.15:
        squeezed = bytearray(gzip.compress(raw))
        squeezed[rng.randrange(len(squeezed))] ^= 0xFF
        return bytes(squeezed), True
    return raw, kind > 0.98
