"""The verdict table, field by field: accepted, withheld or refused, and what is stored of each."""

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from app.contract.document import ParsedEvent
from app.contract.vocabulary import shipped_connectors
from app.privacy.clock_skew import NO_TIME, cut
from app.privacy.projection import Arrival
from app.privacy.pseudonyms import Pseudonyms, event_id, ulid_number
from app.privacy.verdict import Verdict, VerdictContext, judge
from tests.samples import HASH, SESSION, USER, clean_event, spoil, without

VERDICT_CONTEXT = VerdictContext(shipped_connectors(), Pseudonyms("k" * 32))
RECEIVED = dt.datetime(2026, 11, 23, 2, 0, tzinfo=dt.UTC)
ARRIVAL = Arrival(RECEIVED, 1, b"key")


def verdict_on(event: object, arrival: Arrival = ARRIVAL) -> Verdict:
    return judge(ParsedEvent(event), arrival, VERDICT_CONTEXT)


def test_a_clean_event_is_accepted_whole() -> None:
    verdict = verdict_on(clean_event())
    assert (verdict.reason, verdict.withheld) == (None, ())
    assert verdict.row["source_name"] == "source-faker"
    assert verdict.row["number_of_records"] == 100
    assert verdict.row["occurred_at"] == dt.datetime(2026, 11, 23, 1, 59, 40, 914000, dt.UTC)


def test_no_id_and_no_hash_is_stored_raw() -> None:
    stored = json.dumps(verdict_on(clean_event()).row, default=lambda value: getattr(value, "hex", str)())
    for raw in (USER, SESSION, HASH):
        assert raw not in stored


ACCEPTED: list[tuple[str, Any]] = [
    ("anonymousId", "123e4567-e89b-12d3-a456-426614174000"),
    ("anonymousId", "airbyte-lib-user"),
    ("messageId", "a.B_c:1-2"),
    ("event", "install"),
    ("timestamp", "2023-01-01T00:00:00"),
    ("timestamp", "2026-11-23T01:59:40Z"),
    ("timestamp", "2099-12-31T23:59:59.999999+00:00"),
    ("timestamp", "2026-11-23 01:59:40,5-14:00"),
    ("sentAt", {"not": "a time"}),
    ("type", "track"),
    ("userId", None),
    ("integrations", {}),
    ("integrations", {"All": True}),
    ("integrations", {"Salesforce": False}),
    ("integrations", []),
    ("context", {"library": {"name": "analytics-python", "version": "2.4.0"}}),
    ("context", {"library": {"name": "x", "version": "1", "consumer": "LibCurl"}, "active": True}),
    ("context", {"ip": None, "traits": None, "library": None}),
    ("context", {"os": "Unix 5.15.0.91", "platform": ".NET 8.0.1", "locale": "de-DE", "timezone": "UTC"}),
    ("traits", None),
    ("_metadata", {"nodeVersion": "v20.20.2", "jsRuntime": "node"}),
    ("channel", "server"),
    ("version", 2),
    ("projectId", "pYh3kQ"),
    ("requestId", "123e4567-e89b-12d3-a456-426614174000"),
    ("receivedAt", "2026-11-23T01:59:40Z"),
    ("originalTimestamp", "2026-11-23T01:59:40.123456789+00:00"),
    ("writeKey", "anything"),
    ("properties.state", "canceled"),
    ("properties.version", None),
    *[
        ("properties.version", version)
        for version in (
            "0.71.3",
            "1.0.0rc37",
            "0.71.2.dev141039313338033",
            "0.54.1.post5.dev0+1b1637b4",
            "0.0.0",
            "1.2.3+gabcdef0",
        )
    ],
    *[
        ("properties.python_version", version)
        for version in ("3.13.0a6+ (CPython)", "3.9.18 (PyPy)", "3.11.1 (GraalVM)")
    ],
    *[
        ("properties.os", system)
        for system in (
            "",
            "Darwin",
            "CYGWIN_NT-10.0-19045",
            "MINGW64_NT-10.0-22631",
            "Google Colab (release-colab_20250807-060059_RC00)",
            "Google Colab (release-colab-external_20250807-060059_RC00)",
        )
    ],
    ("properties.flags.CI", True),
    ("properties.flags.CI", None),
    ("properties.flags.NOTEBOOK_RUNTIME", "VS_CODE"),
    ("properties.flags", None),
    ("properties.source", None),
    ("properties.source.name", "unknown"),
    ("properties.source.name", "custom"),
    ("properties.source.type", "local_install"),
    ("properties.destination.name", "destination-bigquery"),
    *[
        ("properties.source.version", version)
        for version in (
            "1.2",
            "1.2.3",
            "2.0.0-rc.1",
            "1.2.3.dev0",
            "0.1.0-preview.abc",
            "latest",
            "unknown",
            None,
        )
    ],
    ("properties.cache.type", "streaming"),
    ("properties.number_of_records", 0),
    ("properties.number_of_records", 10**12),
    ("properties.number_of_records", 7.0),
    ("properties.exception", {"class": "ValueError", "exit_code": 255.0}),
    ("properties.exception", {"class": "ValueError", "exit_code": -9, "connector_name": "source-faker"}),
]


@pytest.mark.parametrize(("path", "value"), ACCEPTED)
def test_values_of_the_closed_world_are_accepted(path: str, value: Any) -> None:
    verdict = verdict_on(spoil(path, value))
    assert (verdict.reason, verdict.path, verdict.withheld) == (None, None, ())


# path, values that are one thing, what is stored of it
CANONICAL: list[tuple[str, tuple[Any, ...], str, Any]] = [
    ("properties.version", ("1.0.0rc37", "1.0.0-rc.37", "1.0.0c37", "v1.0.0RC37"), "version", "1.0.0rc37"),
    ("properties.version", ("1.0.0-rc.34.dev140839285966173", "1.0.0rc34.dev0"), "version", "1.0.0rc34.dev"),
    (
        "properties.version",
        ("0.71.2.dev141039313338033", "0.71.2.dev4111111111111111"),
        "version",
        "0.71.2.dev",
    ),
    ("properties.version", ("0.54.1.post5.dev0+1b1637b4",), "version", "0.54.1.post.dev+local"),
    (
        "properties.version",
        ("0.71.3+" + "6a616e65" * 5, "0.71.3+g1b1637b.d20261112.dirty"),
        "version",
        "0.71.3+local",
    ),
    ("properties.source.version", ("2.0.0-rc.1", "2.0.0rc4", "V2.0.0-RC"), "source_version", "2.0.0-rc"),
    ("properties.source.version", ("1.2.3.dev0", "1.2.3-dev.4155552671"), "source_version", "1.2.3-dev"),
    ("properties.source.version", (1.5, "1.5"), "source_version", "1.5"),
    (
        "properties.python_version",
        ("3.13.0a6+ (CPython)", "3.13.0 (CPython)"),
        "python_version",
        "3.13.0 (CPython)",
    ),
    ("properties.os", ("CYGWIN_NT-10.0-19045", "CYGWIN_NT-10.0", "CYGWIN"), "os", "CYGWIN"),
    (
        "properties.os",
        ("Google Colab (release-colab_20250807-060059_RC00)", "Google Colab"),
        "os",
        "Google Colab",
    ),
    ("properties.number_of_records", (7, 7.0), "number_of_records", 7),
]


@pytest.mark.parametrize(("path", "values", "column", "stored"), CANONICAL)
def test_every_spelling_is_stored_in_its_canonical_form(
    path: str, values: tuple[Any, ...], column: str, stored: Any
) -> None:
    for value in values:
        for other in (None, "Acme"):  # examined alone, and beside a field that is withheld
            verdict = verdict_on(spoil("properties.cache.type", other, spoil(path, value)))
            assert verdict.reason is None
            assert path not in verdict.withheld
            assert verdict.row[column] == stored
            assert type(verdict.row[column]) is type(stored)


NO_VERSIONS: list[Any] = [
    "1.2.3.4.5",
    "1",
    "123456.1",
    {"a": 1},
    [],
    True,
    "1.2.3-jane",
    "1.2.3rc" + "0" * 41,
]

# path, value, column, what is stored instead
WITHHELD: list[tuple[str, Any, str, Any]] = [
    *[
        ("anonymousId", value, "anonymous_id", None)
        for value in (
            None,
            123456,
            True,
            3.14,
            [1, 2],
            {"a": 1},
            "",
            "jdoe-laptop",
            "x" * 3000,
            USER.lower(),
            USER + "\n",
            "8" + USER[1:],
            "123E4567-E89B-12D3-A456-426614174000",
        )
    ],
    *[
        ("timestamp", value, "occurred_at", ULID.from_str(SESSION).datetime)
        for value in (
            None,
            1700000000,
            "1700000000",
            "yesterday",
            "2026-11-23",
            "2022-12-31T23:59:59Z",
            "2100-01-01T00:00:00Z",
            "9999-12-31T23:59:59-14:00",
            "0001-01-01T00:00:00+14:00",
            "２０２６-11-23T01:59:40",
        )
    ],
    *[
        ("properties.version", value, "version", None)
        for value in (
            "1.2",
            "1.2.3-4",
            "0.71.3\n",
            "0.71.3-jane",
            "0.1.0.dev1234567890123456789",
            "01.2.3",
            "1.2.12345",
            "1.2.3rc00001",
            "0.71.3+" + "a" * 41,
            "0.71.3+jane.doe",
            "١.2.3",
            1.0,
            True,
        )
    ],
    ("properties.python_version", "3.11.7 (JanePython)", "python_version", None),
    ("properties.python_version", "2.7.18 (CPython)", "python_version", None),
    ("properties.os", "Linux jane-laptop", "os", "Linux"),
    ("properties.os", "Google Colab (jane)", "os", "Google Colab"),
    ("properties.os", "JaneOS", "os", None),
    ("properties.os", 7, "os", None),
    ("properties.source.name", "source-acme-internal", "source_name", "custom"),
    ("properties.source.name", "Source-Faker", "source_name", "custom"),
    ("properties.source.name", ["source-faker"], "source_name", "custom"),
    ("properties.destination.name", "jane", "destination_name", "custom"),
    ("properties.source.executor_type", "JaneExecutor", "source_executor_type", None),
    ("properties.source.type", "docker", "source_executor_type", "VenvExecutor"),
    *[("properties.source.version", value, "source_version", None) for value in NO_VERSIONS],
    ("properties.cache.type", "AcmePayrollWarehouseCache", "cache_type", "custom"),
    ("properties.exception.class", "JaneDoeContractError", "exception_class", "other"),
    ("properties.exception.message", "text", "exception_class", None),
    ("properties.exception.stream_name", "users", "exception_class", None),
    ("properties.exception.violation", "text", "exception_class", None),
    ("properties.exception.connector_name", "source-acme", "connector_name", None),
    ("properties.exception.exit_code", "1", "exit_code", None),
    ("properties.exception.exit_code", True, "exit_code", None),
    *[("properties.exception.exit_code", value, "exit_code", None) for value in (-129, 256, 2**40)],
    ("properties.python_version", "3.999.1 (CPython)", "python_version", None),
    ("properties.python_version", "3.6.9 (CPython)", "python_version", None),
    ("properties.python_version", "3.11.70 (CPython)", "python_version", None),
]


@pytest.mark.parametrize(("path", "value", "column", "stored"), WITHHELD)
def test_what_misses_its_vocabulary_is_withheld(path: str, value: Any, column: str, stored: Any) -> None:
    verdict = verdict_on(spoil(path, value))
    assert verdict.reason is None
    assert verdict.withheld == (path,)
    assert verdict.row.get(column) == stored


def test_a_missing_id_and_time_are_withheld() -> None:
    assert verdict_on(without("anonymousId")).withheld == ("anonymousId",)
    assert verdict_on(without("timestamp")).withheld == ("timestamp",)


def test_a_flag_of_the_next_release_is_withheld_without_its_name() -> None:
    assert verdict_on(spoil("properties.flags.NEW_FLAG", True)).withheld == ("properties.flags.*",)


# path, value, rule, path in the refusal
REFUSED: list[tuple[str, Any, str, str]] = [
    ("event", "mcp_tool_call", "not_allowed", "event"),
    ("event", None, "missing", "event"),
    ("messageId", "jane doe", "pattern", "messageId"),
    ("messageId", "x" * 100, "pattern", "messageId"),
    ("messageId", 5, "wrong_type", "messageId"),
    *[
        ("type", kind, "unsupported_type", "type")
        for kind in ("identify", "page", "screen", "group", "alias")
    ],
    ("type", "jane", "not_allowed", "type"),
    ("userId", "jane", "not_allowed", "userId"),
    ("integrations", {"jane@example.com": True}, "pii_email", "integrations"),
    ("context", {"ip": "10.0.0.1"}, "not_allowed", "context.ip"),
    ("context", {"traits": {}}, "not_allowed", "context.traits"),
    ("context", {"location": {"city": "x"}}, "not_allowed", "context.location"),
    ("context", {"device": {"id": "x"}}, "not_allowed", "context.device.id"),
    ("context", {"device": {"model": "jane@example.com"}}, "pii_email", "context.device"),
    ("context", {"page": {"url": "https://example.com/x"}}, "pii_url", "context.page"),
    ("context", {"jane": "x"}, "unknown_key", "context.*"),
    ("context", "x", "not_an_object", "context"),
    ("context", {"library": {"name": "x" * 1_100}}, "too_long", "context.library"),
    ("context", {"library": {"name": "/home/jane/x.py"}}, "pii_path", "context.library"),
    ("_metadata", {"jane@example.com": 1}, "pii_email", "_metadata"),
    ("requestId", "4111111111111111", "pii_card", "requestId"),
    ("sentAt", "jane@example.com", "pii_email", "sentAt"),
    ("properties", [], "not_an_object", "properties"),
    ("properties", None, "missing", "properties"),
    ("properties.source", "source-faker", "not_an_object", "properties.source"),
    ("properties.cache", ["x"], "not_an_object", "properties.cache"),
    ("properties.exception", "ValueError", "not_an_object", "properties.exception"),
    ("properties.session_id", None, "missing", "properties.session_id"),
    ("properties.session_id", SESSION.lower(), "pattern", "properties.session_id"),
    ("properties.session_id", SESSION + "\n", "pattern", "properties.session_id"),
    ("properties.session_id", 5, "wrong_type", "properties.session_id"),
    ("properties.state", "Succeeded", "not_allowed", "properties.state"),
    ("properties.state", None, "missing", "properties.state"),
    ("properties.application_hash", None, "missing", "properties.application_hash"),
    *[
        (f"properties.{field}", value, rule, f"properties.{field}")
        for field in (
            "application_hash",
            "source.config_hash",
            "cache.config_hash",
            "destination.config_hash",
        )
        for value, rule in (
            (HASH.upper(), "pattern"),
            (HASH[:-1], "pattern"),
            (HASH[:32], "pattern"),
            (HASH[:40], "pattern"),
            (HASH + "\n", "pattern"),
            ("0" * 64, "low_entropy"),
            ("deadbeef" * 8, "low_entropy"),
            ("main.py", "pattern"),
            (12, "wrong_type"),
        )
    ],
    ("properties.flags.CI", 1, "wrong_type", "properties.flags.CI"),
    ("properties.flags.CI", "true", "wrong_type", "properties.flags.CI"),
    ("properties.flags.NOTEBOOK_RUNTIME", "DATABRICKS", "not_allowed", "properties.flags.NOTEBOOK_RUNTIME"),
    ("properties.flags.NEW_FLAG", "yes", "unknown_key", "properties.flags.*"),
    ("properties.flags.jane", True, "unknown_key", "properties.flags.*"),
    ("properties.number_of_records", True, "wrong_type", "properties.number_of_records"),
    ("properties.number_of_records", 1.5, "wrong_type", "properties.number_of_records"),
    ("properties.number_of_records", "5", "wrong_type", "properties.number_of_records"),
    ("properties.number_of_records", -1, "out_of_range", "properties.number_of_records"),
    ("properties.number_of_records", 10**12 + 1, "out_of_range", "properties.number_of_records"),
    ("properties.number_of_records", 2**53, "out_of_range", "properties.number_of_records"),
    ("properties.number_of_records", 1e300, "out_of_range", "properties.number_of_records"),
    ("properties.ip", "10.0.0.1", "not_allowed", "properties.ip"),
    ("properties.jane@example_com", 1, "unknown_key", "properties.*"),
    ("properties.source.jane", 1, "unknown_key", "properties.source.*"),
    ("properties.destination.type", "venv", "unknown_key", "properties.destination.*"),
    ("traits", {"email": "jane"}, "not_allowed", "traits"),
    ("email", None, "unknown_key", "*"),
    ("anonymousId", "jane.doe@acme-corp.com", "pii_email", "anonymousId"),
    ("anonymousId", {"a": ["x", {"jane@example.com": 1}]}, "pii_email", "anonymousId"),
    ("timestamp", "jane@example.com", "pii_email", "timestamp"),
    ("properties.version", "1.2.3.4", "pii_ipv4", "properties.version"),
    ("properties.source.version", "415.555.2671", "pii_phone", "properties.source.version"),
    ("properties.version", "415.555.2671", "pii_phone", "properties.version"),
    ("properties.os", "CYGWIN_NT-10.20.30.40", "pii_ipv4", "properties.os"),
    ("properties.source.version", "10.0.3.17", "pii_ipv4", "properties.source.version"),
    ("properties.source.name", "source-4111111111111111", "pii_card", "properties.source.name"),
    ("properties.exception.message", "in /home/jane/x.py", "pii_path", "properties.exception.message"),
    ("properties.os", "Linux ip-10-0-3-17", "pii_hostname", "properties.os"),
]


@pytest.mark.parametrize(("path", "value", "rule", "named"), REFUSED)
def test_anything_else_is_refused_with_rule_and_schema_path(
    path: str, value: Any, rule: str, named: str
) -> None:
    verdict = verdict_on(spoil(path, value))
    assert (verdict.reason, verdict.path, verdict.malformed) == (rule, named, False)


@pytest.mark.parametrize(("path", "value", "rule", "named"), REFUSED)
def test_the_ledger_keeps_what_is_valid_and_nothing_of_the_rest(
    path: str, value: Any, rule: str, named: str
) -> None:
    refused = verdict_on(spoil(path, value))
    absent = verdict_on(spoil(path, None))
    assert filled(refused.row) == filled(absent.row)


def filled(row: dict[str, Any]) -> dict[str, Any]:
    """The columns of a row that hold something, less the message key, which is the whole event's."""
    return {name: value for name, value in row.items() if value is not None and name != "message_key"}


def test_a_withheld_field_and_a_refused_one_in_one_event() -> None:
    event = spoil("properties.application_hash", "main.py", spoil("properties.source.name", "source-acme"))
    verdict = verdict_on(event)
    assert (verdict.reason, verdict.path) == ("pattern", "properties.application_hash")
    assert verdict.row["source_name"] == "custom"
    assert verdict.row["application_hash"] is None


def legacy_event(**properties: Any) -> dict[str, Any]:
    """What PyAirbyte 0.2.0 sends."""
    return {
        "anonymousId": "airbyte-lib-user",
        "event": "sync",
        "properties": {
            "version": "0.2.0",
            "source": {"name": "source-faker", "type": "local_install", "version": None},
            "state": "started",
            "cache": {"type": "duckdb"},
            "ip": "0.0.0.0",
            "flags": {"CI": False},
            **properties,
        },
        "timestamp": "2026-11-23T02:10:02.288843",
    }


def test_the_oldest_releases_need_no_session() -> None:
    verdict = verdict_on(legacy_event())
    assert (verdict.reason, verdict.withheld) == (None, ())
    assert verdict.row["session_key"] is None
    assert verdict.row["anonymous_id"] is None
    assert verdict.row["source_executor_type"] == "local_install"


def test_a_session_may_be_missing_in_the_oldest_shape_only() -> None:
    assert verdict_on(legacy_event(application_hash=HASH)).path == "properties.session_id"
    assert verdict_on(legacy_event(ip=None)).path == "properties.session_id"


@pytest.mark.parametrize("event", [None, [], "text", 5, True])
def test_what_is_no_object_is_refused(event: object) -> None:
    verdict = verdict_on(event)
    assert (verdict.reason, verdict.malformed) == ("not_an_object", True)
    assert verdict.row["occurred_at"] == NO_TIME


def test_nesting_is_counted_from_the_event() -> None:
    assert verdict_on(spoil("properties.source.name", {"a": [1]})).reason is None  # five containers: withheld
    deep = verdict_on(spoil("properties.source.name", {"a": [[1]]}))
    assert (deep.reason, deep.malformed) == ("too_deep", True)


def test_a_number_is_read_as_a_version() -> None:
    assert verdict_on(spoil("properties.source.version", 1.5)).row["source_version"] == "1.5"
    assert verdict_on(spoil("properties.source.version", 7)).withheld == ("properties.source.version",)


def test_a_retry_has_the_same_identity_whatever_is_added_on_the_way() -> None:
    first = verdict_on(clean_event())
    later = Arrival(RECEIVED + dt.timedelta(hours=3), 1, b"key")
    retried = verdict_on(
        {**clean_event(), "sentAt": "2026-11-23T05:00:00Z", "writeKey": "x", "type": "track"}, later
    )
    assert (retried.id, retried.row["message_key"]) == (first.id, first.row["message_key"])


@pytest.mark.parametrize(
    "other",
    [
        spoil("timestamp", "2026-11-23T01:59:40.914713+00:00"),
        spoil("messageId", "one"),
        spoil("properties.number_of_records", 101),
        spoil("anonymousId", "123e4567-e89b-12d3-a456-426614174000"),
    ],
)
def test_another_event_has_another_identity(other: dict[str, Any]) -> None:
    assert verdict_on(other).row["message_key"] != verdict_on(clean_event()).row["message_key"]


def test_a_message_id_outweighs_the_content() -> None:
    first, second = (verdict_on(spoil("messageId", "m", clean_event(number_of_records=n))) for n in (1, 2))
    assert first.row["message_key"] == second.row["message_key"]
    elsewhere = judge(ParsedEvent(spoil("messageId", "m")), Arrival(RECEIVED, 2, b"other"), VERDICT_CONTEXT)
    assert elsewhere.row["message_key"] != first.row["message_key"]


def test_the_id_is_a_ulid_of_the_clients_time() -> None:
    identity = ULID.from_str(verdict_on(clean_event()).id)
    assert identity.datetime == dt.datetime(2026, 11, 23, 1, 59, 40, 914000, dt.UTC)


@given(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 4095),
    st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2099, 1, 1)),
)
def test_an_id_is_the_primary_key_as_python_ulid_reads_it(
    message_key: int, bucket: int, moment: dt.datetime
) -> None:
    moment = cut(moment.replace(tzinfo=dt.UTC))
    identity = event_id(moment, message_key, bucket)
    assert ulid_number(identity) == int(ULID.from_str(identity))
    reported = bytes(ULID.from_str(identity))
    assert int.from_bytes(reported[6:14], signed=True) == message_key
    assert int.from_bytes(reported[14:]) == bucket
    assert ULID.from_str(identity).datetime == moment


def test_a_clock_that_is_off_is_corrected_by_whole_hours_but_not_in_history() -> None:
    occurred = dt.datetime(2026, 11, 23, 1, 59, 40, 914000, dt.UTC)
    received = RECEIVED + dt.timedelta(hours=5)
    late = verdict_on(clean_event(), Arrival(received, 1, b"key"))
    assert late.row["corrected_at"] == occurred + dt.timedelta(hours=5)
    sent = verdict_on(spoil("sentAt", "2026-11-23T01:59:50Z"), Arrival(received, 1, b"key"))
    assert sent.row["corrected_at"] == occurred + dt.timedelta(hours=5)
    early = verdict_on(clean_event(), Arrival(RECEIVED - dt.timedelta(minutes=58), 1, b"key"))
    assert early.row["corrected_at"] == occurred - dt.timedelta(hours=1)
    assert (
        verdict_on(clean_event(), Arrival(RECEIVED.replace(year=2030), 1, b"key")).row["corrected_at"] is None
    )
    queued = verdict_on(clean_event(), Arrival(received, 1, b"key", sent_at="2026-11-23T06:59:58Z"))
    assert queued.row["corrected_at"] is None
    assert (
        verdict_on(clean_event(), Arrival(received, 1, b"key", historical=True)).row["corrected_at"] is None
    )


@given(st.integers(0, 999_999))
def test_times_are_cut_never_rounded(microsecond: int) -> None:
    verdict = verdict_on(spoil("timestamp", f"2026-11-23T01:59:40.{microsecond:06}Z"))
    assert verdict.row["occurred_at"].microsecond == microsecond // 1000 * 1000
    assert ULID.from_str(verdict.id).milliseconds % 1000 == microsecond // 1000


def test_a_first_run_is_an_id_minted_with_its_session() -> None:
    """Within 50 ms, before or after: of 36 captured ones only 25 had the same millisecond."""
    session = ULID.from_str(SESSION)
    for milliseconds in (-51, -50, -1, 0, 1, 50, 51):
        minted = ULID.from_timestamp((session.milliseconds + milliseconds) / 1000)
        found = verdict_on(spoil("anonymousId", str(minted))).row["first_run"]
        assert found == (abs(milliseconds) <= 50), milliseconds
    assert not verdict_on(spoil("anonymousId", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff")).row["first_run"]


def test_a_session_key_lasts_a_week() -> None:
    def key(day: str) -> int:
        found: int = verdict_on(spoil("timestamp", f"{day}T02:00:00Z")).row["session_key"]
        return found

    assert key("2026-11-23") == key("2026-11-29")  # minted on the 23rd at 01:59
    assert key("2026-11-23") != key("2026-11-30")


def test_a_clock_set_back_before_the_session_was_minted_splits_nothing() -> None:
    before = verdict_on(spoil("timestamp", "2026-11-23T01:58:00Z")).row["session_key"]
    assert before == verdict_on(spoil("timestamp", "2026-11-23T02:00:00Z")).row["session_key"]


def test_without_any_time_it_is_never_the_arrival() -> None:
    event = spoil("properties.session_id", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", without("timestamp"))
    assert verdict_on(event).row["occurred_at"] == NO_TIME
