"""No number that a stranger may send makes a rollup or a report fail: sums saturate."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.contract.wire import MOST_RECORDS
from app.reports.registry import REPORTS
from app.store.tables.rollups import COUNTS
from tests.reports.rows import NOON, Store, Stored, sync
from tests.reports.test_every_report import ask, fleet

MOST_OF_A_COUNT = 2**28 - 1
MOST_OF_A_DAY = 10**15


def check_every_report(store: Store) -> None:
    for name in REPORTS:
        assert ask(store, name).rows, name
    with store.reader.connect() as connection:
        views = (
            connection.execute(text("SELECT viewname FROM pg_views WHERE schemaname = 'report'"))
            .scalars()
            .all()
        )
        assert len(views) > 10
        for view in views:
            connection.execute(text(f"SELECT * FROM report.{view}")).all()


def test_one_session_with_the_largest_numbers_stops_nobody(store: Store) -> None:
    loud = [
        sync("succeeded", unit="loud", session="loud", number_of_records=MOST_RECORDS, exit_code=255)
        for _ in range(1_200)
    ]
    store.write([*fleet(), *loud, sync("failed", unit="quiet", session="quiet", source="source-quiet")])
    assert store.report()["source-quiet"]["failed"] == 1
    assert int(str(store.report()["source-faker"]["records"])) >= MOST_RECORDS
    check_every_report(store)


def test_days_that_are_full_to_the_brim_are_summed_up(store: Store) -> None:
    """As many rows as a window has, each with the largest sums that a row can hold."""
    store.write(
        [
            *fleet(),
            *(sync("failed", unit="loud", session=f"loud {n}", source_version=f"1.{n}.0") for n in range(60)),
        ]
    )
    most = ", ".join(f"{name} = {MOST_OF_A_COUNT}" for name in COUNTS)
    with store.writer.begin() as connection:
        connection.execute(text(f"UPDATE unit_days SET records = {MOST_OF_A_DAY}, {most}"))
        connection.execute(text(f"UPDATE attempts SET records = {MOST_RECORDS}, times = {MOST_OF_A_COUNT}"))
    check_every_report(store)
    more = [
        sync(
            "failed",
            unit="loud",
            session="loud again",
            source_version="1.1.0",
            number_of_records=MOST_RECORDS,
        )
    ]
    store.write(more)
    with store.reader.connect() as connection:
        for name in COUNTS:
            assert connection.execute(text(f"SELECT max({name}) FROM unit_days")).scalar() == MOST_OF_A_COUNT
    check_every_report(store)


numbers = st.sampled_from([None, 0, 1, MOST_RECORDS - 1, MOST_RECORDS])


@st.composite
def extreme(draw: st.DrawFn) -> Stored:
    fields: dict[str, Any] = {
        "number_of_records": draw(numbers),
        "exit_code": draw(st.sampled_from([None, -128, 0, 255])),
        "unit": draw(st.sampled_from(["ann", "bob", None])),
        "session": draw(st.sampled_from(["morning", "evening"])),
    }
    return sync(draw(st.sampled_from(["started", "succeeded", "failed", "canceled"])), NOON, **fields)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(extreme(), min_size=1, max_size=40))
def test_extreme_values_in_every_numeric_field(store: Store, rows: list[Stored]) -> None:
    store.clear()
    store.write(rows)
    table = store.ask({"lane": "rated"}, report="connectors")
    reported = sum(row["number_of_records"] or 0 for row in rows if row["state"] == "succeeded")
    for row in table.rows:
        assert 0 <= int(str(row["records"])) <= max(reported, 0) or pytest.fail("more records than were sent")
