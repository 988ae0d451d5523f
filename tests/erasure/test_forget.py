"""Whoever holds an anonymous id can have everything under it deleted; nothing is stored under it any more."""

import asyncio
import datetime as dt
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine

from app.contract.document import ParsedEvent
from app.contract.vocabulary import shipped_connectors
from app.erasure import forget
from app.erasure.sweeps import Sweeps
from app.privacy.projection import Arrival
from app.privacy.pseudonyms import Pseudonyms
from app.privacy.verdict import VerdictContext, judge
from app.store.database import open_write_engine
from app.store.events import Batch, insert
from app.store.journal import Journal
from app.web.throttle import Rate, Throttle
from tests.conftest import Service, ServiceFactory
from tests.look import Look, wait_until
from tests.samples import USER, clean_event, spoil

OTHER = "01M831Y67Z4Z89BH0DGHDMT1MA"
UUID = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
PSEUDONYMS = Pseudonyms("a hash key of thirty-two characters or more")
INSERTED = "SELECT CAST(sum(n_tup_ins) AS bigint) FROM pg_stat_user_tables WHERE relname LIKE 'events%'"
VERDICT_CONTEXT = VerdictContext(shipped_connectors(), PSEUDONYMS)
NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


def event_of(user: str, **properties: Any) -> dict[str, Any]:
    return {**clean_event(**properties), "anonymousId": user}


def post(client: httpx.Client, anonymous_id: object) -> httpx.Response:
    return client.post("/v1/forget", json={"anonymousId": anonymous_id}, headers={"Authorization": ""})


def wait_for(client: httpx.Client, receipt: str) -> None:
    wait_until(
        lambda: client.get(f"/v1/receipts/{receipt}").json()["status"] == "done", "the receipt stays pending"
    )


def test_everything_under_the_id_is_deleted_and_nothing_else(client: httpx.Client, look: Look) -> None:
    for user in (USER, OTHER, UUID):
        for number in range(3):
            assert client.post("/v1/track", json=event_of(user, number_of_records=number)).status_code == 200
        refused = spoil("properties.application_hash", "short", event_of(user))
        assert client.post("/v1/track", json=refused).status_code == 422
    wait_for(client, post(client, USER).json()["id"])
    assert look.value("SELECT count(*) FROM events") == 6
    assert look.value("SELECT count(*) FROM rejections") == 2
    assert look.value("SELECT count(DISTINCT anonymous_id) FROM events") == 2
    wait_for(client, post(client, UUID).json()["id"])
    assert look.value("SELECT count(*) FROM events") == 3
    for table in ("unit_days", "units"):
        wait_until(
            lambda table=table: look.value(f"SELECT count(DISTINCT unit) FROM {table}") == 1,  # type: ignore[misc]
            f"{table} holds others than the one that stays",
        )
    sessions = look.rows(
        "SELECT bucket, session_key FROM events UNION SELECT bucket, session_key FROM rejections"
    )
    assert sorted(look.rows("SELECT DISTINCT bucket, session_key FROM attempts")) == sorted(sessions)
    look.check_law()


def test_later_events_are_counted_and_not_stored(client: httpx.Client, look: Look) -> None:
    post(client, USER)
    reply = client.post("/v1/track", json=clean_event())
    assert (reply.status_code, reply.json()["outcome"]) == (200, "forgotten")
    refused = client.post("/v1/track", json=spoil("properties.application_hash", "short"))
    assert (refused.status_code, refused.json()["outcome"]) == (200, "forgotten")
    assert "reason" not in refused.json()
    batch = client.post("/v1/batch", json={"batch": [clean_event(), event_of(OTHER), spoil("state", "x")]})
    assert [result["outcome"] for result in batch.json()["results"]] == ["forgotten", "accepted", "forgotten"]
    assert look.value("SELECT count(*) FROM events") == 1
    assert look.value("SELECT count(*) FROM rejections") == 0
    assert look.outcomes() == {"received": 5, "accepted": 1, "forgotten": 4}


def test_the_answer_is_the_same_whether_or_not_the_id_exists(client: httpx.Client) -> None:
    client.post("/v1/track", json=clean_event())
    known, unknown = post(client, USER), post(client, OTHER)
    assert known.status_code == unknown.status_code == 202
    assert known.json().keys() == unknown.json().keys() == {"id", "status", "url"}
    assert known.json()["status"] == unknown.json()["status"] == "pending"
    assert {name for name in known.headers if name != "date"} == {
        name for name in unknown.headers if name != "date"
    }


def test_no_row_holds_the_id_or_the_receipt(client: httpx.Client, look: Look) -> None:
    receipt = post(client, USER).json()["id"]
    stored = look.rows("SELECT bucket, encode(int8send(anonymous_id), 'hex') FROM tombstones")
    assert len(stored) == 1
    assert USER not in str(stored)
    assert receipt not in str(look.rows("SELECT t::text FROM tombstones AS t"))


@pytest.mark.parametrize(
    "refused",
    ["airbyte-lib-user", "", USER.lower(), UUID.upper(), f"{USER}\n", "jane@example.com", None, 7, [], {}],
)
def test_only_an_id_of_one_installation_can_be_forgotten(
    client: httpx.Client, look: Look, refused: Any
) -> None:
    reply = post(client, refused)
    assert reply.status_code == 422
    assert "jane" not in reply.text
    assert look.value("SELECT count(*) FROM tombstones") == 0


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (b'{"anonymousId": "%s", "anonymousId": "%s"}' % (USER.encode(), OTHER.encode()), {}, 400),
        (b'{"anonymousId": "%s", "email": "jane@example.com"}' % USER.encode(), {}, 422),
        (b'{"anonymousId": "%s"}' % (b"x" * 2000), {}, 413),
        (b"anonymousId=x", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_a_body_of_another_form_is_refused_without_an_echo(
    client: httpx.Client, look: Look, body: bytes, headers: dict[str, str], status: int
) -> None:
    reply = client.post("/v1/forget", content=body, headers=headers)
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert "jane" not in reply.text
    assert USER not in reply.text
    assert look.value("SELECT count(*) FROM tombstones") == 0


def test_receipts_are_not_made_up(client: httpx.Client) -> None:
    receipt = post(client, USER).json()["id"]
    forged = receipt[:-1] + ("0" if receipt[-1] != "0" else "1")
    for wrong in (forged, USER, "x", "a" * 100):
        assert client.get(f"/v1/receipts/{wrong}").status_code in (400, 404)
    assert client.get(f"/v1/receipts/{receipt}").status_code == 200


def test_who_asks_too_often_is_told_when_to_come_back(make_service: ServiceFactory) -> None:
    service = make_service()
    with httpx.Client(base_url=service.url) as client:
        replies = [client.post("/v1/forget", json={"anonymousId": UUID}) for _ in range(200)]
    statuses = {reply.status_code for reply in replies}
    assert statuses == {202, 429}
    refused = next(reply for reply in replies if reply.status_code == 429)
    assert 1 <= int(refused.headers["retry-after"]) <= 300


def test_a_reserve_is_for_whoever_has_used_up_its_own_and_leaves_something_to_others() -> None:
    throttle = Throttle(Rate(2, 0.5), Rate(10, 1), lambda: 0.0, reserve=Rate(3, 1))
    assert [throttle.admit("10.0.0.1") for _ in range(7)] == [None] * 5 + [2, 2]
    assert [throttle.admit("10.0.0.2") for _ in range(3)] == [None, None, 2]


def test_buckets_fill_again_and_count_each_address_apart() -> None:
    now = [0.0]
    throttle = Throttle(Rate(2, 0.5), Rate(5, 1), lambda: now[0])
    assert [throttle.admit("10.0.0.1") for _ in range(3)] == [None, None, 2]
    assert throttle.admit("10.0.0.2") is None
    now[0] = 2.0
    assert throttle.admit("10.0.0.1") is None
    assert [throttle.admit(f"2001:db8::{n:x}") for n in range(1, 4)] == [
        None,
        None,
        2,
    ]  # one network, one bucket
    assert throttle.admit("10.0.0.3") is None
    assert throttle.admit("10.0.0.4") == 1  # all together
    now[0] = 4000.0
    assert throttle.admit("10.0.0.1") is None
    assert len(throttle.buckets) == 2  # the salt was thrown away, and what was kept under it


def test_the_command_forgets_too(service: Service, client: httpx.Client, look: Look) -> None:
    client.post("/v1/track", json=clean_event())
    done = service.run("forget", USER)
    assert done.returncode == 0, done.stderr
    assert look.value("SELECT count(*) FROM events") == 0
    assert client.post("/v1/track", json=clean_event()).json()["outcome"] == "forgotten"
    refused = service.run("forget", "airbyte-lib-user")
    assert refused.returncode == 1
    assert "airbyte-lib-user" not in refused.stdout


def write(url: str, event: dict[str, Any]) -> list[str]:
    """Insert one event as a writer does, and as the spool is drained."""

    async def run() -> list[str]:
        engine = open_write_engine(url)
        async with engine.connect() as connection:
            outcomes = await insert(
                connection, Batch([judge(ParsedEvent(event), Arrival(NOW, 1, b"key"), VERDICT_CONTEXT)])
            )
        await engine.dispose()
        return outcomes

    return asyncio.run(run())


@pytest.mark.one_server  # a reference table is not to be hidden from writers
def test_what_was_on_its_way_is_met_by_a_later_sweep(bare: Look, database_url: str, tmp_path: Path) -> None:
    engine = create_engine(database_url)
    stop = threading.Event()
    assert write(database_url, clean_event()) == ["accepted"]
    sweeps = Sweeps(clock=lambda: 0.0)
    with engine.connect() as connection:
        journal = Journal(tmp_path, PSEUDONYMS)
        receipt = forget.request(connection, PSEUDONYMS, USER, NOW, journal)
        requested = PSEUDONYMS.receipt_ms(receipt)
        assert requested is not None
        assert connection.execute(forget.progress(requested)).scalar_one() is False
        assert sweeps.sweep(connection, stop, NOW) == 1
        assert connection.execute(forget.progress(requested)).scalar_one() is True
        connection.rollback()
        # A statement that began before the tombstone was committed ends now.
        bare.run("ALTER TABLE tombstones RENAME TO hidden; CREATE TABLE tombstones (LIKE hidden)")
        before = bare.value(INSERTED)
        assert write(database_url, clean_event(number_of_records=1)) == ["accepted"]
        wait_until(lambda: bare.value(INSERTED) != before, "Postgres never counts the row")
        bare.run("DROP TABLE tombstones; ALTER TABLE hidden RENAME TO tombstones")
        assert sweeps.sweep(connection, stop, NOW) == 0
        assert sweeps.sweep(connection, stop, NOW + dt.timedelta(minutes=1)) == 1
        assert sweeps.sweep(connection, stop, NOW + dt.timedelta(hours=1)) == 0
        assert bare.rows("SELECT sweeps FROM tombstones") == [(3,)]
        forget.request(connection, PSEUDONYMS, USER, NOW + dt.timedelta(hours=2), journal)
        assert bare.rows("SELECT sweeps FROM tombstones") == [(0,)]
    assert write(database_url, clean_event(number_of_records=2)) == ["forgotten"]
    engine.dispose()
