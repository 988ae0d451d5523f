"""Ids cost nothing: what a rush of them does to a connector's place is marked, in
every format, and wakes nobody."""

import csv
import datetime as dt
import io
from collections.abc import Callable

import httpx
import orjson
import pytest
from rich.console import Console

from app.reports import alerts, render
from app.reports.model import Row, Table
from tests.conftest import ServiceFactory
from tests.look import Look, wait_until
from tests.reports.rows import DAY, HOUR, NOON, NOW, Store, Stored, sync, upgrade
from tests.samples import basic, clean_event


def users(
    number: int, failing: int, at: dt.datetime = NOON, name: str = "user", **fields: object
) -> list[Stored]:
    """One sync of source-file for each of so many users."""
    return [
        sync(
            "failed" if n < failing else "succeeded",
            at,
            unit=f"{name} {n}",
            session=f"{name} {n} {at}",
            source="source-file",
            **fields,  # type: ignore[arg-type]
        )
        for n in range(number)
    ]


def established(failing: int = 6) -> list[Stored]:
    """Users who came ten days ago and are still there."""
    return [*users(30, 0, NOON - 10 * DAY), *users(30, failing)]


def of_file(store: Store, users: str = "all") -> Row:
    return store.report(users=users)["source-file"]


def test_forty_ids_in_one_request_carry_the_mark(store: Store) -> None:
    store.write(established())
    before = of_file(store)
    store.write(users(40, 40, NOON + HOUR / 2, "sybil"))
    row = of_file(store)
    assert (before["surge"], row["surge"]) == (False, True)
    assert float(row["burden"] or 0) > 5 * float(before["burden"] or 0)
    settled = of_file(store, users="settled")
    assert {name: settled[name] for name in settled if name != "rank"} == {
        name: before[name] for name in before if name != "rank"
    }


def test_ids_that_succeed_carry_it_too(store: Store) -> None:
    """More users times nearly the same rate is a higher burden."""
    store.write([*established(30), *users(80, 0, NOON + HOUR / 2, "sybil")])
    assert of_file(store)["surge"] is True


UNMARKED: dict[str, Callable[[], list[Stored]]] = {
    "five in an hour": lambda: users(5, 5),
    "forty, one an hour": lambda: [
        row for n in range(40) for row in users(1, 1, NOON - n * HOUR, f"new {n}")
    ],
    "forty in an hour, and again a week later": lambda: users(40, 40, NOON - 8 * DAY) + users(40, 40),
    "containers of one setup": lambda: [
        sync("failed", unit=f"c {n}", session=f"c {n}", source="source-file", first_run=True)
        for n in range(40)
    ],
    "a rush that is less than half": lambda: [*established(30), *users(8, 8, NOON + HOUR / 2, "new")],
    "a rush at a connector without a failure": lambda: users(40, 0),
}


@pytest.mark.parametrize("what", UNMARKED)
def test_what_is_no_surge(store: Store, what: str) -> None:
    store.write(UNMARKED[what]())
    assert of_file(store)["surge"] is False


def test_a_crowd_is_marked_however_slowly_it_comes(store: Store) -> None:
    store.write([row for n in range(40) for row in users(1, 1, NOON - n * HOUR, f"new {n}", crowded=True)])
    assert of_file(store)["surge"] is True


def draw(table: Table) -> str:
    console = Console(width=160, file=io.StringIO(), color_system=None)
    console.print(render.to_text(table, 160))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_every_format_carries_the_mark(store: Store) -> None:
    store.write([*established(), *users(40, 40, NOON + HOUR / 2, "sybil")])
    for report, name in (
        ("connectors", "connector"),
        ("home", "item"),
        ("pairs", "source"),
        ("caches", "cache"),
        ("versions", "version"),
        ("platforms", "value"),
    ):
        table = store.ask({}, NOW, report)
        marked = [row for row in table.rows if row["surge"]]
        assert marked, report
        reported = orjson.loads(render.to_json(table))["rows"]
        assert [row[name] for row in reported if row["surge"]] == [row[name] for row in marked]
        lines = list(csv.DictReader(io.StringIO(render.to_csv(table))))
        assert [line[name] for line in lines if line["surge"] == "true"] == [row[name] for row in marked]
        assert f"{marked[0][name]} (surge)" in draw(table)
    [total] = [
        row for row in store.ask({"name": "source-file"}, NOW, "connector").rows if row["section"] == "total"
    ]
    assert total["surge"] is True


def test_alerts_ignore_what_is_marked_and_ids_that_are_not_settled(store: Store) -> None:
    store.write(upgrade(30, 15))
    with store.writer.connect() as connection:
        assert [row["connector"] for row in alerts.find(connection, (), NOW)] == ["source-faker"]
        store.write([row | {"source_name": "source-faker"} for row in users(200, 200, NOON, "sybil")])
        assert alerts.find(connection, (), NOW) == []


def send(service_url: str, key: str, path: str, users: int, hour: int = 2) -> None:
    """Post a batch of so many identities."""
    events = [
        {**clean_event(number_of_records=n), "anonymousId": f"01M831Y67Z4Z89BH0DGHD{hour:02}{n:03}"}
        for n in range(users)
    ]
    answer = httpx.post(f"{service_url}{path}", json={"batch": events}, headers=basic(key), timeout=30)
    assert answer.status_code == 200
    assert {result["outcome"] for result in answer.json()["results"]} == {"accepted"}


def test_a_live_batch_of_more_than_five_identities_is_a_crowd(
    make_service: ServiceFactory, database_url: str
) -> None:
    """As the events' rows and what is known of their users say; but not history, nor what a relay sends."""
    anybody, relay = "a-key-of-anybody-who-sends-0123456789", "a-key-of-a-relay-who-sends-0123456789"
    service = make_service({"TELEMETRY_WRITE_KEYS": f"{anybody}:ingest+import,{relay}:ingest+relay"})
    look = Look(database_url)
    sent = (
        ("/v1/batch", anybody, 5, False),
        ("/v1/batch", anybody, 6, True),
        ("/v1/batch", relay, 7, False),
        ("/v1/import", anybody, 8, False),
    )
    for hour, (path, key, number, is_crowd) in enumerate(sent, 10):
        send(service.url, key, path, number, hour)
        latest = "received_at = (SELECT max(received_at) FROM events)"
        assert look.rows(f"SELECT crowded, count(*) FROM events WHERE {latest} GROUP BY 1") == [
            (is_crowd, number)
        ]
    wait_until(lambda: look.value("SELECT count(*) FROM units") == 26, "the users are known")
    assert look.value("SELECT count(*) FROM units WHERE crowded") == 6
    look.engine.dispose()
