"""What stands beside a connector's figures: the window before, intervals, where it
went, and when errors were seen."""

import pytest

from app.reports.statistics import bound
from tests.reports.rows import DAY, HOUR, NOON, NOW, Store, Stored, sync

ERROR, OTHER = "AirbyteConnectorFailedError", "AirbyteConnectorReadError"


def once(unit: str, state: str, days_ago: int, **fields: object) -> Stored:
    """One sync of a user, so many days before noon."""
    at = NOON - days_ago * DAY
    return sync(state, at, unit=unit, session=f"{unit} {at}", **fields)  # type: ignore[arg-type]


def sections(store: Store, **given: str) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = {}
    for row in store.ask({"name": "source-faker", **given}, NOW, "connector").rows:
        found.setdefault(str(row["section"]), []).append(dict(row))
    return found


def test_users_and_burden_of_the_window_before(store: Store) -> None:
    now = [once(f"user {n}", "failed" if n < 2 else "succeeded", 1) for n in range(8)]
    before = [once(f"old {n}", "failed" if n < 3 else "succeeded", 40) for n in range(6)]
    store.write([*now, *before, once("ann", "failed", 1, source="source-file")])
    rows = {row["connector"]: row for row in store.ask({}, NOW).rows}
    assert (rows["source-faker"]["units_before"], rows["source-faker"]["burden_before"]) == (6, 3.0)
    assert (rows["source-faker"]["units"], rows["source-faker"]["burden"]) == (8, 2.0)
    assert (rows["source-file"]["units_before"], rows["source-file"]["burden_before"]) == (0, 0)


def test_an_interval_of_the_capped_rate_from_ten_users_on(store: Store) -> None:
    rows = [once(f"user {n}", "failed" if n < 3 else "succeeded", 1, os="Linux") for n in range(12)]
    rows += [once(f"mac {n}", "failed", 1, os="Darwin") for n in range(9)]
    store.write(rows)
    reported = {row["item"]: row for row in sections(store)["os"]}
    assert (reported["Linux"]["capped_rate_low"], reported["Linux"]["capped_rate_high"]) == pytest.approx(
        bound(0.25, 12)
    )
    assert reported["Darwin"]["capped_rate"] == 1.0
    assert reported["Darwin"]["capped_rate_low"] is None


def test_whether_it_went_into_a_cache_or_a_destination(store: Store) -> None:
    store.write(
        [
            once("ann", "succeeded", 1, cache="custom"),
            once("bob", "succeeded", 1, destination="custom", cache=None),
            once("cy", "succeeded", 1, destination="custom", cache=None),
        ]
    )
    reported = [(row["item"], row["kind"], row["units"]) for row in sections(store)["with"]]
    assert reported == [("custom", "destination", 2), ("custom", "cache", 1)]
    rows = store.ask({"name": "custom", "role": "destination"}, NOW, "connector").rows
    assert [(row["item"], row["kind"]) for row in rows if row["section"] == "with"] == [
        ("source-faker", "source")
    ]


def test_when_an_error_was_last_seen_and_how_often_before(store: Store) -> None:
    store.write(
        [
            *(once(f"user {n}", "failed", 3 * n) for n in range(1, 4)),
            *(once(f"old {n}", "failed", 30 + n) for n in range(2)),
            once("new", "failed", 1, error=OTHER),
            once("gone", "failed", 33, error="AirbyteConnectorMissingSpecError"),
        ]
    )
    reported = {row["item"]: row for row in sections(store)["error"]}
    assert reported.keys() == {ERROR, OTHER}
    assert (
        reported[ERROR]["failed"],
        reported[ERROR]["failed_before"],
        reported[OTHER]["failed_before"],
    ) == (3, 2, 0)
    assert reported[ERROR]["last_seen"] == (NOON - 3 * DAY).date().isoformat()
    assert reported[ERROR]["first_seen"] == (NOON - 31 * DAY).date().isoformat()


def test_the_upper_line_of_seven_days_counts_what_was_abandoned(store: Store) -> None:
    store.write(
        [
            once("ann", "succeeded", 0),
            once("bob", "failed", 1),
            sync("started", NOON - 2 * DAY + HOUR, unit="cy", session="cy"),
            once("dee", "succeeded", 8),
        ]
    )
    last = {row["item"]: row for row in sections(store)["day"]}[NOON.date().isoformat()]
    assert (last["failure_rate_7d"], last["failure_rate_upper_7d"]) == pytest.approx((1 / 3, 2 / 3))
