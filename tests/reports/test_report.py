"""The report as a whole: its columns, filters, order and limit."""

import datetime as dt

import pytest
from sqlalchemy import text

from app.reports.definitions.connectors import CONNECTORS
from app.reports.model import Row
from app.reports.parsing import parse
from app.reports.ranking import add_change
from app.reports.registry import REPORTS
from app.reports.run import bind, reading, statement
from tests.reports.rows import NOW, Store, Stored, pseudonym, refuse, source_of, sync

PROMISED = [
    "connector",
    "role",
    "units",
    "attempts",
    "failed",
    "canceled",
    "abandoned",
    "in_flight",
    "failure_rate",
    "failure_rate_upper",
    "affected_units",
    "capped_rate",
    "rate",
    "rate_low",
    "rate_high",
    "burden",
    "rank",
]


def fail(source: str, users: int, failures: int = 0, **fields: object) -> list[Stored]:
    """One attempt for each of so many users, of which so many failed."""
    return [
        sync(
            "failed" if number < failures else "succeeded",
            unit=f"{source} {number}",
            session=f"{source} {number}",
            source=source,
            **fields,  # type: ignore[arg-type]
        )
        for number in range(users)
    ]


def test_rows_carry_every_column_of_the_registry_in_its_order(store: Store) -> None:
    store.write(fail("source-faker", 3))
    table = store.table()
    assert [list(row) for row in table.rows] == [[column.name for column in CONNECTORS.columns]]
    assert set(PROMISED) <= {column.name for column in CONNECTORS.columns}


def test_values_are_of_the_type_that_the_registry_names(store: Store) -> None:
    month_ago = NOW - dt.timedelta(days=30)
    store.write([*fail("source-faker", 12, 3), *fail("source-faker", 12, 3, at=month_ago)])
    kinds = {"text": str, "integer": int, "number": float, "boolean": bool}
    (row,) = store.table().rows
    untimed = {"duration_p50", "duration_p90"}  # these succeed without a start
    assert {name for name, value in row.items() if value is None} == untimed
    assert {
        column.name: type(row[column.name]) for column in CONNECTORS.columns if column.name not in untimed
    } == {column.name: kinds[column.type] for column in CONNECTORS.columns if column.name not in untimed}


def test_an_empty_database_has_an_empty_report(store: Store) -> None:
    assert store.table().rows == []


def test_ten_users_are_needed_for_an_interval(store: Store) -> None:
    store.write([*fail("source-file", 9, 3), *fail("source-faker", 10, 3)])
    rows = store.report()
    few, enough = rows["source-file"], rows["source-faker"]
    assert (few["low_data"], few["rate"], few["rate_low"], few["rate_high"]) == (True, None, None, None)
    low, rate, high = (enough[name] for name in ("rate_low", "rate", "rate_high"))
    assert isinstance(low, float)
    assert isinstance(rate, float)
    assert isinstance(high, float)
    assert 0 < low < rate < 0.3 < high < 1
    assert enough["low_data"] is False


def test_the_prior_is_fitted_to_the_fleet_whatever_the_limit(store: Store) -> None:
    """A connector without a failure is not taken for perfect, the less so the worse its fleet is."""
    store.write(fail("source-fine", 12))
    (alone,) = store.table().rows
    store.write([row for number in range(30) for row in fail(f"source-{number:02}", 20, 10)])
    (among,) = store.table(sort="rate", limit="31").rows[-1:]
    assert among["connector"] == "source-fine"
    assert isinstance(alone["rate"], float)
    assert isinstance(among["rate"], float)
    assert alone["rate"] < 0.06
    assert among["rate"] > 0.2
    assert store.report(sort="units", limit="1")["source-00"]["rate"] == store.report()["source-00"]["rate"]


ORDERS = {
    # failures, users: steady 5/50, small 4/4, large 8/200, fine 0/60, wrong configuration 30/30
    "burden": ["source-large", "source-steady", "source-small", "source-fine", "source-config"],
    "affected_units": ["source-large", "source-steady", "source-small", "source-fine", "source-config"],
    "failures": ["source-config", "source-large", "source-steady", "source-small", "source-fine"],
    "failure_rate": ["source-small", "source-config", "source-steady", "source-large", "source-fine"],
    "attempts": ["source-large", "source-fine", "source-steady", "source-config", "source-small"],
    "units": ["source-large", "source-fine", "source-steady", "source-config", "source-small"],
    # Of two without a failure the smaller may be the worse; too few users for a rate stand last.
    "rate": ["source-steady", "source-large", "source-config", "source-fine", "source-small"],
}


def test_sort_and_rank(store: Store) -> None:
    config = [
        sync("failed", unit=f"c{n}", source="source-config", error="PyAirbyteInputError") for n in range(30)
    ]
    others = [
        ("source-steady", 50, 5),
        ("source-small", 4, 4),
        ("source-large", 200, 8),
        ("source-fine", 60, 0),
    ]
    store.write([*config, *(row for name, users, failures in others for row in fail(name, users, failures))])
    for sort, order in ORDERS.items():
        rows = store.table(sort=sort).rows
        assert [row["connector"] for row in rows] == order, sort
        assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
        cut = store.table(sort=sort, limit="2")
        assert (cut.rows, cut.total) == (rows[:2], 5)


def test_ties_stand_by_name(store: Store) -> None:
    store.write([row for name in ("source-b", "source-c", "source-a") for row in fail(name, 3, 1)])
    assert [row["connector"] for row in store.table().rows] == ["source-a", "source-b", "source-c"]


def test_ci(store: Store) -> None:
    store.write([*fail("source-a", 3), *fail("source-b", 2, ci=True), *fail("source-c", 1, ci=False)])
    assert store.report().keys() == store.report(ci="exclude").keys() == {"source-a", "source-c"}
    assert store.report(ci="only").keys() == {"source-b"}
    assert store.report(ci="include").keys() == {"source-a", "source-b", "source-c"}


PRERELEASES = (
    "1.0.0rc37",
    "1.0.0a1",
    "0.9.0b2",
    "1.0.0rc34.dev",
    "0.71.2.dev",
    "0.54.1.post.dev+local",
    "0.0.0",
)
RELEASES = ("0.71.3", "0.54.1.post", "10.20.30")


def test_prerelease(store: Store) -> None:
    for version in (*PRERELEASES, *RELEASES, None):
        accepted, refused = (sync("failed", source=source_of(version), version=version) for _ in range(2))
        store.write([accepted, refuse(refused)])
    assert store.report().keys() == {source_of(version) for version in RELEASES}
    assert store.report(prerelease="only").keys() == {source_of(version) for version in PRERELEASES}
    assert {row["attempts"] for row in store.report(prerelease="include").values()} == {2}
    assert len(store.report(prerelease="include")) == len(PRERELEASES) + len(RELEASES) + 1


def test_version(store: Store) -> None:
    store.write(
        [*fail("source-a", 1, version="1.0.0rc37"), *fail("source-b", 1), *fail("source-c", 1, version=None)]
    )
    for spelling in ("1.0.0rc37", "1.0.0-rc.37", "1.0.0-rc37", "1.0.0.preview.37"):
        assert store.report(version=spelling).keys() == {"source-a"}
    assert store.report(version="0.71.3").keys() == {"source-b"}
    assert store.report(version="1.0.0rc37", prerelease="exclude") == {}


def test_role(store: Store) -> None:
    store.write(
        [
            *fail("source-a", 2, 1, destination="destination-csv"),
            *fail("source-b", 3, 1, destination="destination-csv"),
            *fail("source-b", 1),
        ]
    )
    sources, destinations = store.report(), store.report(role="destination")
    assert {name: row["attempts"] for name, row in sources.items()} == {"source-a": 2, "source-b": 4}
    assert {name: row["attempts"] for name, row in destinations.items()} == {"destination-csv": 5}
    assert {row["role"] for row in destinations.values()} == {"destination"}
    assert {name: row["attempts"] for name, row in store.report(lane="cache").items()} == {"source-b": 1}
    assert store.report(lane="cache", role="destination") == {}


def test_window_and_until(store: Store) -> None:
    midnight = NOW.replace(hour=0)
    tick = dt.timedelta(microseconds=1)
    for day in range(40):
        store.write([sync("failed", midnight - dt.timedelta(days=day), session=f"day {day}")])
    store.write([sync("failed", midnight - tick, session="yesterday")])
    attempts = {
        window: store.report(window=window)["source-faker"]["attempts"]
        for window in ("1d", "2d", "7d", "28d")
    }
    assert attempts == {"1d": 1, "2d": 3, "7d": 8, "28d": 29}
    assert store.report(until="2026-11-22", window="1d")["source-faker"]["attempts"] == 2
    assert store.report(until="2026-10-01", window="1d") == {}


def test_no_report_reads_an_event(store: Store) -> None:
    for report in REPORTS.values():
        for stages in report.queries.values():
            asked = parse(report, dict.fromkeys(report.required, "source-faker").items(), NOW)
            parameters = bind(report, asked, NOW)
            with reading(store.reader) as connection:
                plan = (
                    connection.execute(text(f"EXPLAIN {statement(stages).text}"), parameters).scalars().all()
                )
            assert plan
            assert not [line for line in plan if " on events" in line or " on rejections" in line], (
                report.name
            )


def test_change_against_the_window_before(store: Store) -> None:
    before = NOW - dt.timedelta(days=35)
    store.write([*fail("source-a", 200, 10, at=before), *fail("source-a", 200, 60)])
    store.write([*fail("source-b", 40, 10, at=before), *fail("source-b", 40, 10), *fail("source-c", 40, 10)])
    rows = store.report(sort="regression")
    risen, steady, fresh = rows["source-a"], rows["source-b"], rows["source-c"]
    assert list(rows) == ["source-a", "source-b", "source-c"]
    assert (
        0.15
        < float(risen["delta_low"] or 0)
        < float(risen["delta"] or 0)
        < 0.26
        < float(risen["delta_high"] or 0)
    )
    assert float(steady["delta_low"] or 0) < 0 < float(steady["delta_high"] or 0)
    assert (fresh["delta"], fresh["delta_low"], fresh["delta_high"]) == (None, None, None)


def test_the_change_is_bounded_by_the_distances_of_both_ends() -> None:
    """MOVER: (0.30; 0.20, 0.45) - (0.10; 0.06, 0.14): 0.2 - (0.1^2 + 0.04^2)^0.5,
    0.2 + (0.15^2 + 0.04^2)^0.5."""
    row: Row = {"rate": 0.30, "rate_low": 0.20, "rate_high": 0.45}
    add_change(row, {"rate": 0.10, "rate_low": 0.06, "rate_high": 0.14})
    assert row["delta"] == pytest.approx(0.2)
    assert row["delta_low"] == pytest.approx(0.2 - (0.01 + 0.0016) ** 0.5)
    assert row["delta_high"] == pytest.approx(0.2 + (0.0225 + 0.0016) ** 0.5)


def test_connector_keeps_the_syncs_in_which_it_took_part(store: Store) -> None:
    store.write(
        [*fail("source-a", 2, destination="destination-csv"), *fail("source-b", 1), *fail("source-c", 1)]
    )
    assert store.report(connector="source-b").keys() == {"source-b"}
    assert store.report(connector="destination-csv").keys() == {"source-a"}
    assert store.report(connector="source-a", role="destination").keys() == {"destination-csv"}


def test_use_cases_are_users_with_an_application(store: Store) -> None:
    named = [
        sync("failed", unit=unit, application_hash=pseudonym(app)) for unit in "ab" for app in ("x", "y", "x")
    ]
    store.write([*named, sync("failed", application_hash=None), sync("failed", unit=None)])
    assert store.report()["source-faker"]["use_cases"] == 4
