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


def settled(source: str, users: int) -> list[Stored]:
    """What users did more than a week earlier: they are there to stay."""
    return used(source, users, 0, MIDDLE - dt.timedelta(days=10))


def used(source: str, users: int, failing: int, at: dt.datetime = MIDDLE, **fields: Any) -> list[Stored]:
    return [
        sync(
            "failed" if n < failing else "succeeded",
            at,
            unit=f"{source} {n}",
            session=f"{source} {n} {at}",
            source=source,
            **fields,
        )
        for n in range(users)
    ]


def fill(ledger: Ledger) -> None:
    rows = used("source-faker", 42, 7) + used("source-file", 13, 2)
    rows += settled("source-faker", 42) + settled("source-file", 13)
    for number in range(4):
        rows += used(f"source-rare-{number}", 4, 1) + settled(f"source-rare-{number}", 4)
    rows += used("source-ci", 30, 3, ci=True) + used("source-later", 30, 3, at=MIDDLE + dt.timedelta(days=30))
    ledger.write([rows])
    ledger.roll_up()


def figures(ledger: Ledger) -> list[tuple[object, ...]]:
    return ledger.query(
        "SELECT connector, units, affected_units FROM public_figures ORDER BY units DESC, connector"
    )


def test_a_month_is_published_when_it_is_over_and_settled(ledger: Ledger, connection: Connection) -> None:
    fill(ledger)
    assert publication.publish_due(connection, STOP, now=THIRD - dt.timedelta(hours=1)) == []
    ledger.write([settled("source-late", 1)])
    ledger.roll_up()
    ledger.write([[sync("failed", MIDDLE, unit="source-late 0", session="late")]])
    assert publication.publish_due(connection, STOP, now=THIRD) == []  # its session waits to be rolled up
    ledger.roll_up()
    assert publication.publish_due(connection, STOP, now=THIRD) == [OCTOBER]
    assert figures(ledger) == [
        ("source-faker", 45, 10),  # 43 users, 8 of whom failed
        ("other", 15, None),  # 4 connectors of 4 users each, and one of one
        ("source-file", 15, None),  # 13 users, 2 of whom failed
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
        assert rows["source-file"] == {
            "role": "source",
            "connector": "source-file",
            "units": 15,
            "affected_units": "<5",
        }
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
    ledger.write([late, settled("source-imported", 20)])
    ledger.roll_up()
    assert publication.publish_due(connection, STOP, now=THIRD) == []
    assert publication.publish_due(connection, STOP, now=THIRD + dt.timedelta(days=1)) == [OCTOBER]


def arriving(rows: list[Stored], at: dt.datetime) -> list[Stored]:
    """Rows that came in then, whatever their clocks say: live ones, and history."""
    return [row | {"received_at": at, "imported": number % 2 == 0} for number, row in enumerate(rows)]


def test_nine_made_up_ids_tell_nothing_of_the_tenth(ledger: Ledger, connection: Connection) -> None:
    """Whoever makes up nine users of a connector in an afternoon, of long ago too, knows as
    little of the real one as before."""
    fill(ledger)
    ledger.write([used("source-secret", 1, 1) + settled("source-secret", 1)])
    ledger.roll_up()
    before = publication.figures(connection, OCTOBER, "source")
    connection.rollback()
    weeks_ago = [
        row | {"anonymous_id": pseudonym(f"sybil {n}")}
        for days in (0, 14)
        for n, row in enumerate(used("source-secret", 9, 0, MIDDLE - dt.timedelta(days=days)))
    ]
    ledger.write([arriving(weeks_ago, THIRD - dt.timedelta(days=3))])
    ledger.roll_up()
    assert ledger.query("SELECT count(*) FROM units WHERE NOT settled AND lasting") >= [(9,)]
    assert publication.figures(connection, OCTOBER, "source") == before
    assert "source-secret" not in {figure.connector for figure in before}


@pytest.mark.parametrize(("users", "is_settled"), [(400, False), (9, True)])
def test_late_events_of_a_few_or_of_ids_just_made_up_do_not_keep_a_month_back(
    ledger: Ledger, connection: Connection, users: int, is_settled: bool
) -> None:
    fill(ledger)
    late = arriving(used("source-loud", users, 0), THIRD - dt.timedelta(hours=1))
    ledger.write([late, settled("source-loud", users) if is_settled else late])
    ledger.roll_up()
    assert publication.publish_due(connection, STOP, now=THIRD) == [OCTOBER]


def test_nobody_keeps_a_month_back_beyond_the_tenth(ledger: Ledger, connection: Connection) -> None:
    """Settled users by the dozen whose late events never end, and marks that always wait."""
    fill(ledger)
    last_hour = THIRD + publication.PATIENCE - dt.timedelta(hours=1)
    ledger.write([arriving(used("source-loud", 30, 0), last_hour), settled("source-loud", 30)])
    ledger.roll_up()
    ledger.write([arriving(used("source-loud", 1, 0, MIDDLE + dt.timedelta(hours=1)), last_hour)])
    assert publication.publish_due(connection, STOP, now=last_hour) == []
    assert publication.publish_due(connection, STOP, now=last_hour + dt.timedelta(hours=1)) == [OCTOBER]
