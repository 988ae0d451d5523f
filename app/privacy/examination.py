"""What is wrong with an event that is not clean, by field: withheld or refused, under which rule and path."""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from pydantic import ValidationError

from app.contract import spellings
from app.contract.envelope import UNSUPPORTED_TYPES
from app.contract.moments import parse_moment
from app.contract.vocabulary import CUSTOM, OTHER
from app.contract.wire import OBJECTS, validate
from app.privacy.detector import detect

Path = tuple[str, ...]
WORDS: Final = 4_096  # words that are remembered

# What stands in for a withheld field; None leaves the column NULL.
CONNECTOR: Final[dict[str, str | None]] = {"name": CUSTOM, "executor_type": None, "version": None}
REPLACEMENTS: Final[Mapping[Path, str | None]] = {
    ("anonymousId",): None,
    ("timestamp",): None,
    ("properties", "version"): None,
    ("properties", "python_version"): None,
    ("properties", "os"): None,
    **{("properties", "source", leaf): value for leaf, value in CONNECTOR.items()},
    ("properties", "source", "type"): None,
    **{("properties", "destination", leaf): value for leaf, value in CONNECTOR.items()},
    ("properties", "cache", "type"): CUSTOM,
    ("properties", "exception", "class"): OTHER,
    ("properties", "exception", "message"): None,
    ("properties", "exception", "stream_name"): None,
    ("properties", "exception", "connector_name"): None,
    ("properties", "exception", "violation"): None,
    ("properties", "exception", "exit_code"): None,
}
VERSIONS: Final[tuple[Path, ...]] = (
    ("properties", "version"),
    ("properties", "source", "version"),
    ("properties", "destination", "version"),
)
NUMBERS: Final[tuple[Path, ...]] = (
    ("properties", "number_of_records"),
    ("properties", "exception", "exit_code"),
)
UNSUPPORTED_TYPE: Final = "unsupported_type"
FLAGS: Final[Path] = ("properties", "flags")
FLAG_NAME: Final = re.compile("[A-Z][A-Z_]{1,31}")  # the next release's flag

# pydantic's error types, in the words of the wire.
RULES: Final[Mapping[str, str]] = {
    "missing": "missing",
    "dict_type": "not_an_object",
    "literal_error": "not_allowed",
    "none_required": "not_allowed",
    "string_pattern_mismatch": "pattern",
    "string_too_long": "too_long",
    "string_type": "wrong_type",
    "int_type": "wrong_type",
    "bool_type": "wrong_type",
    "greater_than_equal": "out_of_range",
    "less_than": "out_of_range",
    "less_than_equal": "out_of_range",
    "low_entropy": "low_entropy",
}


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong with an event: the first refusal, the withheld paths, and the event without either."""

    cleaned: dict[str, Any]
    withheld: tuple[str, ...] = ()
    reason: str | None = None
    path: str | None = None


def examine(event: Mapping[str, Any], connectors: AbstractSet[str]) -> Findings:
    """Return the faults of an event, withheld and refused, and a copy of it without either.

    What the table would withhold is refused all the same if it looks like personal data or a secret.
    """
    cleaned, unknown = set_unknown_apart(event)
    read_versions_as_text(cleaned)
    read_integers(cleaned)
    withheld: list[str] = []
    refused: list[tuple[str, str]] = []
    kind = cleaned.get("type")
    if isinstance(kind, str) and kind.lower() in UNSUPPORTED_TYPES:  # said before what such an event lacks
        refused.append((UNSUPPORTED_TYPE, "type"))
    absent = missing_ids(cleaned)
    for location, kind in faults(cleaned, connectors):
        value = look_up(cleaned, location)
        rule = detect(value) if location in REPLACEMENTS else name_rule(value, kind)
        if rule is None:
            version = read_rare_version(location, value)
            withheld += [] if version else [".".join(location)]
            put(cleaned, location, version or replacement(location, value))
        else:
            refused.append((rule, ".".join(location)))
            put(cleaned, location, None)
    refused += absent
    refused += canonicalize(cleaned)
    for location, pairs in unknown.items():
        path = ".".join((*location, "*"))  # an unknown key is never named: it may be an e-mail address
        rule = find_rule_of_flags(pairs) if location == FLAGS else "unknown_key"
        if rule is None:
            withheld.append(path)
        else:
            refused.append((rule, path))
    if cleaned.get("timestamp") is not None:
        cleaned["timestamp"] = parse_moment(cleaned["timestamp"])
    return Findings(cleaned, tuple(withheld), *refused[0]) if refused else Findings(cleaned, tuple(withheld))


def set_unknown_apart(event: Mapping[str, Any]) -> tuple[dict[str, Any], dict[Path, dict[str, Any]]]:
    """Return a copy of the objects of an event with the keys of the wire only, and
    by object what else was in it.

    Values are shared. Apart because an event has room for thousands of unknown
    keys, each an error to pydantic.
    """
    objects: dict[Path, dict[str, Any]] = {}
    unknown: dict[Path, dict[str, Any]] = {}
    for location, keys in OBJECTS.items():
        value = objects.get(location[:-1], {}).get(location[-1]) if location else event
        if not isinstance(value, dict):
            continue
        objects[location] = {key: item for key, item in value.items() if key in keys}
        if location:
            objects[location[:-1]][location[-1]] = objects[location]
        if len(objects[location]) < len(value):
            unknown[location] = {key: item for key, item in value.items() if key not in keys}
    return objects[()], unknown


def read_versions_as_text(event: dict[str, Any]) -> None:
    """Read a number where a version is due as its text: YAML manifests say `version: 1.0`."""
    for path in VERSIONS:
        value = look_up(event, path)
        if isinstance(value, int | float) and not isinstance(value, bool):
            put(event, path, str(value))


def read_integers(event: dict[str, Any]) -> None:
    """Read 7.0 as 7, which is an integer to JSON Schema. In the schema every clean event would pay for it."""
    for path in NUMBERS:
        value = look_up(event, path)
        if isinstance(value, float) and value.is_integer():
            put(event, path, int(value))


def canonicalize(event: dict[str, Any]) -> list[tuple[str, str]]:
    """Put versions and systems into their canonical form; return refusals of what is personal data."""
    refused = []
    for path, canonical in spellings.CANONICAL.items():
        value = look_up(event, path)
        if isinstance(value, str):
            word = canonical(value)
            rule = detect_word(word)
            put(event, path, None if rule else word)
            refused += [(rule, ".".join(path))] if rule else []
    return refused


@lru_cache(WORDS)
def detect_word(word: str) -> str | None:
    """Return what `detect` says of a word: once for each, as long as it is remembered."""
    return detect(word)


def missing_ids(event: dict[str, Any]) -> list[tuple[str, str]]:
    """Return refusals for a session or an application hash that is absent."""
    properties = event.get("properties")
    if not isinstance(properties, dict) or not lacks_session(properties):
        return []
    absent = [name for name in ("session_id", "application_hash") if properties.get(name) is None]
    return [("missing", f"properties.{name}") for name in absent]


def lacks_session(properties: Mapping[str, Any]) -> bool:
    """Return whether session or application hash are missing where they are due.

    Only PyAirbyte up to 0.7.1, which sent `ip: 0.0.0.0` and no hash, may leave them out.
    """
    if properties.get("application_hash") is None:
        return properties.get("ip") is None
    return properties.get("session_id") is None


def faults(event: dict[str, Any], connectors: AbstractSet[str]) -> list[tuple[Path, str]]:
    """Return location and pydantic error type of everything that is wrong with an event."""
    try:
        validate(event, connectors)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return [(tuple(map(str, item["loc"])), item["type"]) for item in found]
    return []


def read_rare_version(location: Path, value: object) -> str | None:
    """Return the canonical form of a version that is spelled as nobody spells it, but rightly; else None."""
    parse = spellings.PARSE.get(location)
    return parse(value) if parse and isinstance(value, str) else None


def name_rule(value: object, kind: str) -> str:
    """Return the rule that a field breaks which is refused whatever it holds."""
    return "missing" if value is None else RULES.get(kind, "invalid")


def find_rule_of_flags(pairs: Mapping[str, Any]) -> str | None:
    """Return the rule that unknown flags break; None if the next release may have them:
    a name in capitals, a bool."""
    if all(FLAG_NAME.fullmatch(name) and (on is None or isinstance(on, bool)) for name, on in pairs.items()):
        return detect(list(pairs))
    return "unknown_key"


def replacement(location: Path, value: object) -> str | None:
    """Return what is stored in place of a withheld value: of an operating system
    its family, where it has one."""
    if location != ("properties", "os"):
        return REPLACEMENTS[location]
    return spellings.system(value) or None if isinstance(value, str) else None


def look_up(event: Mapping[str, Any], location: Path) -> object:
    """Return the value at a location, None where there is none."""
    value: object = event
    for key in location:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def put(event: dict[str, Any], location: Path, value: object) -> None:
    """Set the value at a location, or take the key out for None."""
    parent: Any = event
    for key in location[:-1]:
        parent = parent.get(key)
        if not isinstance(parent, dict):
            return
    if value is None:
        parent.pop(location[-1], None)
    else:
        parent[location[-1]] = value
