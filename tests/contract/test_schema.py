"""What the published schema accepts is accepted, with nothing withheld; said by a JSON
Schema validator, not by us."""

import datetime as dt
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.contract.document import ParsedEvent, canonical, parse
from app.contract.vocabulary import shipped_connectors
from app.privacy.projection import Arrival
from app.privacy.pseudonyms import Pseudonyms
from app.privacy.verdict import Verdict, VerdictContext, judge
from app.public.documents import build_schema
from tests.samples import HASH, clean_event, spoil, without

VERDICT_CONTEXT = VerdictContext(shipped_connectors(), Pseudonyms("k" * 32))
ARRIVAL = Arrival(dt.datetime(2026, 11, 23, 2, 0, tzinfo=dt.UTC), 1, b"key")
SCHEMA = build_schema(shipped_connectors())
VALIDATOR = jsonschema_rs.validator_for(SCHEMA, validate_formats=True)
DATES = st.datetimes(dt.datetime(2022, 12, 31), dt.datetime(2100, 1, 1)).map(dt.datetime.isoformat)
OFFSETS = st.sampled_from(["Z", "z", "+00:00", "-08:30", "+14:00", "+23:59", ""])


def moments() -> st.SearchStrategy[Any]:
    """Times, leap seconds among them."""
    written = st.tuples(DATES, st.sampled_from("Tt"), OFFSETS).map(
        lambda parts: parts[0].replace("T", parts[1]) + parts[2]
    )
    return written | st.sampled_from(
        ["2026-12-31T23:59:60Z", "2026-06-30t15:59:60.5-08:00", "2026-02-30T00:00:00Z"]
    )


def numbers(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Integers around the bounds, and the same as decimals."""
    low, high = schema.get("minimum", -9), schema.get("maximum", 9)
    integers = st.integers(low - 1, high + 1) | st.sampled_from([low, high, 0])
    return integers | integers.map(float) | st.sampled_from([0.5, 1e3, -0.0])


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of the shape of a schema, most of them valid."""
    if "$ref" in schema:
        return values(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema and "properties" not in schema:
        return st.one_of(*map(values, schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of(*(values_of_type(kind, schema) for kind in kinds))


def values_of_type(kind: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of one of JSON's types."""
    if kind == "object":
        return objects(schema)
    if kind == "string":
        if schema.get("format") == "date-time":
            return moments()
        if "distinct" in schema.get("description", ""):
            return st.text("0123456789abcdef", min_size=64, max_size=64) | st.just(HASH)
        return (
            st.from_regex(schema["pattern"], fullmatch=False) if "pattern" in schema else st.text(max_size=8)
        )
    return {"integer": numbers(schema), "boolean": st.booleans(), "null": st.none()}[kind]


def objects(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with what is required, and any of the rest."""
    fields = {name: values(each) for name, each in schema["properties"].items()}
    required = {
        *schema.get("required", ()),
        *(each for case in schema.get("anyOf", [])[:1] for each in case["required"]),
    }
    return st.fixed_dictionaries(
        {name: fields[name] for name in required},
        optional={name: value for name, value in fields.items() if name not in required},
    )


def verdict_on(event: Any) -> Verdict:
    document = parse(canonical(event))
    return judge(ParsedEvent(document.value, document.clean), ARRIVAL, VERDICT_CONTEXT)


def check(event: dict[str, Any]) -> bool:
    """Whether the schema accepts an event; if so, we do."""
    valid = VALIDATOR.is_valid(event)
    if valid:
        verdict = verdict_on(event)
        assert (verdict.reason, verdict.path, verdict.withheld) == (None, None, ())
    return valid


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None)
@given(values(SCHEMA))
def test_what_the_schema_accepts_is_accepted(event: dict[str, Any]) -> None:
    check(event)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_one_field_at_a_time(data: st.DataObject) -> None:
    """In an event that is clean but for it, so that most of them reach the verdict."""
    name = data.draw(st.sampled_from(sorted(SCHEMA["properties"])))
    check(clean_event() | {name: data.draw(values(SCHEMA["properties"][name]))})
    field = data.draw(st.sampled_from(sorted(SCHEMA["$defs"]["Properties"]["properties"])))
    schema = SCHEMA["$defs"]["Properties"]["properties"][field]
    check(spoil(f"properties.{field}", data.draw(values(schema))))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("properties.number_of_records", 7.0),
        ("properties.number_of_records", 1e12),
        ("properties.exception", {"exit_code": -9.0}),
        ("properties.version", "1.0.0-rc.37"),
        ("properties.source.version", "2.0.0-rc.1"),
        ("timestamp", "2026-11-26T23:59:60Z"),
        ("timestamp", "2026-11-20t10:00:06z"),
        ("context", {"library": {"name": "@segment/analytics-node", "version": "3.1.0"}}),
        ("_metadata", {"nodeVersion": "v20.20.2", "jsRuntime": "node"}),
        ("integrations", {"All": True}),
        ("properties.ip", None),
    ],
)
def test_real_values_are_valid_and_accepted(path: str, value: Any) -> None:
    assert check(spoil(path, value))


@pytest.mark.parametrize(
    "event",
    [
        without("properties.session_id"),
        without("properties.state"),
        spoil("properties.application_hash", "0" * 64),
        spoil("properties.application_hash", "deadbeef" * 8),
        spoil("properties.number_of_records", 7.5),
        spoil("properties.number_of_records", 10**12 + 1),
        spoil("properties.source.version", "4917.1234.5678"),
        spoil("timestamp", "2022-12-31T23:59:59Z"),
        spoil("traits", {"email": "jane@example.com"}),
        spoil("userId", "jane"),
        spoil("context", {"ip": "10.0.0.1"}),
    ],
)
def test_what_is_refused_or_withheld_is_invalid(event: dict[str, Any]) -> None:
    verdict = verdict_on(event)
    assert verdict.rejected or verdict.withheld
    assert not VALIDATOR.is_valid(event)


def test_captured_shape_of_the_oldest_releases_is_valid() -> None:
    event = {
        "anonymousId": "airbyte-lib-user",
        "event": "sync",
        "timestamp": "2026-11-23T02:10:02.288843Z",
        "properties": {"state": "started", "ip": "0.0.0.0", "flags": {"CI": False}},
    }
    assert check(event)
