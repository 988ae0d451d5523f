"""The verdict on one event: accepted, accepted with fields withheld, or rejected. Pure: no database, no HTTP, no clock.

| | |
|---|---|
| A | the event is in the closed world as it is |
| W | a field misses its vocabulary: the event counts, the field is withheld (NULL, `custom` or `other`) and counted |
| R | anything else, and a field of W that looks like personal data or a secret (`detector`): refused; the ledger keeps
the valid fields, so that refusals cannot bias a failure rate |

A clean event is validated once and projected; only one that fails is examined field by field.
"""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from app.contract.document import canonical, find_fault
from app.contract.limits import EVENT_DEPTH
from app.contract.vocabulary import CUSTOM, OTHER, SYSTEM_FAMILIES
from app.contract.wire import parse_moment, validate
from app.privacy.detector import detect
from app.privacy.projection import Arrival, project
from app.privacy.pseudonyms import Pseudonyms, event_id

Path = tuple[str, ...]

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
# What SDKs, proxies and archives add to an event or change in it: no part of its identity.
ADDED_ON_THE_WAY: Final = frozenset(
    {"sentAt", "writeKey", "type", "integrations", "context", "userId", "receivedAt", "originalTimestamp"}
)
FLAGS: Final[Path] = ("properties", "flags")
SURROGATES: Final = re.compile("[\ud800-\udfff]")
FLAG_NAME: Final = re.compile("[A-Z][A-Z_]{1,31}")  # the next release's flag

# pydantic's error types, in the words of the wire.
RULES: Final[Mapping[str, str]] = {
    "missing": "missing",
    "dict_type": "not_an_object",
    "extra_forbidden": "unknown_key",
    "literal_error": "not_allowed",
    "none_required": "not_allowed",
    "string_pattern_mismatch": "pattern",
    "string_too_long": "too_long",
    "string_type": "wrong_type",
    "int_type": "wrong_type",
    "bool_type": "wrong_type",
    "greater_than_equal": "out_of_range",
    "less_than": "out_of_range",
    "low_entropy": "low_entropy",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one event. `row` is its projection: pseudonyms and words of the vocabulary, never raw input."""

    id: str
    row: dict[str, Any]
    withheld: tuple[str, ...] = ()
    reason: str | None = None
    path: str | None = None
    malformed: bool = False

    @property
    def rejected(self) -> bool:
        """Whether the event is refused."""
        return self.reason is not None


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong with an event: the first refusal, the withheld paths, and the event without either."""

    cleaned: dict[str, Any]
    withheld: tuple[str, ...]
    reason: str | None
    path: str | None


@dataclass(frozen=True, slots=True)
class Installation:
    """What verdicts depend on besides the event: the vocabulary of connector names and the pseudonyms' keys."""

    connectors: AbstractSet[str]
    pseudonyms: Pseudonyms


def judge(
    event: object,
    arrival: Arrival,
    installation: Installation,
    *,
    clean: bool = True,
    fault: str | None = None,
) -> Verdict:
    """Decide on one parsed event. Never raises.

    `clean` says that the body was proven free of the faults that `find_fault` looks for; `fault` refuses the event for
    what the caller found (`too_large`).
    """
    message_key = digest(event, arrival, installation.pseudonyms)
    if clean and fault is None:
        try:
            valid: Mapping[str, Any] = validate(event, installation.connectors)
        except ValidationError:
            pass
        else:
            if not lacks_session(valid["properties"]):
                row = project(valid, message_key, arrival, installation.pseudonyms)
                return Verdict(event_id(row["occurred_at"], message_key), row)
    fault = fault or find_fault(event) or (None if isinstance(event, dict) else "not_an_object")
    findings = (
        examine(event, installation.connectors) if isinstance(event, dict) else Findings({}, (), None, None)
    )
    row = project(findings.cleaned, message_key, arrival, installation.pseudonyms)
    identity = event_id(row["occurred_at"], message_key)
    if fault is not None:
        # No proper JSON, so refused whatever its fields say; the valid ones are kept for the ledger.
        return Verdict(identity, row, reason=fault, malformed=True)
    return Verdict(identity, row, findings.withheld, findings.reason, findings.path)


def digest(event: object, arrival: Arrival, pseudonyms: Pseudonyms) -> bytes:
    """The message key: equal for a retry, different for another event. It takes only what the client sent.

    Over write key, anonymous id and `messageId`; without one over the event's canonical JSON, less what SDKs, proxies and
    archives add on the way.
    """
    if not isinstance(event, dict):
        return pseudonyms.message(arrival.write_key_text, b"", canonical(event))
    message_id = event.get("messageId")
    if isinstance(message_id, str):
        anonymous_id = canonical(event.get("anonymousId"))
        return pseudonyms.message(arrival.write_key_text, anonymous_id, message_id.encode(errors="replace"))
    if not ADDED_ON_THE_WAY.isdisjoint(event):
        event = {key: value for key, value in event.items() if key not in ADDED_ON_THE_WAY}
    return pseudonyms.message(arrival.write_key_text, b"", canonical(event))


def lacks_session(properties: Mapping[str, Any]) -> bool:
    """Whether session or application hash are missing where they are due.

    Only PyAirbyte up to 0.7.1, which sent `ip: 0.0.0.0` and no hash, may leave them out.
    """
    if properties.get("application_hash") is None:
        return properties.get("ip") is None
    return properties.get("session_id") is None


def examine(event: dict[str, Any], connectors: AbstractSet[str]) -> Findings:
    """Sort the faults of an event into withheld and refused, and take both out of a copy."""
    event = with_versions_as_text(copy_objects(event))
    withheld: list[str] = []
    refused: list[tuple[str, str]] = []
    cleaned = copy_objects(event)
    for location, kind in faults(event, connectors):
        rule = find_rule(event, location, kind)
        if rule is None:
            withheld.append(name_path(location, kind))
            put(cleaned, location, replacement(event, location))
        else:
            refused.append((rule, name_path(location, kind)))
            put(cleaned, location, None)
    refused.extend(missing_ids(event))
    reason, path = refused[0] if refused else (None, None)
    parse_times(cleaned)
    return Findings(cleaned, tuple(dict.fromkeys(withheld)), reason, path)


def faults(event: dict[str, Any], connectors: AbstractSet[str]) -> list[tuple[Path, str]]:
    """Location and pydantic error type of everything that is wrong with an event."""
    try:
        validate(event, connectors)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return [(tuple(map(str, item["loc"])), item["type"]) for item in found]
    return []


def missing_ids(event: dict[str, Any]) -> list[tuple[str, str]]:
    """Refusals for a session or an application hash that is absent."""
    properties = event.get("properties")
    if not isinstance(properties, dict) or not lacks_session(properties):
        return []
    absent = [name for name in ("session_id", "application_hash") if properties.get(name) is None]
    return [("missing", f"properties.{name}") for name in absent]


def find_rule(event: dict[str, Any], location: Path, kind: str) -> str | None:
    """The rule by which a faulty field makes its event refused; None if the field is withheld instead.

    What the table would withhold is refused all the same if it looks like personal data or a secret.
    """
    value = look_up(event, location)
    if kind == "extra_forbidden":
        is_flag = location[:-1] == FLAGS and FLAG_NAME.fullmatch(location[-1]) is not None
        return detect(location[-1]) if is_flag and isinstance(value, bool | None) else RULES[kind]
    if location not in REPLACEMENTS:
        return "missing" if value is None else RULES.get(kind, "invalid")
    return detect(value)


def replacement(event: dict[str, Any], location: Path) -> str | None:
    """What is stored in place of a withheld value: of an operating system its family, where it has one."""
    if location == ("properties", "os"):
        system = look_up(event, location)
        return next(
            (name for name in SYSTEM_FAMILIES if isinstance(system, str) and system.startswith(name)), None
        )
    return REPLACEMENTS.get(location)


def name_path(location: Path, kind: str) -> str:
    """A path of the schema. An unknown key is named by its parent, never by itself: it may be an e-mail address."""
    known = location[:-1] if kind == "extra_forbidden" else location
    return ".".join((*known, "*") if kind == "extra_forbidden" else known)


def look_up(event: dict[str, Any], location: Path) -> object:
    """The value at a location, None where there is none."""
    value: object = event
    for key in location:
        value = value.get(key) if isinstance(value, dict) else None
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


def copy_objects(value: Any, depth: int = EVENT_DEPTH) -> Any:
    """A copy of the nested objects of an event, leaves shared, and shared below the depth that an event may have.

    Without keys that hold a lone surrogate: pydantic gives up on the whole object, and the event is refused for them.
    """
    if not isinstance(value, dict) or depth == 0:
        return value
    return {key: copy_objects(item, depth - 1) for key, item in value.items() if not SURROGATES.search(key)}


def with_versions_as_text(event: dict[str, Any]) -> dict[str, Any]:
    """The event itself, with a number where a version is due read as its text: YAML manifests say `version: 1.0`."""
    numbers = [
        (path, value)
        for path in VERSIONS
        if isinstance(value := look_up(event, path), int | float) and not isinstance(value, bool)
    ]
    for path, value in numbers:
        put(event, path, str(value))
    return event


def parse_times(cleaned: dict[str, Any]) -> None:
    """Turn the timestamp, valid by now, into the datetime that a clean event has from validation."""
    if cleaned.get("timestamp") is not None:
        cleaned["timestamp"] = parse_moment(cleaned["timestamp"])
