"""Each report by an example whose figures can be counted by hand."""

import datetime as dt
from collections import Counter
from typing import Any

import pytest

from app.problems import Problem
from app.reports.definitions.registry_metrics import grade_success, grade_usage
from app.reports.model import Row
from tests.reports.rows import HOUR, NOON, NOW, Store, Stored, query_report, refuse, sync, upgrade
from tests.rollups.ledger import Ledger

MONTH_AGO = NOW - dt.timedelta(days=35)


def attempts(outcomes: str, **fields: Any) -> list[Stored]:
    """One attempt for each letter: s, f, c, o; each of a user of its own unless `unit` is given."""
    rows = []
    for number, letter in enumerate(outcomes):
        who = {"unit": f"{fields.get('source', 'x')} {number}", "session": f"{fields} {number}"} | fields
        rows.append(sync("started", NOON, **who))
        if letter != "o":
            rows.append(sync({"s": "succeeded", "f": "failed", "c": "canceled"}[letter], NOON + HOUR, **who))
    return rows


def rows_of(store: Store, report: str, **given: str) -> list[Row]:
    return store.ask(given, NOW, report).rows


def picked(row: Row, *names: str) -> tuple[object, ...]:
    return tuple(row[name] for name in names)


def test_errors(store: Store) -> None:
    store.write(attempts("fff", source="source-a"))
    store.write(attempts("f", source="source-b", destination="destination-csv"))
    store.write([sync("failed", source="source-b", unit="x", error="PyAirbyteInputError") for _ in range(9)])
    store.write([sync("failed", MONTH_AGO, source="source-c", error="PyAirbyteInputError")])
    store.write([sync("failed", unit="nobody", source="source-a") | {"exception_class": None}])
    first, second, third = rows_of(store, "errors")
    reported = (
        "exception_class",
        "failure_class",
        "affected_units",
        "failed",
        "failed_before",
        "is_new",
        "connectors",
    )
    assert picked(first, *reported) == ("AirbyteConnectorFailedError", "connector", 4, 4, 0, True, 3)
    assert picked(second, *reported) == ("(none named)", "other", 1, 1, 0, True, 1)
    assert picked(third, *reported) == ("PyAirbyteInputError", "config", 1, 9, 1, False, 1)
    assert picked(first, "top_connector", "first_day", "last_day") == ("source-a", "2026-11-19", "2026-11-19")
    assert first["share"] == pytest.approx(4 / 14)
    assert rows_of(store, "errors", sort="failures")[0]["exception_class"] == "PyAirbyteInputError"


def test_funnel(store: Store) -> None:
    def step(event: str, state: str, *units: str) -> list[Stored]:
        return [sync(state, unit=unit, session=f"{unit} {event}", event=event, cache=None) for unit in units]

    store.write(step("install", "succeeded", "ann", "bob") + step("install", "failed", "carl"))
    store.write(step("validate", "succeeded", "ann", "bob", "dora") + step("validate", "failed", "bob"))
    store.write(step("check", "failed", "bob", "dora"))
    store.write(attempts("s", unit="ann") + attempts("f", unit="emil") + attempts("o", unit="dora"))
    reported = [
        picked(row, "step", "entered", "tried", "succeeded", "survived") for row in rows_of(store, "funnel")
    ]
    assert reported == [
        ("install", 5, 3, 2, 4),  # carl did not survive; dora and emil were seen later
        ("validate", 4, 3, 3, 4),
        ("check", 4, 2, 0, 3),  # bob did not; ann synced without
        ("sync", 3, 3, 1, 1),
    ]
    assert rows_of(store, "funnel")[3]["of_all"] == pytest.approx(1 / 5)


def test_pairs(store: Store) -> None:
    store.write(attempts("ssf", source="source-a"))
    store.write(attempts("ff", source="source-a", destination="destination-csv"))
    store.write(attempts("s", source=None, destination="destination-csv", unit="x"))
    reported = [
        picked(row, "source", "target", "lane", "attempts", "failed") for row in rows_of(store, "pairs")
    ]
    assert reported == [
        ("source-a", "destination-csv", "write", 2, 2),
        ("source-a", "DuckDBCache", "cache", 3, 1),
        ("", "destination-csv", "write", 1, 0),
    ]


def test_caches(store: Store) -> None:
    store.write(attempts("sf", cache="PostgresCache") + attempts("sss", source="source-b"))
    store.write(attempts("ff", cache="PostgresCache", destination="destination-csv", source="source-c"))
    assert [picked(row, "cache", "units", "failed") for row in rows_of(store, "caches")] == [
        ("DuckDBCache", 3, 0),
        ("PostgresCache", 2, 1),
    ]
    [beside] = rows_of(store, "caches", lane="write")
    assert picked(beside, "cache", "units", "failed") == ("PostgresCache", 2, 2)


def test_platforms(store: Store) -> None:
    store.write(attempts("sf", python_version="3.11.7 (CPython)", os="Linux"))
    store.write(
        attempts("s", source="source-b", python_version="3.11.9 (CPython)", os="Darwin", version="0.70.0")
    )
    store.write(
        attempts("f", source="source-c", python_version="3.10.1 (PyPy)", ci=True, notebook_runtime="JUPYTER")
    )
    reported = {
        picked(row, "dimension", "value"): picked(row, "units", "failed")
        for row in rows_of(store, "platforms", ci="include")
    }
    assert reported == {
        ("ci", "no"): (3, 1),
        ("ci", "yes"): (1, 1),
        ("notebook", "none"): (3, 1),
        ("notebook", "JUPYTER"): (1, 1),
        ("os", "Linux"): (3, 2),
        ("os", "Darwin"): (1, 0),
        ("pyairbyte", "0.71.3"): (3, 2),
        ("pyairbyte", "0.70.0"): (1, 0),
        ("python", "3.11 (CPython)"): (3, 1),
        ("python", "3.10 (PyPy)"): (1, 1),
        ("source executor", "VenvExecutor"): (4, 2),
        ("destination executor", "none"): (4, 2),
    }
    assert ("ci", "yes") not in {picked(row, "dimension", "value") for row in rows_of(store, "platforms")}


def test_an_attempt_stands_once_in_every_dimension_though_words_were_withheld(store: Store) -> None:
    store.write(attempts("sf", version=None, python_version=None, os=None))
    store.write(attempts("s", source="source-b", unit="b"))
    rows = rows_of(store, "platforms", prerelease="include")
    attempted: Counter[Any] = Counter()
    for row in rows:
        attempted.update({row["dimension"]: row["attempts"]})
    assert set(attempted.values()) == {3}
    assert len(attempted) == 7
    assert {row["dimension"] for row in rows if row["value"] == "unknown"} == {"os", "pyairbyte", "python"}


def test_data_quality_of_attempts_and_users(store: Store) -> None:
    store.write(
        [sync("succeeded", unit="a"), sync("started", unit="b"), sync("started", NOW - HOUR, unit="c")]
    )
    store.write(
        [sync("started", unit=None, corrected_at=NOON), refuse(sync("failed", unit="e", session="e"))]
    )
    store.write([sync("started", unit="f", session="f", first_run=True, destination="destination-csv")])
    reported = {str(row["item"]): (row["count"], row["of"]) for row in rows_of(store, "data-quality")}
    assert reported["cache: whose start never arrived"] == (2, 5)
    assert reported["cache: that nothing was heard of for 24 hours"] == (2, 5)
    assert reported["cache: in flight"] == (1, 5)
    assert reported["cache: of a clock that was off by 55 minutes or more"] == (1, 5)
    assert reported["cache: known from an event that was refused"] == (1, 5)
    assert reported["cache: of users without an id"] == (1, 5)
    assert reported["write: that nothing was heard of for 24 hours"] == (1, 1)
    assert reported["ephemeral: every session a first run"] == (1, 5)
    assert reported["lag, seconds"] == (0, None)


def test_data_quality_of_events(ledger: Ledger) -> None:
    rows = [sync("succeeded"), sync("failed"), refuse(sync("failed"), reason="unknown_key")]
    ledger.write([rows, rows[:1]])
    reported = {(row["section"], row["item"]): row for row in query_report(ledger.engine, "data-quality")}
    assert {item: row["count"] for (section, item), row in reported.items() if section == "outcome"} == {
        "received": 4,
        "accepted": 2,
        "duplicate": 1,
        "rejected": 1,
    }
    assert reported["rejected", "unknown_key"]["share"] == 1
    assert reported["rollups", "sessions that wait"]["count"] == 1
    assert reported["rollups", "lag, seconds"]["count"]


def test_registry_metrics(store: Store) -> None:
    store.write([row for number in range(9) for row in attempts("s", source=f"source-{number}")])
    store.write(attempts("s" * 11 + "ff", source="source-used", source_version="1.0.0"))
    store.write(attempts("s" * 20, source="source-most", source_version="2.0.0"))
    store.write(attempts("s", source="source-most", source_version="3.0.0", unit="late"))
    store.write(attempts("s" * 30, source="custom"))
    rows = rows_of(store, "registry-metrics")
    assert len(rows) == 11
    reported = ("docker_repository", "connector_type", "connector_version", "usage", "units")
    assert picked(rows[0], *reported) == ("airbyte/source-most", "source", "2.0.0", "high", 21)
    assert picked(rows[1], *reported) == ("airbyte/source-used", "source", "1.0.0", "high", 13)
    assert rows[0]["sync_success_rate"] == "high"
    assert rows[1]["sync_success_rate"] == "medium"
    assert {row["sync_success_rate"] for row in rows[2:]} == {None}


@pytest.mark.parametrize(
    ("success", "word"),
    [(None, None), (1.0, "high"), (0.95, "high"), (0.949, "medium"), (0.8, "medium"), (0.79, "low")],
)
def test_words_of_success(success: float | None, word: str | None) -> None:
    assert grade_success(success) == word


def test_words_of_usage() -> None:
    assert [grade_usage(share) for share in (0.0, 0.09, 0.1, 0.49, 0.5, 0.9)] == [
        *("high", "high", "medium", "medium", "low", "low")
    ]


def test_connector_is_the_row_of_connectors_in_parts(store: Store) -> None:
    store.write(attempts("sssffco", source="source-a") + attempts("ff", source="source-b"))
    store.write(
        attempts(
            "f" * 8, source="source-a", unit="looper", source_version="2.0.0", destination="destination-csv"
        )
    )
    rows = rows_of(store, "connector", name="source-a")
    whole = store.report()["source-a"]
    total = rows[0]
    same = (
        "units",
        "attempts",
        "succeeded",
        "failed",
        "canceled",
        "abandoned",
        "affected_units",
        "failure_rate",
        "burden",
    )
    assert picked(total, *same) == picked(whole, *same)
    for section in ("day", "version", "with", "pyairbyte", "python", "os", "notebook", "executor"):
        assert sum(int(row["attempts"] or 0) for row in rows if row["section"] == section) == 15, section
    assert {row["item"]: row["failed"] for row in rows if row["section"] == "version"} == {
        "1.2.3": 2,
        "2.0.0": 8,
    }
    assert {row["item"]: row["failed"] for row in rows if row["section"] == "with"} == {
        "DuckDBCache": 2,
        "destination-csv": 8,
    }
    [error] = [row for row in rows if row["section"] == "error"]
    assert picked(error, "item", "failed", "share") == ("AirbyteConnectorFailedError", 10, 1.0)
    top, never = (row for row in rows if row["section"] == "concentration")
    assert top["share"] == pytest.approx(8 / 10)
    assert picked(never, "units", "share") == (5, pytest.approx(5 / 8))
    days = [row for row in rows if row["section"] == "day"]
    assert len(days) == 28
    assert [row["item"] for row in days if row["failure_rate_7d"] is not None] == [
        f"2026-11-{day}" for day in range(19, 24)
    ]


def test_connector_takes_the_role_from_the_name(store: Store) -> None:
    store.write(attempts("sf", source="source-a", destination="destination-csv"))
    rows = rows_of(store, "connector", name="destination-csv")
    assert picked(rows[0], "attempts", "failed") == (2, 1)
    assert {row["item"] for row in rows if row["section"] == "with"} == {"source-a"}
    assert rows_of(store, "connector", name="source-none") == []
    with pytest.raises(Problem, match="needs the parameter name"):
        rows_of(store, "connector")


def test_home(store: Store) -> None:
    store.write(attempts("s" * 18 + "ff", source="source-a", destination="destination-csv"))
    store.write([*attempts("f", source="source-b"), sync("failed", MONTH_AGO, source="source-b", unit="x")])
    rows = rows_of(store, "home")
    days = [row for row in rows if row["section"] == "day"]
    assert len({row["item"] for row in days}) == len(days) == 56
    assert [sum(int(row["attempts"] or 0) for row in half) for half in (days[28:], days[:28])] == [21, 1]
    assert all(
        row["attempts"]
        == sum(int(row[name] or 0) for name in ("succeeded", "failed", "canceled", "abandoned"))
        for row in days
    )
    fleet = {row["item"]: (row["value"], row["before"]) for row in rows if row["section"] == "fleet"}
    assert fleet["users"] == (21, 1)
    assert fleet["attempted syncs"] == (21, 1)
    assert fleet["failure rate"][0] == pytest.approx(3 / 21)
    assert fleet["failure rate"][1] == 1
    assert fleet["capped rate"][1] == 1
    assert fleet["burden"][1] == 1
    top = [picked(row, "item", "value", "before") for row in rows if row["section"] == "top"]
    assert top == [("destination-csv", 2.0, None), ("source-a", 2.0, None), ("source-b", 1.0, 1.0)]
    assert [row["text"] for row in rows if row["item"] == "last day with data"] == ["2026-11-19"]


def test_home_names_the_regressions(store: Store) -> None:
    store.write(upgrade(30, 15))
    rows = [row for row in rows_of(store, "home") if row["section"] == "regressions"]
    assert [picked(row, "item", "old_version", "new_version", "units", "text") for row in rows] == [
        ("source-faker", "1.0.0", "1.1.0", 30, "regression")
    ]
