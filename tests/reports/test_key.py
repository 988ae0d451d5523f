"""The filter by write key: staging and production senders apart, in every report."""

from collections.abc import Iterator

import pytest
from sqlalchemy import delete, insert

from app.problems import Problem
from app.reports.registry import REPORTS
from app.store.tables.events import outcomes, write_keys
from tests.reports.rows import DAY, HOUR, NOON, NOW, Store, Stored, pseudonym, sync, upgrade
from tests.reports.test_every_report import fleet

NAMES = ("production", "staging")


@pytest.fixture
def keys(store: Store) -> Iterator[dict[str, int]]:
    """The numbers of two write keys."""
    rows = [
        {"name": name, "created_at": NOW, "key_hash": name.encode().ljust(32), "scopes": ["ingest"]}
        for name in NAMES
    ]
    with store.writer.begin() as connection:
        made = connection.execute(
            insert(write_keys).values(rows).returning(write_keys.c.name, write_keys.c.id)
        )
        numbers: dict[str, int] = {row.name: row.id for row in made}
    yield numbers
    with store.writer.begin() as connection:
        connection.execute(delete(write_keys))
        connection.execute(delete(outcomes))


def under(number: int, rows: list[Stored]) -> list[Stored]:
    """Rows as they come under a write key."""
    return [row | {"write_key": number} for row in rows]


def rename(rows: list[Stored], suffix: str) -> list[Stored]:
    """The same rows of other users, in other sessions."""
    moved = ("anonymous_id", "session_key", "message_key")
    return [
        row | {name: pseudonym(f"{row[name]} {suffix}") for name in moved if row[name] is not None}
        for row in rows
    ]


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_every_report_of_a_key_is_that_of_its_users(store: Store, keys: dict[str, int], name: str) -> None:
    """Beside syncs of another key, each report says what it says without them."""
    given = {"name": "source-faker"} if "name" in REPORTS[name].required else {}
    given |= {"connector": "source-faker"} if name == "versions" else {}
    own = under(keys["staging"], [row for row in fleet() if row["anonymous_id"] is not None])
    others = rename(under(keys["production"], [*fleet(), *upgrade(12, 2, "source-file")]), "others")
    store.write(own)
    alone = store.ask(given, NOW, name).rows
    store.write([row for row in others if row["anonymous_id"] is not None])
    everybody = store.ask(given, NOW, name).rows
    asked = store.ask(given | {"key": "staging"}, NOW, name).rows
    assert asked == alone
    assert asked != everybody


def test_a_user_of_two_keys_counts_under_both(store: Store, keys: dict[str, int]) -> None:
    store.write(
        [
            sync("failed", write_key=keys["staging"]),
            sync("succeeded", session="evening", write_key=keys["production"]),
            sync("succeeded", unit="bob", write_key=keys["production"]),
            sync("failed", unit=None, session="nobody", write_key=keys["staging"]),
        ]
    )
    for name, attempts, units in (("staging", 2, 1), ("production", 3, 2)):
        [row] = store.ask({"key": name}, NOW).rows
        assert (row["attempts"], row["units"]) == (attempts, units)
    [row] = store.ask({}, NOW).rows
    assert (row["attempts"], row["units"]) == (4, 2)


def test_what_a_user_sent_under_stays_whatever_comes_later(store: Store, keys: dict[str, int]) -> None:
    for number, key in ((40, "staging"), (3, "production")):
        store.write([sync("succeeded", NOON - number * DAY + HOUR, session=key, write_key=keys[key])])
    for key in NAMES:
        assert len(store.ask({"key": key, "window": "90d", "users": "settled"}, NOW).rows) == 1


def test_events_are_those_that_came_under_the_key(store: Store, keys: dict[str, int]) -> None:
    with store.writer.begin() as connection:
        for number, (key, outcome, count) in enumerate(
            (
                ("staging", "received", 5),
                ("staging", "accepted", 5),
                ("production", "received", 7),
                ("production", "rejected", 7),
            )
        ):
            values = {"hour": NOW.replace(minute=0), "batch_id": f"00000000-0000-0000-0000-{number:012}"}
            connection.execute(
                insert(outcomes).values(bucket=0, write_key=keys[key], outcome=outcome, count=count, **values)
            )
    reported = store.ask({}, NOW, "data-quality").rows
    by_key = {(row["write_key"], row["key"]): row["count"] for row in reported if row["section"] == "by key"}
    assert by_key == {
        ("staging", "received"): 5,
        ("staging", "accepted"): 5,
        ("production", "received"): 7,
        ("production", "rejected"): 7,
    }
    table = store.ask({"key": "staging", "series": "day"}, NOW, "data-quality")
    own = {row["key"]: row["count"] for row in table.rows if row["section"] == "outcome"}
    assert own == {"received": 5, "accepted": 5}
    days = [row for row in table.series or [] if row["section"] == "outcome"]
    assert [(row["key"], row["day"], row["count"]) for row in days] == [
        ("accepted", NOW.date().isoformat(), 5),
        ("received", NOW.date().isoformat(), 5),
    ]


def test_a_key_that_is_none_is_refused_without_an_echo(store: Store, keys: dict[str, int]) -> None:
    with pytest.raises(Problem) as caught:
        store.ask({"key": "stage-jane"}, NOW)
    assert (caught.value.status, caught.value.code) == (400, "invalid_parameter")
    assert "jane" not in caught.value.detail
