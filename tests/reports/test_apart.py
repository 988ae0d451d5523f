"""What says too little is hidden and counted; `custom` and `unknown` stand apart, without a rank."""

import orjson
import pytest

from app.reports import render
from tests.reports.rows import NOW, Store, sync, upgrade


def test_new_versions_of_fewer_than_five_votes_are_hidden_and_counted(store: Store) -> None:
    store.write([*upgrade(4, 0), *upgrade(5, 0, source="source-file")])
    shown = store.ask({"few": "hide"}, NOW, "regressions")
    assert [(row["connector"], row["votes"], row["rank"]) for row in shown.rows] == [("source-file", 5, 1)]
    assert (shown.total, shown.hidden) == (1, 1)
    reported = orjson.loads(render.to_json(shown))
    assert (reported["total"], reported["hidden"]) == (1, 1)
    assert "Hidden for too few users: 1. --few show" in str(render.to_text(shown).caption)
    whole = store.ask({"few": "show"}, NOW, "regressions")
    assert (whole.total, whole.hidden) == (2, 0)


def test_hide_is_the_default(store: Store) -> None:
    store.write(upgrade(4, 0))
    assert store.ask({}, NOW, "regressions").parameters["few"] == "show"  # the tests' own default
    assert store.ask({"few": "hide"}, NOW, "regressions").rows == []


def test_versions_of_fewer_than_five_users_are_hidden(store: Store) -> None:
    rows = [sync("succeeded", unit=f"user {number}", session=str(number)) for number in range(5)]
    store.write([*rows, sync("failed", unit="x", session="x", version="0.70.0")])
    shown = store.ask({"few": "hide"}, NOW, "versions")
    assert [(row["version"], row["rank"]) for row in shown.rows] == [("0.71.3", 1)]
    assert shown.hidden == 1


def test_not_enough_data_says_what_it_excludes(store: Store) -> None:
    store.write(upgrade(12, 0))
    [row] = store.ask({}, NOW, "regressions").rows
    assert row["verdict"] == "not enough data"
    assert row["unlikely_above"] == pytest.approx(1 - 0.1 ** (1 / 12), abs=0.01)


@pytest.mark.parametrize("name", ["custom", "unknown"])
def test_many_connectors_at_once_stand_last_without_rank_or_rate(store: Store, name: str) -> None:
    rows = [
        sync("failed", unit=f"user {number}", session=f"{number} {source}", source=source)
        for number in range(20)
        for source in (name, "source-faker")
    ]
    rows += [
        sync("succeeded", unit=f"user {number}", session=f"{number}", source="source-file")
        for number in range(20)
    ]
    store.write(rows)
    found = store.ask({}, NOW).rows
    assert [(row["rank"], row["connector"]) for row in found] == [
        (1, "source-faker"),
        (2, "source-file"),
        (None, name),
    ]
    assert found[-1]["rate"] is None
    assert found[-1]["burden"] == 20
    pairs = store.ask({}, NOW, "pairs").rows
    assert [row["rank"] for row in pairs if row["source"] == name] == [None]
    top = [row["item"] for row in store.ask({}, NOW, "home").rows if row["section"] == "top"]
    assert name not in top
    assert "source-faker" in top


def test_many_connectors_at_once_do_not_move_the_prior_of_the_others(store: Store) -> None:
    named = [
        sync(state, unit=f"user {number}", session=f"{number} {source}", source=source)
        for source, state in (("source-faker", "failed"), ("source-file", "succeeded"))
        for number in range(20)
    ]
    store.write(named)
    before = store.report()["source-faker"]["rate"]
    store.write(
        [
            sync("failed", unit=f"user {number}", session=f"c {number}", source="custom")
            for number in range(20)
        ]
    )
    assert store.report()["source-faker"]["rate"] == before
