"""Regressions between versions, from stored events to the verdict."""

import datetime as dt

import pytest

from app.reports.comparison import Comparison
from app.reports.definitions.regressions import assess
from app.reports.model import Row
from tests.reports.rows import DAY, NEW, NOW, OLD, RELEASED, Store, pseudonym, upgrade, use


def ask(store: Store, **given: str) -> dict[str, Row]:
    given = {"scope": "source", **given}
    return {
        f"{row['connector']} {row['new_version']}": row for row in store.ask(given, NOW, "regressions").rows
    }


def test_a_version_that_fails_is_a_regression(store: Store) -> None:
    """Half of 30 users fail on 1.1.0, none did on 1.0.0."""
    store.write(upgrade(30, 15))
    row = ask(store)["source-faker 1.1.0"]
    assert (row["kind"], row["old_version"], row["since"]) == ("source", OLD, "2026-11-13")
    assert (row["votes"], row["affected_units"], row["share"]) == (30, 15, 0.5)
    assert (row["votes_before"], row["share_before"]) == (30, 0.0)
    assert row["baseline"] == pytest.approx(1 - 0.1 ** (1 / 30))
    assert float(row["evidence"] or 0) > 1e6
    assert row["verdict"] == "regression"
    assert row["watched_since"] == "2026-11-19"
    assert (row["own_before"], row["delta_own"]) == (0.0, 0.5)
    assert row["new_errors"] == "AirbyteConnectorFailedError (15)"


def test_one_vote_a_user_however_often_a_loop_fails(store: Store) -> None:
    rows = upgrade(30, 0)
    rows += [use("source-faker 0", RELEASED + dt.timedelta(minutes=n), "failed", NEW) for n in range(300)]
    store.write(rows)
    row = ask(store)["source-faker 1.1.0"]
    assert (row["votes"], row["affected_units"]) == (30, 1)
    assert row["share"] == pytest.approx(300 / 301 / 30)
    assert row["verdict"] == "not enough data"


def test_a_new_user_has_no_vote(store: Store) -> None:
    rows = upgrade(30, 0)
    rows += [use(f"new {n}", RELEASED, "failed", NEW) for n in range(50)]
    rows += [use(f"never {n}", NOW - 20 * DAY, "failed", OLD) for n in range(50)]
    rows += [use(f"never {n}", RELEASED, "failed", NEW) for n in range(50)]
    store.write(rows)
    row = ask(store)["source-faker 1.1.0"]
    assert (row["votes"], row["affected_units"], row["verdict"]) == (30, 0, "not enough data")


def test_a_vote_is_settled_when_its_seventh_day_is_over(store: Store) -> None:
    store.write(upgrade(30, 30))
    for days, votes in ((6, 0), (7, 10), (8, 20)):  # a third each began on the first, second and third day
        now = RELEASED + days * DAY
        given = {"scope": "source", "until": now.date().isoformat()}
        assert store.ask(given, now, "regressions").rows[0]["votes"] == votes
    late = [use(f"source-faker {n}", RELEASED + (n % 3 + 7) * DAY, "succeeded", NEW) for n in range(30)]
    store.write(late)  # an eighth day is not a part of it
    assert ask(store)["source-faker 1.1.0"]["share"] == 1.0
    seventh = [use(f"source-faker {n}", RELEASED + (n % 3 + 6) * DAY, "succeeded", NEW) for n in range(30)]
    store.write(seventh)
    assert ask(store)["source-faker 1.1.0"]["share"] == 0.5


def test_users_are_held_against_their_own_28_days_before(store: Store) -> None:
    """Whatever version it was on, from the 28th day before their first on the new one."""
    rows = upgrade(30, 30)
    for number in range(30):
        unit, start = f"source-faker {number}", RELEASED + number % 3 * DAY
        rows += [use(unit, start - days * DAY, "failed", "1.0.9") for days in (28, 3)]
        rows.append(use(unit, start - 29 * DAY, "failed", "1.0.9"))
    store.write(rows)
    row = ask(store)["source-faker 1.1.0"]
    # In the 28 days: two failures on 1.0.9, and two successes on 1.0.0, 30 and 15 days before now.
    assert (row["own_before"], row["delta_own"]) == (0.5, 0.5)


@pytest.mark.parametrize(("version", "days"), [("0.8.0", 170), (OLD, 85), (NEW, 60)])
def test_one_clock_that_is_weeks_slow_changes_nothing(store: Store, version: str, days: int) -> None:
    """Neither when the history began, nor when a version did: both decide who
    had returned, and what is new."""
    store.write(upgrade(30, 15))
    before = ask(store)["source-faker 1.1.0"]
    assert before["verdict"] == "regression"
    store.write([use("slow clock", NOW - days * DAY, "succeeded", version)])
    assert ask(store)["source-faker 1.1.0"] == before


def test_a_version_begins_when_its_second_user_has_come(store: Store) -> None:
    rows = upgrade(30, 15)
    rows.append(use("source-faker 29", RELEASED - 2 * DAY, "succeeded", NEW))
    store.write(rows)
    assert ask(store)["source-faker 1.1.0"]["since"] == "2026-11-13"
    store.write([use("source-faker 28", RELEASED - 1 * DAY, "succeeded", NEW)])
    assert ask(store)["source-faker 1.1.0"]["since"] == "2026-11-12"


def test_wrong_configuration_is_no_failure(store: Store) -> None:
    rows = upgrade(30, 0)
    rows += [
        use(f"source-faker {n}", RELEASED, "failed", NEW, error="PyAirbyteInputError") for n in range(30)
    ]
    store.write(rows)
    row = ask(store)["source-faker 1.1.0"]
    assert (row["affected_units"], row["verdict"], row["new_errors"]) == (0, "not enough data", "")


def test_what_was_as_bad_before_is_no_news(store: Store) -> None:
    store.write(upgrade(40, 12, failing_before=12))
    row = ask(store)["source-faker 1.1.0"]
    assert row["share_before"] == pytest.approx(0.3)
    assert row["verdict"] == "not enough data"
    assert row["new_errors"] == ""  # seen on the old version, too


def test_pyairbyte_and_destinations_are_compared_too(store: Store) -> None:
    rows = [
        row | {"version": "0.71.3" if row["source_version"] == NEW else "0.70.0",
               "destination_name": "destination-csv",
               "destination_version": row["source_version"], "cache_type": None}
        for row in upgrade(30, 15)
    ]  # fmt: skip
    store.write(rows)
    found = {row["kind"]: row for row in store.ask({}, NOW, "regressions").rows}
    assert {kind: row["verdict"] for kind, row in found.items()} == dict.fromkeys(
        ("source", "destination", "pyairbyte"), "regression"
    )
    assert found["pyairbyte"]["connector"] == "pyairbyte"
    only = store.ask({"scope": "pyairbyte"}, NOW, "regressions").rows
    assert [row["kind"] for row in only] == ["pyairbyte"]


def test_denied_ids_do_not_vote(store: Store) -> None:
    store.write(upgrade(30, 15))
    denied = [unit for n in range(15) if (unit := pseudonym(f"source-faker {n}"))]
    [row] = store.ask({"scope": "source"}, NOW, "regressions", denied).rows
    assert (row["votes"], row["affected_units"]) == (15, 0)


def test_the_report_versions_has_the_verdict(store: Store) -> None:
    store.write(upgrade(30, 15))
    rows = {row["version"]: row for row in store.ask({"connector": "source-faker"}, NOW, "versions").rows}
    assert (rows[NEW]["verdict"], rows[NEW]["old_version"], rows[NEW]["votes"]) == ("regression", OLD, 30)
    assert (rows[OLD]["verdict"], rows[OLD]["evidence"]) == ("not enough data", None)
    assert (rows[NEW]["adoption"], rows[NEW]["first_day"], rows[NEW]["of"]) == (
        1.0,
        "2026-11-13",
        "source-faker",
    )
    assert [row["version"] for row in store.ask({}, NOW, "versions").rows] == ["0.71.3"]


def votes(new: list[float], old: list[float], key: str = "source-a", own: float | None = 0.0) -> Comparison:
    days = ["2026-11-07"] * len(new)
    return Comparison("source", key, NEW, OLD, "2026-11-01", new, old, days, [own] * len(new))


@pytest.mark.parametrize(
    ("new", "old", "verdict"),
    [
        ([1.0] * 4, [0.0] * 400, "watch"),  # four users are too few for an alert
        ([1.0] * 5, [0.0] * 400, "regression"),
        ([0.04] * 400, [0.0] * 4000, "watch"),  # four points are too few
        ([0.06] * 400, [0.0] * 4000, "regression"),
        ([], [0.0] * 40, "not enough data"),
        ([1.0] * 40, [], "not enough data"),
    ],
)
def test_the_gate_of_an_alert(new: list[float], old: list[float], verdict: str) -> None:
    [row] = assess([votes(new, old)], [])
    assert row["verdict"] == verdict


@pytest.mark.parametrize(
    ("own", "verdict"), [(0.0, "regression"), (0.94, "regression"), (0.96, "watch"), (None, "watch")]
)
def test_users_who_failed_as_often_before_are_no_alert(own: float | None, verdict: str) -> None:
    """Who takes up a version first may be who fails most: they are held against themselves, too."""
    [row] = assess([votes([1.0] * 9, [0.0] * 400, own=own)], [])
    assert row["verdict"] == verdict
    assert row["own_before"] == (None if own is None else pytest.approx(own))
    assert row["delta_own"] == (None if own is None else pytest.approx(1 - own))


def test_the_same_users_before_are_those_who_synced_then() -> None:
    comparison = votes([0.6] * 6, [0.0] * 400)
    comparison.own_before = [0.5, None, 0.5, None, 0.1, 0.1]
    [row] = assess([comparison], [])
    assert row["own_before"] == pytest.approx(0.3)
    assert row["delta_own"] == pytest.approx(0.3)


def test_versions_of_fewer_than_five_votes_are_no_part_of_the_family() -> None:
    """However many tiny versions come out, what the others need does not grow."""
    tiny = [votes([0.0] * 4, [0.0] * 9, key=f"source-{n}") for n in range(400)]
    loud = votes([1.0] * 5, [0.5] * 20 + [0.0] * 20, key="source-loud")
    rows = {row["connector"]: row for row in assess([*tiny, loud], [])}
    assert rows["source-loud"]["verdict"] == "regression"


def test_many_versions_are_tested_together() -> None:
    """E of 33 among 40 is a discovery of nothing at q = 0.1: it would have to be 400, or nearly."""
    quiet = [votes([0.0] * 5, [0.0] * 9, key=f"source-{n}") for n in range(39)]
    loud = votes([1.0] * 5, [0.5] * 20 + [0.0] * 20, key="source-loud")
    alone = {row["connector"]: row for row in assess([loud], [])}["source-loud"]
    among = {row["connector"]: row for row in assess([*quiet, loud], [])}["source-loud"]
    assert alone["evidence"] == among["evidence"]
    assert 20 < float(alone["evidence"] or 0) < 400
    assert (alone["verdict"], among["verdict"]) == ("regression", "watch")
