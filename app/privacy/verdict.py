"""The verdict on one event: accepted, accepted with fields withheld, or rejected. Pure: no database, no HTTP, no clock.

| | |
|---|---|
| A | the event is in the closed world as it is |
| W | a field misses its vocabulary: the event counts, the field is withheld (NULL, `custom` or `other`) and counted |
| R | anything else, and a field of W that looks like personal data or a secret (`detector`): refused; the ledger keeps
the valid fields, so that refusals cannot bias a failure rate |

A clean event is validated once and projected; only one that fails is examined field by field.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from app.contract.document import canonical, find_fault
from app.contract.wire import validate
from app.privacy.examination import Findings, detect_word, examine, lacks_session
from app.privacy.projection import Arrival, project
from app.privacy.pseudonyms import Pseudonyms, event_id

# What SDKs, proxies and archives add to an event or change in it: no part of its identity.
ADDED_ON_THE_WAY: Final = frozenset(
    {"sentAt", "writeKey", "type", "integrations", "context", "userId", "receivedAt", "originalTimestamp"}
)
# Columns whose words no list closes: digits are free in them.
FREE_DIGITS: Final = ("version", "source_version", "destination_version")


class Verdict(NamedTuple):
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
class Installation:
    """What verdicts depend on besides the event: the vocabulary of connector names and the pseudonyms' keys."""

    connectors: AbstractSet[str]
    pseudonyms: Pseudonyms


def judge(  # noqa: PLR0913 -- the last three are what reading the body has shown
    event: object,
    arrival: Arrival,
    installation: Installation,
    *,
    clean: bool = True,
    fault: str | None = None,
    form: bytes | None = None,
) -> Verdict:
    """Decide on one parsed event. Never raises.

    `clean` says that the body was proven free of the faults that `find_fault` looks for; `fault` refuses the event for
    what the caller found (`too_large`); `form` is the event's canonical form if the caller has it.
    """
    message_key = digest(event, arrival, installation.pseudonyms, form)
    if clean and fault is None:
        try:
            valid: Mapping[str, Any] = validate(event, installation.connectors)
        except ValidationError:
            pass
        else:
            if not lacks_session(valid["properties"]) and not holds_containers(valid):
                row = project(valid, message_key, arrival, installation.pseudonyms)
                if not any(detect_word(row[column]) for column in FREE_DIGITS if row[column]):
                    return Verdict(event_id(row["occurred_at"], message_key), row)
    findings = examine(event, installation.connectors) if isinstance(event, dict) else Findings({})
    fault = fault or (None if isinstance(event, dict) else "not_an_object") or find_fault(event, clean=clean)
    row = project(findings.cleaned, message_key, arrival, installation.pseudonyms)
    identity = event_id(row["occurred_at"], message_key)
    if fault is not None:
        # No proper JSON, so refused whatever its fields say; the valid ones are kept for the ledger.
        return Verdict(identity, row, reason=fault, malformed=True)
    return Verdict(identity, row, findings.withheld, findings.reason, findings.path)


def holds_containers(valid: Mapping[str, Any]) -> bool:
    """Whether a field that may hold anything holds an array or object, whose depth nobody has looked at yet."""
    return isinstance(valid.get("sentAt"), (dict, list)) or isinstance(valid.get("writeKey"), (dict, list))


def digest(event: object, arrival: Arrival, pseudonyms: Pseudonyms, form: bytes | None = None) -> bytes:
    """The message key: equal for a retry, different for another event. It takes only what the client sent.

    Over write key, anonymous id and `messageId`; without one over the event's canonical JSON, less what SDKs, proxies and
    archives add on the way.
    """
    if not isinstance(event, dict):
        return pseudonyms.message(arrival.write_key_text, b"", form or canonical(event))
    message_id = event.get("messageId")
    if isinstance(message_id, str):
        anonymous_id = canonical(event.get("anonymousId"))
        return pseudonyms.message(arrival.write_key_text, anonymous_id, message_id.encode(errors="replace"))
    if not ADDED_ON_THE_WAY.isdisjoint(event):
        form = canonical({key: value for key, value in event.items() if key not in ADDED_ON_THE_WAY})
    return pseudonyms.message(arrival.write_key_text, b"", form or canonical(event))
