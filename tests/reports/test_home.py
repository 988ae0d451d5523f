"""The report `home`: what no loop can bend comes first, in both windows; what today adds stands apart."""

import pytest
from scipy.stats import beta

from app.reports import render
from app.reports.definitions.home import FIGURES
from app.reports.definitions.notes import disagree
from app.reports.model import Row
from tests.reports.rows import DAY, HOUR, NOON, NOW, Store, Stored, sync

MONTH_AGO = NOON - 28 * DAY
MANY = 40


def some(state: str, users: range, at: object = NOON, times: int = 1) -> list[Stored]:
    return [
        sync(state, at, unit=f"user {user}", session=f"{user} {number} {at}")  # type: ignore[arg-type]
        for user in users
        for number in range(times)
    ]


def looped() -> list[Stored]:
    """A loop of 500 failures last month and none now; meanwhile 6 of 40 users fail,
    beside the loop it was nobody."""
    return [
        *some("succeeded", range(1, MANY), MONTH_AGO, 20),
        *some("failed", range(1), MONTH_AGO, 500),
        *some("failed", range(6)),
        *some("succeeded", range(6, MANY)),
    ]


def fleet(store: Store, **given: str) -> dict[str, Row]:
    return {
        str(row["item"]): row
        for row in store.ask(given, NOW, "home").rows
        if row["section"] in ("fleet", "note")
    }


def test_the_capped_rate_and_the_affected_share_come_first_in_both_windows_with_intervals(
    store: Store,
) -> None:
    store.write(looped())
    rows = store.ask({}, NOW, "home").rows
    assert [row["item"] for row in rows[:2]] == ["capped rate", "affected share"]
    share = rows[1]
    assert (share["value"], share["before"]) == (6 / MANY, 1 / MANY)
    assert share["delta"] == pytest.approx(5 / MANY)
    low, high, old_low, old_high = (
        float(beta.ppf(place, failed + 0.5, MANY - failed + 0.5))
        for failed in (6, 1)
        for place in (0.05, 0.95)
    )
    assert share["delta_low"] == pytest.approx(
        5 / MANY - ((6 / MANY - low) ** 2 + (old_high - 1 / MANY) ** 2) ** 0.5
    )
    assert share["delta_high"] == pytest.approx(
        5 / MANY + ((high - 6 / MANY) ** 2 + (1 / MANY - old_low) ** 2) ** 0.5
    )
    assert list(FIGURES).index("failure rate") > list(FIGURES).index("users")


def test_under_ten_users_a_change_has_no_interval(store: Store) -> None:
    store.write([*some("failed", range(9), MONTH_AGO), *some("failed", range(MANY))])
    assert fleet(store)["affected share"]["delta"] is None


def test_a_sentence_says_where_the_naive_rate_and_the_failure_that_users_meet_disagree(store: Store) -> None:
    store.write(looped())
    found = fleet(store)
    assert found["failure rate"]["value"] < found["failure rate"]["before"]  # type: ignore[operator]
    assert found["affected share"]["value"] > found["affected share"]["before"]  # type: ignore[operator]
    sentence = disagree(
        {"failure_rate": 0.1, "capped_rate": 0.06}, {"failure_rate": 0.4, "capped_rate": 0.04}
    )
    assert sentence.startswith("The share of syncs that failed fell while the failure that users meet rose")
    reverse = disagree({"failure_rate": 0.4, "capped_rate": 0.04}, {"failure_rate": 0.1, "capped_rate": 0.06})
    assert reverse.startswith("The share of syncs that failed rose while the failure that users meet fell")
    assert not disagree({"failure_rate": 0.1, "capped_rate": 0.1}, {"failure_rate": 0.4, "capped_rate": 0.4})
    assert not disagree({"failure_rate": 0.1, "capped_rate": 0.1}, {})


def test_the_disagreement_stands_in_every_form(store: Store) -> None:
    store.write(looped())
    table = store.ask({}, NOW, "home")
    sentence = next(str(row["text"]) for row in table.rows if row["item"] == "disagreement")
    assert sentence in str(render.to_text(table).caption)
    assert sentence in render.to_csv(table)
    assert sentence.encode() in render.to_json(table)


def test_the_default_window_ends_with_yesterday_and_today_stands_apart(store: Store) -> None:
    store.write([*some("succeeded", range(3)), *some("failed", range(2), NOW - HOUR)])
    found = fleet(store, until="yesterday")
    assert found["attempted syncs"]["value"] == 3
    reported = found["today so far"]
    assert (reported["attempts"], reported["failed"], reported["units"]) == (2, 2, 2)
    assert str(reported["text"]).startswith("Today so far: 2 syncs, 2 failed")
    including = fleet(store, until="today")
    assert including["attempted syncs"]["value"] == 5
    assert "today so far" not in including


def test_while_no_whole_day_has_data_the_window_ends_with_today(store: Store) -> None:
    store.write(some("failed", range(2), NOW - HOUR))
    table = store.ask({"until": "yesterday"}, NOW, "home")
    assert table.parameters["until"] == NOW.date().isoformat()
    assert [row["value"] for row in table.rows if row["item"] == "attempted syncs"] == [2]


def test_failures_by_class_in_both_windows(store: Store) -> None:
    store.write(
        [
            sync("failed", error="AirbyteConnectorCheckFailedError"),
            sync("failed", session="b"),
            sync("failed", session="c"),
            sync("failed", MONTH_AGO, session="d"),
        ]
    )
    rows = store.ask({}, NOW, "home").rows
    found = {row["item"]: (row["value"], row["before"]) for row in rows if row["section"] == "class"}
    assert found == {"connector": (2, 1), "config": (1, 0)}


def test_a_change_that_may_be_none_is_in_brackets() -> None:
    from app.reports.definitions.connectors import CONNECTORS  # noqa: PLC0415

    [heading] = [each for each in CONNECTORS.headings if each.form == "signed"]
    sure: Row = {"delta": 0.05, "delta_low": 0.01, "delta_high": 0.09}
    assert render.draw(heading, sure) == "+5.0"
    assert not render.is_faint(heading, sure)
    assert render.draw(heading, sure | {"delta_low": -0.01}) == "(+5.0)"
    assert render.is_faint(heading, sure | {"delta_low": -0.01})
