"""What SDKs put around an event costs it nothing, refuses it if it holds a
person's data, and leaves no trace."""

import datetime as dt
import gzip
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.contract.document import ParsedEvent
from app.contract.envelope import CONTEXT, DROPPED, PERSONAL_CONTEXT
from app.contract.vocabulary import shipped_connectors
from app.privacy import envelope
from app.privacy.envelope import find_refusal_of_batch, unwrap
from app.privacy.projection import Arrival
from app.privacy.pseudonyms import Pseudonyms
from app.privacy.verdict import Verdict, VerdictContext, judge
from app.privacy.versions import FORMS
from tests.look import Look, wait_until
from tests.samples import clean_event, spoil
from tests.sdks import MARKER, archived, bodies
from tests.service import Service

VERDICT_CONTEXT = VerdictContext(shipped_connectors(), Pseudonyms("k" * 32))
ARRIVAL = Arrival(dt.datetime(2026, 11, 23, 2, 0, tzinfo=dt.UTC), 1, b"key")
ARCHIVE = ARRIVAL._replace(historical=True)
OCCURRED_AT = dt.datetime(2026, 11, 23, 1, 59, 40, 914_000, dt.UTC)
WIRE = (Path(__file__).parents[2] / "docs" / "wire.md").read_text("utf-8")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def verdict_on(event: object, arrival: Arrival = ARRIVAL) -> Verdict:
    return judge(ParsedEvent(event), arrival, VERDICT_CONTEXT)


def dump(look: Look) -> str:
    """Every row of every table."""
    tables = look.rows(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
    )
    return json.dumps([look.rows(f'SELECT t::text FROM "{name}" AS t') for (name,) in tables])


@pytest.mark.parametrize("sdk", sorted(bodies()))
def test_the_events_of_an_sdk_are_accepted_and_its_envelope_is_gone(
    service: Service, client: httpx.Client, look: Look, sdk: str
) -> None:
    reply = client.post("/v1/batch", json=bodies()[sdk])
    assert reply.status_code == 200, reply.text
    results = reply.json()["results"]
    assert [(result["outcome"], result.get("withheld")) for result in results] == [("accepted", None)] * 2
    assert MARKER not in reply.text
    assert MARKER not in dump(look)
    assert look.value("SELECT count(*) FROM events") == 2
    assert look.rows("SELECT DISTINCT occurred_at FROM events") == [(OCCURRED_AT,)]
    assert MARKER not in client.get("/metrics").text
    assert MARKER not in service.output()


def test_envelopes_are_counted(service: Service, client: httpx.Client, look: Look) -> None:
    client.post(
        "/v1/batch", json={"batch": [clean_event(), spoil("channel", "server"), spoil("integrations", {})]}
    )
    client.post("/v1/track", json=spoil("context", {"library": {}}))
    client.post("/v1/track", json=spoil("sentAt", "2026-11-23T02:00:00Z"))
    query = "SELECT coalesce(sum(count), 0)::int FROM tallies WHERE kind = 'envelope' AND reason = ''"
    assert look.value(query) == 3
    assert look.value("SELECT count(*) FROM tallies WHERE kind = 'withheld'") == 0


@given(st.sampled_from([*DROPPED, "sentAt", "writeKey"]), json_values)
def test_an_accepted_event_is_what_it_would_be_without_its_envelope(key: str, value: Any) -> None:
    verdict = verdict_on(spoil(key, value))
    if not verdict.rejected and key != "sentAt":
        assert (verdict.row, verdict.id) == (verdict_on(clean_event()).row, verdict_on(clean_event()).id)
        assert verdict.dropped == (value is not None and key != "writeKey")


@given(st.dictionaries(st.text(max_size=9), json_values, max_size=4))
def test_whatever_stands_around_a_batch_refuses_all_of_it_or_nothing(around: dict[str, Any]) -> None:
    refusal = find_refusal_of_batch(around | {"batch": []})
    assert refusal is None or refusal[1].startswith("batch.")


AROUND_A_BATCH: list[tuple[dict[str, Any], str, str]] = [
    ({"messageId": "jane@example.com"}, "pii_email", "batch.*"),
    ({"jane@example.com": 1}, "pii_email", "batch.*"),
    ({"context": {"ip": "10.0.3.17"}}, "not_allowed", "batch.context.ip"),
    ({"context": {"device": {"id": "x"}}}, "not_allowed", "batch.context.device.id"),
    ({"context": {"x": "4111111111111111"}}, "pii_card", "batch.*"),
    ({"traits": {}}, "not_allowed", "batch.traits"),
    ({"userId": "x"}, "not_allowed", "batch.userId"),
    ({"sentAt": "jane@example.com"}, "pii_email", "batch.sentAt"),
    ({"a": "x" * 9_000}, "too_long", "batch.*"),
    ({"a": [[[[[[1]]]]]]}, "too_deep", "batch.*"),
]


@pytest.mark.parametrize(("around", "rule", "path"), AROUND_A_BATCH)
def test_a_hit_around_a_batch_refuses_every_item_and_stores_none(
    client: httpx.Client, look: Look, around: dict[str, Any], rule: str, path: str
) -> None:
    batch = [clean_event(number_of_records=n) for n in range(3)]
    reply = client.post("/v1/batch", json={"batch": batch} | around)
    assert reply.status_code == 422
    problem = reply.json()
    assert (problem["code"], problem["rule"], problem["path"]) == ("event_refused", rule, path)
    assert [(each["reason"], each["path"]) for each in problem["results"]] == [(rule, path)] * 3
    assert look.value("SELECT count(*) FROM events") == 0
    assert look.outcomes() == {"received": 3, "rejected": 3}
    assert "jane" not in reply.text + dump(look)


@pytest.mark.parametrize(
    ("around", "rule"),
    [('{"x": "jane@example.com", "x": 1}', "duplicate_key"), ("[NaN]", "not_a_number")],
)
def test_what_hides_around_a_batch_refuses_it(client: httpx.Client, around: str, rule: str) -> None:
    reply = client.post("/v1/batch", content=f'{{"batch": [{json.dumps(clean_event())}], "a": {around}}}')
    assert [(each["reason"], each["path"]) for each in reply.json()["results"]] == [(rule, "batch.*")]


def test_an_archived_event_is_the_one_that_came_live() -> None:
    line = archived(1)
    del line["messageId"]
    live = verdict_on(clean_event(number_of_records=1))
    assert verdict_on(line, ARCHIVE).row["message_key"] == live.row["message_key"]


def test_what_archives_add_is_not_read() -> None:
    verdict = verdict_on(archived(1), ARCHIVE)
    assert (verdict.reason, verdict.withheld, verdict.dropped) == (None, (), True)
    assert verdict_on(archived(1)).reason == "too_deep"
    live = spoil("integrations", {}, spoil("context.page", {}, archived(1)))
    assert verdict_on(live).path == "context.ip"
    for key, value in (("userId", "jane"), ("traits", {"email": "x"})):
        assert verdict_on(archived(1) | {key: value}, ARCHIVE).path == key
    assert verdict_on(archived(1) | {"email": "x"}, ARCHIVE).path == "*"
    assert verdict_on(archived(1) | {"requestId": "jane@example.com"}, ARCHIVE).path == "requestId"


@pytest.mark.parametrize("key", ["request_ip", "requestIp", "rudderId"])
def test_what_other_archives_add_is_not_read_either(key: str) -> None:
    line = archived(1) | {key: "10.0.3.17:443"}
    assert verdict_on(line, ARCHIVE).row == verdict_on(archived(1), ARCHIVE).row
    assert verdict_on(clean_event() | {key: "10.0.3.17"}).reason == "unknown_key"


def test_a_user_id_that_is_empty_is_none() -> None:
    for arrival in (ARRIVAL, ARCHIVE):
        assert verdict_on(clean_event() | {"userId": ""}, arrival) == verdict_on(clean_event(), arrival)
        names: list[Any] = ["jane", " ", 0, False, {}]
        for named in names:
            assert verdict_on(clean_event() | {"userId": named}, arrival).path == "userId"
            assert find_refusal_of_batch({"userId": named}) == ("not_allowed", "batch.userId")
    assert find_refusal_of_batch({"userId": ""}) is None


def test_an_empty_list_is_what_php_calls_an_empty_context() -> None:
    assert verdict_on(clean_event() | {"context": []}).reason is None
    assert verdict_on(clean_event() | {"context": [1]}).path == "context"


def test_archives_over_http(client: httpx.Client, look: Look) -> None:
    lines = [archived(n) for n in range(4)]
    around = {"context": {"ip": "10.0.3.17", "traits": {"email": "jane@example.com"}}}
    reply = client.post("/v1/import", json={"batch": lines} | around)
    assert [result["outcome"] for result in reply.json()["results"]] == ["accepted"] * 4
    stored = dump(look)
    for trace in (MARKER, "jane", "198.51.100", "Mozilla", "10.0.3.17"):
        assert trace not in stored + reply.text


def test_a_dropped_value_is_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[bytes] = []
    monkeypatch.setattr(envelope, "detect_json", searched.append)
    envelope.detect_form.cache_clear()
    for number in range(50):
        unwrap(
            spoil("context", {"library": {"name": "x", "version": "1"}})
            | {"receivedAt": f"2026-11-23T02:00:{number:02}Z"}
        )
    assert len(searched) == 1
    info = envelope.detect_form.cache_info()
    assert info.maxsize == envelope.REMEMBERED
    envelope.detect_form.cache_clear()


def test_the_document_names_every_key_and_who_sends_it() -> None:
    for key, sender in [*DROPPED.items(), *((f"context.{key}", sender) for key, sender in CONTEXT.items())]:
        assert f"| `{key}` | {sender} |" in WIRE


@pytest.mark.parametrize("key", sorted(FORMS))
def test_a_version_in_four_parts_is_no_address_where_programs_tell_theirs(key: str) -> None:
    reported = [
        {"version": "1.2.3.4"},
        {"appVersion": "v10.0.3.17-rc.1"},
        {"deeper": [{"build": "3.0.1.255"}]},
        "Chrome/113.0.0.0 Safari/537.36",
    ]
    address = [{"ip": "10.0.3.17"}, {"hostname": "10.0.3.17"}, ["10.0.3.17"], "10.0.3.17"]
    for values, rule in ((reported, None), (address, "pii_ipv4")):
        for value in values:
            around = {key: value} if key in DROPPED else {"context": {key: value}}
            path = key if key in DROPPED else f"context.{key}"
            assert verdict_on(clean_event() | around).reason == rule, value
            assert verdict_on(clean_event() | around).path == (rule and path)
            if key not in DROPPED:
                assert find_refusal_of_batch(around) == (rule and (rule, "batch.*")), value


@pytest.mark.parametrize("key", sorted({*DROPPED, *CONTEXT} - {"context"} - set(FORMS)))
def test_elsewhere_it_is_one(key: str) -> None:
    for value in ("10.0.3.17", {"version": "10.0.3.17"}):
        around = {key: value} if key in DROPPED else {"context": {key: value}}
        assert verdict_on(clean_event() | around).reason == "pii_ipv4"
        assert find_refusal_of_batch(around) == ("pii_ipv4", "batch.*")


@pytest.mark.parametrize("path", PERSONAL_CONTEXT)
def test_what_names_or_locates_is_refused_by_name(path: str) -> None:
    event = spoil(f"context.{path}", "x")
    assert (verdict_on(event).reason, verdict_on(event).path) == ("not_allowed", f"context.{path}")
    assert find_refusal_of_batch({"context": event["context"]}) == ("not_allowed", f"batch.context.{path}")
    assert f"`context.{path}`" in WIRE


def test_a_time_under_another_name_is_the_time() -> None:
    def sent(number: int, **more: Any) -> dict[str, Any]:
        event = clean_event() | {"originalTimestamp": f"2026-11-23T01:59:{number}Z", **more}
        del event["timestamp"]
        return event

    [first, second] = [verdict_on(sent(number)) for number in (40, 41)]
    assert first.row["occurred_at"] == dt.datetime(2026, 11, 23, 1, 59, 40, tzinfo=dt.UTC)
    assert first.row["message_key"] != second.row["message_key"]
    assert first.row["message_key"] == verdict_on(sent(40, sentAt="2026-11-23T02:00:00Z")).row["message_key"]
    assert verdict_on(sent(40, timestamp=None)).row["occurred_at"] == first.row["occurred_at"]
    assert verdict_on(sent(40, originalTimestamp="jane")).withheld == ("timestamp",)
    hit = verdict_on(sent(40, originalTimestamp="jane@example.com"))
    assert (hit.reason, hit.path) == ("pii_email", "originalTimestamp")
    both = clean_event() | {"originalTimestamp": "2026-11-23T01:00:00Z"}
    assert verdict_on(both).row == verdict_on(clean_event()).row


@pytest.mark.parametrize("type_", ["identify", "page", "screen", "group", "alias"])
def test_other_kinds_of_messages_are_told_so(client: httpx.Client, look: Look, type_: str) -> None:
    item = {"type": type_, "anonymousId": "x", "traits": {"email": "jane@example.com"}, "userId": "jane"}
    alone = client.post(f"/v1/{type_}", json=item)
    assert (alone.status_code, alone.json()["rule"], alone.json()["path"]) == (
        422,
        "unsupported_type",
        "type",
    )
    capital = item | {"type": type_.title()}
    beside = client.post("/v1/batch", json={"batch": [capital, clean_event()]})
    assert beside.status_code == 200
    assert [each.get("reason") for each in beside.json()["results"]] == ["unsupported_type", None]
    unauthenticated = httpx.post(f"{client.base_url}/v1/{type_}", json=item)
    assert unauthenticated.status_code == 401
    assert look.outcomes() == {"received": 3, "accepted": 1, "rejected": 2}


@pytest.mark.parametrize("path", ["//v1/track", "/v1/track/", "//v1//track//"])
def test_slashes_do_not_matter(client: httpx.Client, path: str) -> None:
    reply = httpx.post(
        f"{str(client.base_url).rstrip('/')}{path}", json=clean_event(), headers=client.headers
    )
    assert reply.json()["outcome"] == "accepted"


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/metrics", "/privacy", "/v1/schema", "/openapi.json", "//healthz"]
)
def test_head_is_get_without_its_body(client: httpx.Client, path: str) -> None:
    url = f"{str(client.base_url).rstrip('/')}{path}"
    head, get = httpx.head(url), httpx.get(url)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["content-type"] == get.headers["content-type"]


def test_a_post_to_nowhere_is_counted(client: httpx.Client, look: Look) -> None:
    for path in ("/v1/tracks", "/v1/t", "/v1"):
        assert client.post(path, json=clean_event()).status_code == 404
    query = "SELECT coalesce(sum(count), 0)::int FROM tallies WHERE kind = 'refused' AND reason = 'not_found'"
    wait_until(lambda: look.value(query) == 2, "requests to nowhere are counted")


def test_what_to_send_is_said(client: httpx.Client) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = client.post("/v1/batch", content=b"x", headers=headers)
    assert reply.status_code == 415
    assert "Content-Type: application/json" in reply.json()["detail"]


def test_the_old_name_of_gzip(client: httpx.Client) -> None:
    body = gzip.compress(json.dumps(clean_event()).encode())
    assert client.post("/v1/track", content=body, headers={"Content-Encoding": "x-gzip"}).status_code == 200
