"""Every request captured from released PyAirbyte versions, posted to the running service,
against figures worked out by hand.

All of them arrive in one run, long after their timestamps, so their clocks are judged to be off and all
attempts fall on today; whatever has no end yet is in flight.
"""

import csv
import io
import json
from collections import Counter
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from tests.conftest import Service
from tests.faults.ledger import is_rolled_up, wait_until
from tests.samples import CAPTURED_KEY, basic, captured_requests

# Of the scenario tracking_key_override: the service takes no key that is so short,
# so a longer one stands for it.
SHORT_KEY, OTHER_KEY = "acme-own-write-key", "acme-own-write-key-of-30-chars"


@pytest.fixture
def replies(make_service: Any) -> tuple[Service, list[tuple[dict[str, Any], httpx.Response]]]:
    service: Service = make_service({"TELEMETRY_WRITE_KEYS": f"{CAPTURED_KEY},{OTHER_KEY}"})
    with httpx.Client(base_url=service.url, timeout=10) as client:
        sent = [
            (
                request,
                client.post(
                    request["path"], content=json.dumps(request["body"]), headers=lengthen(request["headers"])
                ),
            )
            for request in captured_requests()
        ]
    return service, sent


def lengthen(headers: dict[str, str]) -> dict[str, str]:
    """The headers of a captured request, with the longer key in the place of the short one."""
    short = basic(SHORT_KEY)["Authorization"]
    return {
        name: basic(OTHER_KEY)["Authorization"] if value == short else value
        for name, value in headers.items()
    }


def query(service: Service, statement: str) -> list[tuple[Any, ...]]:
    engine = create_engine(service.database_url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(statement))]
    engine.dispose()
    return found


def report(service: Service, **parameters: str) -> dict[str, dict[str, Any]]:
    """The connectors report over HTTP, by connector."""
    reply = httpx.get(
        f"{service.url}/v1/reports/connectors",
        params=parameters,
        headers={"Authorization": f"Bearer {service.report_token}", "Cache-Control": "no-cache"},
        timeout=30,
    )
    assert reply.status_code == 200, reply.text
    return {row["connector"]: row for row in reply.json()["rows"]}


def figures(row: dict[str, Any]) -> tuple[Any, ...]:
    columns = ("units", "attempts", "failed", "abandoned", "in_flight", "affected_units")
    return tuple(row[column] for column in columns)


def test_captured_requests_end_to_end(
    replies: tuple[Service, list[tuple[dict[str, Any], httpx.Response]]],
) -> None:
    service, sent = replies

    # 415 track requests: names, ids, caches and classes of people's own are withheld, not refused, but for 7
    # that hold an e-mail address or a card number: 5 of custom_names (a check of each, a validation, a sync
    # with start and end), and the 2 checks of analytics_id_email. 8 batches of the MCP server, one
    # `mcp_tool_call` each: not ours, all rejected.
    assert Counter((request["path"], reply.status_code) for request, reply in sent) == {
        ("/v1/track", 200): 408,
        ("/v1/track", 422): 7,
        ("/v1/batch", 422): 8,
    }
    refusals = Counter[tuple[str, str]]()
    for request, reply in sent:
        body = reply.json()
        if request["path"] == "/v1/batch":
            assert [(item["outcome"], item["reason"], item["path"]) for item in body["results"]] == [
                ("rejected", "not_allowed", "event")
            ]
        elif reply.status_code == 422:
            refusals[body["rule"], body["path"]] += 1
        else:
            assert body["outcome"] == "accepted"
    assert refusals == {
        ("pii_email", "properties.source.name"): 4,
        ("pii_card", "properties.source.name"): 1,
        ("pii_email", "anonymousId"): 2,
    }

    # Stored: 247 syncs, 86 validations, 57 checks, 18 installs. No two captured requests are the same event.
    stored = query(service, "SELECT event::text, count(*) FROM events GROUP BY 1 ORDER BY 1")
    assert stored == [("check", 57), ("install", 18), ("sync", 247), ("validate", 86)]
    law = query(service, "SELECT outcome, sum(count)::int FROM outcomes GROUP BY 1 ORDER BY 1")
    assert law == [("accepted", 408), ("received", 423), ("rejected", 15)]

    # Releases 0.2.0 and 0.7.4 send the shared literal as id (6 + 5 events); 6 events of 0.2.0 have no
    # session. 15 more carry an id that is no ULID: analytics_id_numeric, _yaml_types,
    # analytics_file_null and the like.
    nameless = query(
        service,
        "SELECT count(*) FILTER (WHERE session_key IS NULL), count(*) FROM events WHERE anonymous_id IS NULL",
    )
    assert nameless == [(6, 11 + 15)]

    # No raw value: neither an id, nor a hash, nor somebody's own name.
    dump = json.dumps(
        query(service, "SELECT e::text FROM events AS e")
        + query(service, "SELECT r::text FROM rejections AS r")
    )
    for raw in (
        "acme",
        "jane",
        "4111111111111111",
        "JaneDoe",
        "AcmePayroll",
        "01M831Y67Z4Z89BH0DGHDMT1M9",
        "1ca1a99b5402",
    ):
        assert raw not in dump


def test_the_hand_checked_ranking(
    replies: tuple[Service, list[tuple[dict[str, Any], httpx.Response]]],
) -> None:
    service, _ = replies
    wait_until(lambda: is_rolled_up(service.database_url), "everything is rolled up")
    sources = report(service)

    # source-faker, all succeeded. 0.71.3: duckdb_success, all_streams, default_cache, postgres_success, and
    # two_syncs_one_session twice = 6; 0.30.0, 0.10.5, 0.7.6: duckdb, postgres, two_syncs twice = 4 each. 18
    # in all, by 4 users: one home, so one id, a release.
    assert figures(sources["source-faker"]) == (4, 18, 0, 0, 0, 0)
    # source_file_success; install_success_pypi syncs twice.
    assert figures(sources["source-file"]) == (1, 1, 0, 0, 0, 0)
    assert figures(sources["source-hardcoded-records"]) == (1, 2, 0, 0, 0, 0)

    # Everything local is `custom`. Attempts / failed / no end yet:
    # 0.71.3  40 / 11 / 5   (4 killed or interrupted, 1 source crash inside destination.write;
    #                       one more attempt succeeded under a name with an e-mail address:
    #                       refused, so it is nobody's)
    # 0.30.0  13 /  3 / 3   0.10.5  5 / 2 / 1   0.7.6  5 / 2 / 1   0.7.4  2 / 1 / 0 (the shared id: no user)
    custom = sources["custom"]
    assert figures(custom) == (4, 65, 19, 0, 10, 4)
    assert custom["failure_rate"] == pytest.approx(19 / 55)
    # Settled attempts a and failures f of the users: 35/11, 10/3, 4/2, 4/2; a is capped at 5.
    capped = (5 * 11 / 35 + 5 * 3 / 10 + 2 + 2) / (5 + 5 + 4 + 4)
    assert custom["capped_rate"] == pytest.approx(capped)
    assert custom["burden"] == pytest.approx(4 * capped)
    assert custom["rank"] is None  # not one connector: it stands last

    # destination_failure, in 0.71.3 and 0.30.0 alike: destination crashes (failed), ReadResult
    # refused (failed without a start and without a source), source crashes without a cache
    # (failed), with one (a start only).
    destinations = report(service, role="destination")
    assert figures(destinations["custom"]) == (2, 8, 6, 0, 2, 2)
    assert destinations["custom"]["failure_rate"] == 1.0
    assert destinations["custom"]["burden"] == 2.0
    # pgvector_destination and cli_benchmark: one sync each, failed.
    assert figures(destinations["destination-pgvector"]) == (1, 1, 1, 0, 0, 1)
    assert figures(destinations["destination-dev-null"]) == (1, 1, 1, 0, 0, 1)
    assert [row["rank"] for row in destinations.values()] == [1, 2, None]
    assert list(destinations)[-1] == "custom"

    # CI traffic is left out by default: ci_1 alone has a sync with the flag and a cache
    # (attempts of 0.71.3 and 0.30.0).
    with_ci = report(service, ci="include")
    assert with_ci["custom"]["attempts"] > custom["attempts"]

    # The command line and the CSV twin say the same.
    printed = service.run("report", "connectors", "--role", "destination", "--format", "json")
    rows = json.loads(printed.stdout)["rows"]
    assert {row["connector"]: figures(row) for row in rows} == {
        name: figures(row) for name, row in destinations.items()
    }
    table = service.run("report", "connectors", "--role", "destination").stdout
    assert "destination-pgvector" in table
    reply = httpx.get(
        f"{service.url}/v1/reports/connectors.csv?role=destination",
        headers={"Authorization": f"Bearer {service.report_token}"},
    )
    *_, last = csv.DictReader(io.StringIO(reply.text))
    assert (last["connector"], last["attempts"], last["failed"]) == ("custom", "8", "6")
