"""A month is published once it is over and settled, and stays as it was published."""

import datetime as dt
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, text

from app.public import publication
from tests.conftest import ServiceFactory
from tests.look import wait_until
from tests.reports.rows import Stored, pseudonym, sync
from tests.rollups.ledger import Ledger

STOP = threading.Event()
OCTOBER = dt.date(2026, 10, 1)
MIDDLE = dt.datetime(2026, 10, 15, 12, tzinfo=dt.UTC)
THIRD = dt.datetime(2026, 11, 3, 0, 30, tzinfo=dt.UTC)


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    ledger = Ledger(database_url)
    yield ledger
    ledger.close()


@pytest.fixture
def connection(ledger: Ledger) -> Iterator[Connection]:
    with ledger.engine.connect() as connection:
        yield connection


def used(source: str, users: int, failing: int, at: dt.datetime = MIDDLE, **fields: Any) -> list[Stored]:
    return [
        sync(
            "failed" if n < failing else "succeeded",
            at,
            unit=f"{source} {n}",
            session=f"{source} {n}",
            source=source,
            **fields,
        )
        for n in range(users)
    ]


def fill(ledger: Ledger) -> None:
    rows = used("source-faker", 42, 7) + used("source-file", 13, 2)
    for number in range(4):
        rows += used(f"source-rare-{number}", 4, 1)
    rows += used("source-ci", 30, 3, ci=True) + used("source-later", 30, 3, at=MIDDLE + dt.timedelta(days=30))
    ledger.write([rows])
    ledger.roll_up()


def figures(ledger: Ledger) -> list[tuple[object, ...]]:
    return ledger.query(
        "SELECT connector, units, attempts, failed, affected_units FROM public_figures ORDER BY units DESC, connector"
    )


def test_a_month_is_published_when_it_is_over_and_settled(ledger: Ledger, connection: Connection) -> None:
    fill(ledger)
    assert publication.publish_due(connection, STOP, now=THIRD - dt.timedelta(hours=1)) == []
    ledger.write([[sync("failed", MIDDLE, unit="late", session="late")]])
    assert publication.publish_due(connection, STOP, now=THIRD) == []  # its session waits to be rolled up
    ledger.roll_up()
    assert publication.publish_due(connection, STOP, now=THIRD) == [OCTOBER]
    assert figures(ledger) == [
        ("source-faker", 45, 45, 10, 10),  # 43 users, 8 of whom failed
        ("other", 15, 15, None, None),  # 4 connectors of 4 users each
        ("source-file", 15, 15, None, None),  # 13 users, 2 of whom failed
    ]


def test_a_published_month_never_changes(ledger: Ledger, connection: Connection) -> None:
    fill(ledger)
    publication.publish_due(connection, STOP, now=THIRD)
    before = figures(ledger)
    ledger.write([used("source-faker", 400, 400)])
    ledger.roll_up()
    assert publication.publish_due(connection, STOP, now=THIRD + dt.timedelta(days=3)) == []
    publication.publish(connection, OCTOBER, THIRD)
    assert figures(ledger) == before
    assert publication.publish_due(connection, STOP, now=THIRD + dt.timedelta(days=31)) == [
        dt.date(2026, 11, 1)
    ]


def test_denied_ids_are_left_out(ledger: Ledger, connection: Connection) -> None:
    fill(ledger)
    denied = [unit for n in range(40) if (unit := pseudonym(f"source-faker {n}"))]
    publication.publish_due(connection, STOP, denied, THIRD)
    assert "source-faker" not in {row[0] for row in figures(ledger)}


def test_anybody_may_read_them(make_service: ServiceFactory, ledger: Ledger) -> None:
    fill(ledger)
    service = make_service()
    with httpx.Client(base_url=service.url) as client:
        wait_until(
            lambda: client.get("/v1/public/connectors.json").json()["latest"] == "2026-10", "the month"
        )
        index = client.get("/v1/public/connectors.json")
        assert index.headers["access-control-allow-origin"] == "*"
        [month] = index.json()["months"]
        first = client.get(month["path"])
        assert first.status_code == 200
        assert "immutable" in first.headers["cache-control"]
        rows = {row["connector"]: row for row in first.json()["rows"]}
        assert rows.keys() == {"source-faker", "source-file", "other"}
        assert rows["source-file"]["failed"] == "<5"
        known = client.get(month["path"], headers={"If-None-Match": first.headers["etag"]})
        assert (known.status_code, known.content) == (304, b"")
        for path in ("2026-09", "2026-13", "jane", "2026-11"):
            missing = client.get(f"/v1/public/connectors/{path}.json")
            assert missing.status_code == 404
            assert missing.json()["code"] == "not_published"
            assert "jane" not in missing.text


def test_the_public_views_hold_nothing_else(ledger: Ledger, connection: Connection) -> None:
    fill(ledger)
    publication.publish_due(connection, STOP, now=THIRD)
    connection.execute(text("SET ROLE telemetry_public"))
    rows = connection.execute(
        text("SELECT connector, units FROM report.v1_public_connectors ORDER BY 1")
    ).all()
    assert [tuple(row) for row in rows] == [("other", 15), ("source-faker", 40), ("source-file", 15)]
    connection.rollback()


def test_a_month_waits_while_an_import_is_under_way(ledger: Ledger, connection: Connection) -> None:
    fill(ledger)
    late = [row | {"received_at": THIRD - dt.timedelta(hours=1)} for row in used("source-imported", 20, 2)]
    ledger.write([late])
    ledger.roll_up()
    assert publication.publish_due(connection, STOP, now=THIRD) == []
    assert publication.publish_due(connection, STOP, now=THIRD + dt.timedelta(days=1)) == [OCTOBER]
