"""The verdict on one event: accepted, accepted with fields withheld, or rejected. Pure:
no database, no HTTP, no clock.

| | |
|---|---|
| A | the event is in the closed world as it is |
| W | a field misses its vocabulary: it counts; the field is withheld (NULL, `custom`, `other`) and counted |
| R | anything else, and a field of W that looks like personal data or a secret (`detector`): refused |

The ledger keeps the valid fields of what is refused, so that refusals cannot bias a failure rate.

A clean event is validated once and projected; only one that fails is examined field by field.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from app.contract.document import ParsedEvent, canonical, find_fault
from app.contract.envelope import DROPPED, UNREAD_IN_ARCHIVES
from app.contract.wire import validate
from app.privacy.envelope import TIME_OF_RUDDERSTACK, Unwrapped, is_bare, unwrap
from app.privacy.examination import UNSUPPORTED_TYPE, detect_word, examine, lacks_session
from app.privacy.projection import Arrival, project
from app.privacy.pseudonyms import Pseudonyms, event_id

# What SDKs, proxies and archives add to an event or change in it: no part of its identity.
ADDED_ON_THE_WAY: Final = frozenset({"sentAt", "writeKey", "type", "userId", *DROPPED, *UNREAD_IN_ARCHIVES})
# Columns whose words no list closes: digits are free in them.
FREE_DIGITS: Final = ("version", "source_version", "destination_version")


class Verdict(NamedTuple):
    """What becomes of one event. `row` is its projection: pseudonyms and words of the
    vocabulary, never raw input."""

    id: str
    row: dict[str, Any]
    withheld: tuple[str, ...] = ()
    reason: str | None = None
    path: str | None = None
    malformed: bool = False
    dropped: bool = False  # it had an envelope

    @property
    def rejected(self) -> bool:
        """Whether the event is refused."""
        return self.reason is not None


@dataclass(frozen=True, slots=True)
class VerdictContext:
    """What verdicts depend on besides the event: the vocabulary of connector
    names and the pseudonyms' keys."""

    connectors: AbstractSet[str]
    pseudonyms: Pseudonyms


def judge(parsed: ParsedEvent, arrival: Arrival, verdict_context: VerdictContext) -> Verdict:
    """Return the verdict on one parsed event. Never raises."""
    message_key = digest(parsed.value, arrival, verdict_context.pseudonyms, parsed.form)
    fault = parsed.fault
    # What PyAirbyte sends: nothing is around it.
    is_plain = fault is None and parsed.refusal is None and parsed.clean and is_bare(parsed.value)
    if is_plain:
        row = project_if_clean(parsed.value, message_key, arrival, verdict_context)
        if row is not None:
            return Verdict(event_id(row["occurred_at"], message_key, row["bucket"]), row)
    unwrapped = unwrap(parsed.value, archived=arrival.historical)
    if fault is None and (unwrapped.too_deep or not parsed.clean):
        fault = find_fault_around(parsed, unwrapped, arrival)
    refusal = parsed.refusal or unwrapped.refusal
    if fault is None and refusal is None and not is_plain:
        row = project_if_clean(unwrapped.event, message_key, arrival, verdict_context)
        if row is not None:
            identity = event_id(row["occurred_at"], message_key, row["bucket"])
            return Verdict(identity, row, dropped=True) if unwrapped.dropped else Verdict(identity, row)
    findings = examine(unwrapped.event, verdict_context.connectors)
    row = project(findings.cleaned, message_key, arrival, verdict_context.pseudonyms)
    identity = event_id(row["occurred_at"], message_key, row["bucket"])
    fault = fault or find_fault_around(parsed, unwrapped, arrival)
    if fault is not None:
        # No proper JSON, so refused whatever its fields say; the valid ones are kept for the ledger.
        return Verdict(identity, row, reason=fault, malformed=True)
    reason, path = findings.reason, findings.path
    if refusal is not None and reason != UNSUPPORTED_TYPE:
        reason, path = refusal
    return Verdict(identity, row, findings.withheld, reason, path, dropped=unwrapped.dropped)


def find_fault_around(parsed: ParsedEvent, unwrapped: Unwrapped, arrival: Arrival) -> str | None:
    """Return the rule of JSON that an event breaks. What is dropped counts, too,
    unless it is dropped unread."""
    if not isinstance(parsed.value, dict):
        return "not_an_object"
    return find_fault(unwrapped.event if arrival.historical else parsed.value, clean=parsed.clean)


def project_if_clean(
    event: Mapping[str, Any], message_key: int, arrival: Arrival, verdict_context: VerdictContext
) -> dict[str, Any] | None:
    """Return the row of an event that is in the closed world as it is; None for any other."""
    try:
        valid: Mapping[str, Any] = validate(event, verdict_context.connectors)
    except ValidationError:
        return None
    if lacks_session(valid["properties"]):
        return None
    row = project(valid, message_key, arrival, verdict_context.pseudonyms)
    for column in FREE_DIGITS:
        if row[column] and detect_word(row[column]):
            return None
    return row


def digest(event: object, arrival: Arrival, pseudonyms: Pseudonyms, form: bytes | None = None) -> int:
    """Return the message key: equal for a retry, different for another event. It
    takes only what the client sent.

    Over write key, anonymous id and `messageId`; without one over the event's canonical JSON, less what SDKs,
    proxies and archives add on the way.
    """
    if not isinstance(event, dict):
        return pseudonyms.message(arrival.write_key_text, b"", form or canonical(event))
    message_id = event.get("messageId")
    if isinstance(message_id, str):
        anonymous_id = canonical(event.get("anonymousId"))
        return pseudonyms.message(arrival.write_key_text, anonymous_id, message_id.encode(errors="replace"))
    if not ADDED_ON_THE_WAY.isdisjoint(event):
        sent = {key: value for key, value in event.items() if key not in ADDED_ON_THE_WAY}
        if event.get("timestamp") is None and (moment := event.get(TIME_OF_RUDDERSTACK)) is not None:
            sent["timestamp"] = moment
        form = canonical(sent)
    return pseudonyms.message(arrival.write_key_text, b"", form or canonical(event))
