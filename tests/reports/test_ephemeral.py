"""Containers mint an id each run: what they count for."""

import pytest

from tests.reports.rows import HOUR, NOON, Store, Stored, pseudonym, sync


def container(number: int, state: str = "failed", setup: str | None = None, **fields: object) -> Stored:
    """A run in a container that minted its id with its session; `setup` is what it is configured with."""
    return sync(
        state,
        NOON - number * HOUR,
        unit=f"container {number}",
        session=f"container {number}",
        first_run=True,
        setup=pseudonym(setup),
        **fields,  # type: ignore[arg-type]
    )


def test_ids_of_one_setup_that_were_never_kept_are_one_user(store: Store) -> None:
    store.write([container(number, setup="nightly") for number in range(30)])
    store.write([container(30 + number) for number in range(3)])
    row = store.report()["source-faker"]
    assert (row["attempts"], row["units"], row["affected_units"], row["use_cases"]) == (33, 4, 4, 4)
    assert row["ephemeral_share"] == 1.0


def test_who_is_still_ephemeral_counts_as_far_as_its_attempts_go(store: Store) -> None:
    """Nine users who last and weigh 5: the mean is 5, so one attempt of a container is a fifth of a user."""
    lasting = [sync("succeeded", unit=f"user {n % 9}", session=f"user {n}") for n in range(45)]
    store.write([*lasting, *(container(number) for number in range(20))])
    row = store.report()["source-faker"]
    assert (row["units"], row["low_data"]) == (29, False)
    assert row["ephemeral_share"] == pytest.approx(20 / 29)
    assert row["weighed_units"] == pytest.approx(9 + 20 / 5)
    assert row["capped_rate"] == pytest.approx(20 / 65)
    assert row["burden"] == pytest.approx(13 * 20 / 65)


def test_an_id_that_is_kept_once_lasts(store: Store) -> None:
    store.write([container(5)])
    assert store.report()["source-faker"]["weighed_units"] == pytest.approx(1 / 5)
    store.write([sync("failed", unit="container 5", session="second")])
    row = store.report()["source-faker"]
    assert (row["weighed_units"], row["ephemeral_share"]) == (1.0, 0.0)
