"""Rarely used versions are one row, `other (n)`; a user who used several of them counts once in it."""

import pytest

from tests.reports.rows import DAY, NOON, NOW, Store, Stored, sync
from tests.reports.test_every_report import ask

SHOWN = 50
RARE = 12


def used(version: str, times: int, field: str = "source_version") -> list[Stored]:
    """Syncs with a version, by a user and on a day each; the last by one user of all versions."""
    units = [*(f"{version} {n}" for n in range(times - 1)), "everybody"]
    return [
        sync("succeeded", NOON - n * DAY, unit=unit, session=f"{version} {unit}", **{field: version})
        for n, unit in enumerate(units)
    ]


def fleet(field: str) -> list[Stored]:
    """`SHOWN` versions that two users have, and rare ones that only one has."""
    often = [row for n in range(SHOWN) for row in used(f"1.{n}.0", 2, field)]
    rarely = [row for n in range(RARE) for row in used(f"9.{n}.0", 1, field)]
    return [*rarely, *often]


@pytest.mark.parametrize("field", ["source_version", "version"])
def test_versions_beyond_the_most_used_are_one_row(store: Store, field: str) -> None:
    store.write([*fleet(field), *used("other", 3, field)])
    asked = {"connector": "source-faker"} if field == "source_version" else {}
    rows = {row["version"]: row for row in store.ask(asked, NOW, "versions").rows}
    assert len(rows) == SHOWN + 1
    folded = rows[f"other ({RARE})"]
    assert folded["units"] == 3  # everybody, and two of the stored `other`
    assert folded["attempts"] == RARE + 3
    assert rows["1.7.0"]["units"] == 2
    if field == "version":
        table = ask(store, "platforms").rows
        values = {row["value"]: row for row in table if row["dimension"] == "pyairbyte"}
        assert values.keys() == rows.keys()
        assert values[f"other ({RARE})"]["units"] == 3


def test_the_page_of_a_connector_folds_them_too(store: Store) -> None:
    store.write(fleet("source_version"))
    rows = ask(store, "connector").rows
    items = {row["item"]: row for row in rows if row["section"] == "version"}
    assert items.keys() == {*(f"1.{n}.0" for n in range(SHOWN)), f"other ({RARE})"}
    assert items[f"other ({RARE})"]["units"] == 1


def test_few_versions_stand_alone(store: Store) -> None:
    store.write([row for n in range(SHOWN) for row in used(f"1.{n}.0", 1)])
    names = {row["version"] for row in ask(store, "versions").rows}
    assert names == {f"1.{n}.0" for n in range(SHOWN)}


def test_what_was_stored_as_other_stands_as_other(store: Store) -> None:
    store.write([*used("1.0.0", 2), *used("other", 2)])
    names = {row["version"] for row in ask(store, "versions").rows}
    assert names == {"1.0.0", "other"}
