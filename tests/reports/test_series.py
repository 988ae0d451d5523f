"""What reports have day by day: only for those who ask, the same sums as the rows'."""

from collections import defaultdict

import orjson
import pytest

from app.reports import render
from app.reports.registry import REPORTS
from tests.reports.rows import DAY, NOON, NOW, Store, sync, upgrade

WITH_SERIES = sorted(name for name, report in REPORTS.items() if report.series)


@pytest.mark.parametrize("name", WITH_SERIES)
def test_days_come_in_json_to_who_asks(store: Store, name: str) -> None:
    store.write(upgrade(12, 6))
    given = {"connector": "source-faker"} if name == "versions" else {}
    plain, asked = (store.ask(given | {"series": series}, NOW, name) for series in ("none", "day"))
    assert plain.rows == asked.rows
    assert "series" not in orjson.loads(render.to_json(plain))
    reported = orjson.loads(render.to_json(asked))["series"]
    assert reported["rows"]
    for row in reported["rows"]:
        assert list(row) == [column["name"] for column in reported["columns"]]
        assert row["day"] <= NOW.date().isoformat()
    assert render.identify(plain) != render.identify(asked)


def test_the_days_of_a_connector_add_up_to_its_row(store: Store) -> None:
    rows = [
        sync(state, NOON - number * DAY, unit=f"user {number}", session=f"{number} {state}")
        for number in range(8)
        for state in ("failed", "succeeded", "succeeded")[: number % 3 + 1]
    ]
    store.write(rows)
    table = store.ask({"series": "day"}, NOW)
    days = table.series or []
    [row] = table.rows
    assert sum(int(day["attempts"] or 0) for day in days) == row["attempts"]
    assert sum(int(day["failed"] or 0) for day in days) == row["failed"]
    last = days[-1]
    week = [day for day in days if str(day["day"]) > (NOON.date() - 7 * DAY).isoformat()]
    assert last["failure_rate_7d"] == pytest.approx(
        sum(int(day["failed"] or 0) for day in week) / sum(int(day["settled"] or 0) for day in week)
    )


def test_the_course_of_the_evidence_ends_with_the_evidence(store: Store) -> None:
    store.write(upgrade(30, 15))
    table = store.ask({"series": "day"}, NOW, "regressions")
    [row] = table.rows
    course = [day for day in table.series or [] if day["new_version"] == row["new_version"]]
    assert [day["day"] for day in course] == sorted(str(day["day"]) for day in course)
    assert len({day["day"] for day in course}) == len(course) > 1
    assert course[-1]["evidence"] == row["evidence"]
    assert row["tested"] == 1


def test_users_of_versions_by_day(store: Store) -> None:
    store.write(
        [
            sync("succeeded", NOON, unit="ann", session="a", version="0.70.0"),
            sync("succeeded", NOON, unit="ann", session="b", version="0.71.3"),
            sync("succeeded", NOON, unit="bob", session="c", version="0.71.3"),
            sync("succeeded", NOON - DAY, unit="bob", session="d", version="0.71.3"),
        ]
    )
    days = store.ask({"series": "day"}, NOW, "versions").series or []
    found = {(day["version"], day["day"]): (day["units"], day["all_units"]) for day in days}
    noon, before = NOON.date().isoformat(), (NOON - DAY).date().isoformat()
    assert found == {("0.70.0", noon): (1, 2), ("0.71.3", noon): (2, 2), ("0.71.3", before): (1, 1)}


def test_errors_by_day_and_the_connectors_of_each(store: Store) -> None:
    rows = [
        sync("failed", NOON - number % 2 * DAY, unit=f"user {number}", session=str(number), source=source)
        for number, source in enumerate(["source-faker"] * 3 + ["source-file"])
    ]
    store.write(rows)
    table = store.ask({"series": "day"}, NOW, "errors")
    by_day: dict[object, int] = defaultdict(int)
    for day in table.series or []:
        by_day[day["day"]] += int(day["failed"] or 0)
    assert sorted(by_day.values()) == [2, 2]
    assert table.rows[0]["top_connectors"] == "source-faker (3), source-file (1)"
