"""Recovery, first weeks, weekly burden, and where errors were seen first: against
users whose story is known."""

import pytest

from tests.reports.rows import DAY, HOUR, NOON, NOW, Store, Stored, sync

CONFIG = "AirbyteConnectorCheckFailedError"


def meet(unit: str, *story: tuple[str, object], **fields: object) -> list[Stored]:
    """A user's sessions, each with its state and its time."""
    return [
        sync(state, at, unit=unit, session=f"{unit} {at}", **fields)  # type: ignore[arg-type]
        for state, at in story
    ]


def recovery(store: Store, **given: str) -> dict[str, object]:
    [row] = store.ask(given, NOW, "recovery").rows
    return dict(row)


def test_who_succeeded_within_a_day_of_a_failure_has_recovered(store: Store) -> None:
    store.write(
        [
            *meet("soon", ("failed", NOON), ("succeeded", NOON + 23 * HOUR)),
            *meet("late", ("failed", NOON), ("succeeded", NOON + 25 * HOUR)),
            *meet("before", ("succeeded", NOON - HOUR), ("failed", NOON)),
            *meet("elsewhere", ("failed", NOON)),
            *meet("fine", ("succeeded", NOON)),
        ]
    )
    row = recovery(store)
    assert (row["failed_units"], row["recovered_units"], row["recovered_share"]) == (4, 1, 0.25)
    assert row["low_data"] is True


def test_a_success_with_another_connector_is_no_recovery(store: Store) -> None:
    store.write(
        [*meet("ann", ("failed", NOON)), *meet("ann", ("succeeded", NOON + HOUR), source="source-file")]
    )
    rows = {row["connector"]: row for row in store.ask({}, NOW, "recovery").rows}
    assert rows["source-faker"]["recovered_units"] == 0


def test_who_failed_last_and_was_not_seen_for_a_week_never_came_back(store: Store) -> None:
    long_ago = NOW - 8 * DAY
    store.write(
        [
            *meet("gone", ("succeeded", long_ago - DAY), ("failed", long_ago)),
            *meet("lately", ("failed", NOW - 6 * DAY)),
            *meet("back", ("failed", long_ago), ("failed", NOW - DAY)),
            *meet("well", ("failed", long_ago), ("succeeded", long_ago + DAY)),
        ]
    )
    row = recovery(store)
    assert (row["failed_units"], row["lost_units"], row["lost_share"]) == (4, 1, 0.25)


def test_wrong_configuration_is_no_failure_to_recover_from(store: Store) -> None:
    store.write([*meet("ann", ("failed", NOON), error=CONFIG), *meet("bob", ("failed", NOON))])
    assert recovery(store)["failed_units"] == 1


def test_who_never_succeeded_in_the_first_seven_days_is_stuck(store: Store) -> None:
    begun = NOW - 20 * DAY
    store.write(
        [
            *meet("stuck", ("failed", begun), ("succeeded", begun + 7 * DAY)),
            *meet("wrong", ("failed", begun), error=CONFIG),
            *meet("well", ("failed", begun), ("succeeded", begun + 6 * DAY)),
            *meet("old", ("succeeded", NOW - 60 * DAY), ("failed", begun)),
            *meet("young", ("failed", NOW - 5 * DAY)),
        ]
    )
    row = recovery(store)
    assert (row["new_units"], row["stuck_units"], row["stuck_on_config"]) == (3, 2, 1)
    assert row["stuck_share"] == pytest.approx(2 / 3)


def test_the_burden_week_by_week(store: Store) -> None:
    until = NOW.date()
    store.write(
        [
            *meet("ann", ("failed", NOW - DAY), ("succeeded", NOW - 2 * DAY)),
            *meet("bob", ("failed", NOW - 8 * DAY)),
            *meet("cy", ("failed", NOW - 22 * DAY)),  # in no whole week of a window of 22 days
            *meet("dee", ("succeeded", NOW - DAY), source="source-file"),
        ]
    )
    rows = store.ask({"window": "22d"}, NOW, "trend").rows
    assert [(row["rank"], row["connector"], row["week"], row["burden"]) for row in rows] == [
        (rank, name, (until - days * DAY).isoformat(), burden)
        for rank, name, burdens in ((1, "source-faker", (0, 1, 0.5)), (2, "source-file", (0, 0, 0)))
        for days, burden in zip((20, 13, 6), burdens, strict=True)
    ]
    assert {row["mean_burden"] for row in rows[:3]} == {0.5}


def test_errors_say_when_and_on_which_version_they_were_seen_first(store: Store) -> None:
    first = NOW - 100 * DAY
    other = "AirbyteConnectorReadError"
    store.write(
        [
            *meet("ann", ("failed", first), version="0.70.0", source_version="1.0.0"),
            *meet("bob", ("failed", NOON), source_version="1.1.0"),
            *meet("cy", ("failed", NOON), source_version="1.1.0", error=other),
        ]
    )
    errors = {row["exception_class"]: row for row in store.ask({}, NOW, "errors").rows}
    old = errors["AirbyteConnectorFailedError"]
    assert (old["first_seen"], old["first_version"]) == (first.date().isoformat(), "0.70.0")
    rows = store.ask({"name": "source-faker"}, NOW, "connector").rows
    reported = {row["item"]: row for row in rows if row["section"] == "error"}
    assert (reported["AirbyteConnectorFailedError"]["first_version"], reported[other]["first_version"]) == (
        "1.0.0",
        "1.1.0",
    )
    assert (reported["AirbyteConnectorFailedError"]["is_new"], reported[other]["is_new"]) == (False, True)
    assert reported[other]["failure_class"] == "connector"


def test_errors_by_version_of_a_connector(store: Store) -> None:
    store.write(
        [
            *meet("ann", ("failed", NOON), ("failed", NOON + HOUR), source_version="1.0.0"),
            *meet("bob", ("failed", NOON), source_version="1.1.0"),
        ]
    )
    rows = store.ask({"name": "source-faker"}, NOW, "connector").rows
    found = [
        (row["item"], row["version"], row["failed"], row["units"])
        for row in rows
        if row["section"] == "error by version"
    ]
    name = "AirbyteConnectorFailedError"
    assert found == [(name, "1.0.0", 2, 1), (name, "1.1.0", 1, 1)]


def test_an_error_older_than_the_history_has_its_first_day_in_the_window(store: Store) -> None:
    store.write(meet("ann", ("failed", NOW - 300 * DAY)))
    [row] = store.ask({"window": "365d"}, NOW, "errors").rows
    assert row["first_seen"] == (NOW - 300 * DAY).date().isoformat()
