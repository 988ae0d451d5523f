"""A refusal keeps what attempts are counted by: the law of the ledger, at the level of one verdict.

Whatever is spoiled in an event besides what pairs it (session, source, destination, cache), its user, its
time, the CI flag, PyAirbyte's version and the exception's class, its row in the ledger has these as the event
would have had them. That the report then does not move is tested on rows, in `tests/reports/test_ledger.py`.
"""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.contract.document import ParsedEvent, canonical
from app.contract.vocabulary import shipped_connectors
from app.privacy.projection import NO_ROW, Arrival
from app.privacy.pseudonyms import Pseudonyms
from app.privacy.verdict import Verdict, VerdictContext, judge
from tests.samples import HASH, clean_event, spoil

VERDICT_CONTEXT = VerdictContext(shipped_connectors(), Pseudonyms("k" * 32))
ARRIVAL = Arrival(dt.datetime(2026, 11, 23, 9, 0, tzinfo=dt.UTC), 1, b"key")
KEPT = (
    *(
        "event",
        "session_key",
        "anonymous_id",
        "bucket",
        "occurred_at",
        "corrected_at",
        "received_at",
        "write_key",
    ),
    *("source_name", "destination_name", "cache_type", "ci", "version", "exception_class", "first_run"),
)
SPOILED = [
    *[
        "messageId",
        "type",
        "userId",
        "integrations",
        "context",
        "receivedAt",
        "originalTimestamp",
        "traits",
        "email",
    ],
    *[
        "properties.application_hash",
        "properties.python_version",
        "properties.os",
        "properties.ip",
        "properties.user",
    ],
    *["properties.number_of_records", "properties.flags.LANGCHAIN", "properties.flags.NOTEBOOK_RUNTIME"],
    *[
        "properties.flags.NEW_FLAG",
        "properties.flags.jane",
        "properties.source.executor_type",
        "properties.source.type",
    ],
    *["properties.source.version", "properties.source.config_hash", "properties.source.host"],
    *["properties.destination.version", "properties.destination.config_hash", "properties.destination.type"],
    *["properties.cache.config_hash", "properties.cache.path", "properties.exception.message"],
    *["properties.exception.stream_name", "properties.exception.violation", "properties.exception.exit_code"],
    *["properties.exception.connector_name", "properties.exception.traceback"],
]
SPOILS: list[Any] = [
    *[
        "jane.doe@example.com",
        "",
        "x" * 200,
        HASH,
        HASH.upper(),
        "0" * 64,
        "10.0.3.17",
        "password=hunter2",
        "unknown",
        "1.2.3",
    ],
    *[None, True, False, 0, -1, 2**60, 1.5, [], {}, ["jane@example.com"], {"jane@example.com": 1}, [[[]]]],
]
spoils = st.sampled_from(SPOILS) | st.text(max_size=20)


def attempt_event(state: str) -> dict[str, Any]:
    """An event of an attempt, with every part that attempts are counted by; `state` as
    the started or failed one's."""
    parties = {
        "destination": {"name": "destination-bigquery", "executor_type": "VenvExecutor"},
        "flags": {"CI": True},
    }
    failure = {"exception": {"class": "ValueError"}} if state == "failed" else {}
    return clean_event(state=state, **parties, **failure)


def verdict_on(event: object, *, clean: bool = True) -> Verdict:
    return judge(ParsedEvent(event, clean), ARRIVAL, VERDICT_CONTEXT)


def kept(verdict: Verdict) -> dict[str, Any]:
    return {column: verdict.row.get(column) for column in KEPT}


@pytest.mark.parametrize("clean", [True, False])
@given(
    st.sampled_from(["started", "succeeded", "failed", "canceled"]),
    st.dictionaries(st.sampled_from(SPOILED), spoils),
)
def test_whatever_else_is_spoiled_the_attempt_is_counted(
    clean: bool, state: str, changes: dict[str, Any]
) -> None:
    event = attempt_event(state)
    original = verdict_on(event)
    for path, value in changes.items():
        event = spoil(path, value, event)
    spoiled = verdict_on(event, clean=clean)
    assert kept(spoiled) == kept(original)
    assert list(spoiled.row) == list(NO_ROW)  # what writes it goes by position
    assert judge(ParsedEvent(event, clean, canonical(event)), ARRIVAL, VERDICT_CONTEXT) == spoiled
    if not spoiled.malformed:
        assert spoiled.row["state"] == state


@pytest.mark.parametrize("path", SPOILED)
def test_a_refused_value_is_not_in_the_row(path: str) -> None:
    canary = "canary-of-jane.doe@example.com"
    for value in (canary, [canary], {canary: canary}):
        verdict = verdict_on(spoil(path, value, attempt_event("failed")))
        assert canary not in repr(verdict)


@pytest.mark.parametrize(
    ("path", "column"),
    [
        ("properties.source.name", "source_name"),
        ("properties.destination.name", "destination_name"),
        ("properties.cache.type", "cache_type"),
        ("properties.exception.class", "exception_class"),
        ("properties.version", "version"),
        ("properties.os", "os"),
        ("anonymousId", "anonymous_id"),
    ],
)
def test_a_refused_name_leaves_null_and_a_withheld_one_its_stand_in(path: str, column: str) -> None:
    event = attempt_event("failed")
    refused, withheld = (
        verdict_on(spoil(path, value, event)) for value in ("jane@example.com", "Jane's own")
    )
    assert (refused.reason, refused.path) == ("pii_email", path)
    assert refused.row.get(column) is None
    assert withheld.reason is None
    stand_ins = {
        "source_name": "custom",
        "destination_name": "custom",
        "cache_type": "custom",
        "exception_class": "other",
    }
    assert withheld.row.get(column) == stand_ins.get(column)
    untouched = [name for name in KEPT if name not in (column, "bucket", "first_run")]
    assert [refused.row.get(name) for name in untouched] == [
        verdict_on(event).row.get(name) for name in untouched
    ]
