"""The points of docs/metrics.md, section 5, that no other test holds; and that each point
names a test that there is."""

import ast
import re
from pathlib import Path

import pytest

from app.reports.registry import REPORTS
from tests.reports.rows import DAY, HOUR, NOON, NOW, RELEASED, Store, refuse, sync, upgrade, use

ROOT = Path(__file__).parents[2]
CONFIG = "AirbyteConnectorCheckFailedError"
FAR = NOW - 55 * DAY


def test_every_point_names_a_test() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", text.partition("## 5.")[2])
    assert len(named) >= 19
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name


def test_an_oracle_covers_every_report() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text("utf-8").rpartition("| report | test |")[2]
    assert set(re.findall(r"^\| `([\w-]+)` \| `tests/reports/test_\w+\.py::test_\w+` \|$", text, re.M)) == {
        *REPORTS
    }


def test_a_vote_counts_syncs_on_its_version_only(store: Store) -> None:
    rows = upgrade(12, 0)
    store.write(rows)
    [before] = store.ask({}, NOW, "regressions").rows
    # The same users fail within their week, on a version later than the one that is judged.
    store.write(
        [use(f"source-faker {n}", RELEASED + n % 3 * DAY + HOUR, "failed", "1.2.0") for n in range(12)]
    )
    rows_after = {row["new_version"]: row for row in store.ask({}, NOW, "regressions").rows}
    assert rows_after["1.1.0"]["share"] == before["share"] == 0
    assert rows_after["1.2.0"]["share"] == 1


def test_a_returning_user_succeeded_before_the_versions_first_day(store: Store) -> None:
    store.write(upgrade(12, 0))
    [before] = store.ask({}, NOW, "regressions").rows
    # Succeeded with the old version after the new one was out, and then took it up: had not
    # succeeded before its first day.
    late = [
        use("late", RELEASED + HOUR, "succeeded", "1.0.0"),
        use("late", RELEASED + DAY, "failed", "1.1.0"),
    ]
    store.write(late)
    [after] = store.ask({}, NOW, "regressions").rows
    assert (after["votes"], after["share"]) == (before["votes"], before["share"])


def test_the_share_of_the_ledger_is_of_all_attempts(store: Store) -> None:
    store.write(
        [
            refuse(sync("failed", session="a")),
            sync("started", NOON, session="b"),
            refuse(sync("failed", NOON + HOUR, session="b")),
            sync("started", NOW - HOUR, session="c"),
            sync("succeeded", session="d"),
        ]
    )
    row = store.report()["source-faker"]
    assert (row["attempts"], row["in_flight"], row["ledger_share"]) == (4, 1, 0.5)


def test_the_top_ten_are_of_both_roles(store: Store) -> None:
    store.write(
        [
            sync("failed", unit=f"user {number}", session=f"{number} {role}", **fields)  # type: ignore[arg-type]
            for number in range(6)
            for role, fields in (
                ("both", {"source": "source-a", "destination": "destination-csv"}),
                *(
                    (f"s{other}", {"source": f"source-{other}"})
                    for other in ("b", "c", "d", "e", "f", "g", "h", "i", "j")
                ),
            )
        ]
    )
    top = [row for row in store.ask({}, NOW, "home").rows if row["section"] == "top"]
    assert len(top) == 10
    assert {row["item"]: row["role"] for row in top}["destination-csv"] == "destination"
    assert {row["value"] for row in top} == {6}
    assert {row["failed"] for row in top if row["item"] in ("source-a", "destination-csv")} == {6}


def test_affected_means_without_config_but_in_errors(store: Store) -> None:
    store.write(
        [
            sync("failed", unit="ann", session="a", error=CONFIG),
            sync("failed", unit="bob", session="b"),
            sync("succeeded", unit="cy", session="c"),
        ]
    )
    assert store.report()["source-faker"]["affected_units"] == 1
    total = next(row for row in store.ask({"name": "source-faker"}, NOW, "connector").rows)
    assert (total["section"], total["affected_units"]) == ("total", 1)
    home = {row["item"]: row["value"] for row in store.ask({}, NOW, "home").rows if row["section"] == "fleet"}
    assert home["affected users"] == 1
    errors = {row["exception_class"]: row["affected_units"] for row in store.ask({}, NOW, "errors").rows}
    assert errors[CONFIG] == 1


def test_the_same_message_at_another_time_is_another_event(store: Store) -> None:
    first = sync("failed", NOON, session="a")
    store.write([first, first | {"occurred_at": NOON + HOUR, "received_at": NOON + HOUR}])
    assert store.report()["source-faker"]["attempts"] == 2


@pytest.mark.parametrize("days", [7, 28, 90])
def test_the_window_before_is_as_long(store: Store, days: int) -> None:
    store.write([sync("failed", NOW - number * DAY, session=str(number)) for number in range(200)])
    rows = store.ask({"window": f"{days}d"}, NOW, "home").rows
    attempts = next(row for row in rows if row["item"] == "attempted syncs")
    assert (attempts["value"], attempts["before"]) == (days, days)


def test_a_user_of_two_connectors_counts_in_each_and_once_in_the_fleet(store: Store) -> None:
    store.write([sync("failed", session="a"), sync("failed", session="b", source="source-file")])
    assert [row["units"] for row in store.report().values()] == [1, 1]
    home = {row["item"]: row["value"] for row in store.ask({}, NOW, "home").rows if row["section"] == "fleet"}
    assert home["users"] == 1


def test_a_users_weight_is_capped_within_each_row(store: Store) -> None:
    loop = [
        sync("failed", session=f"{n} {source}", source=source)
        for n in range(60)
        for source in ("source-a", "source-b")
    ]
    others = [
        sync("succeeded", unit="bob", session=f"bob {source}", source=source)
        for source in ("source-a", "source-b")
    ]
    store.write([*loop, *others])
    rates = [float(row["capped_rate"] or 0) for row in store.report().values()]
    home = {row["item"]: row["value"] for row in store.ask({}, NOW, "home").rows if row["section"] == "fleet"}
    assert rates[0] == rates[1] > 0.5
    assert float(home["capped rate"] or 0) < rates[0]  # there ann weighs as much as in one row, bob twice


def test_data_quality_has_stable_keys_lanes_and_the_window_before(store: Store) -> None:
    month_ago = NOON - 28 * DAY
    store.write([sync("failed", session="a"), *(sync("failed", month_ago, session=str(n)) for n in range(3))])
    rows = store.ask({}, NOW, "data-quality").rows
    [orphans] = [row for row in rows if row["key"] == "orphans"]
    assert (orphans["section"], orphans["lane"], orphans["count"], orphans["before"]) == (
        "attempts",
        "cache",
        1,
        3,
    )
    assert (orphans["of"], orphans["share"]) == (1, 1)
    keys = [(row["section"], row["key"], row["lane"]) for row in rows]
    assert len(set(keys)) == len(keys)


def test_the_line_of_seven_days_begins_with_the_six_days_before_the_window(store: Store) -> None:
    first = NOW - 6 * DAY
    store.write(
        [
            *(sync("failed", first - n * DAY, session=f"f{n}") for n in range(1, 4)),
            *(sync("succeeded", first, session=f"s{n}") for n in range(3)),
        ]
    )
    rows = store.ask({"window": "7d", "name": "source-faker"}, NOW, "connector").rows
    days = [row for row in rows if row["section"] == "day"]
    assert len(days) == 7
    assert (days[0]["item"], days[0]["failure_rate_7d"]) == (first.date().isoformat(), 0.5)
    [before] = [row for row in rows if row["section"] == "before"]
    assert (before["attempts"], before["failed"]) == (3, 3)
    [total] = [row for row in rows if row["section"] == "total"]
    assert (total["attempts"], total["failed"]) == (3, 0)
