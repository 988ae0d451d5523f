"""How long succeeded syncs take: which count, for how much, and the percentiles against the oracle's."""

import datetime as dt
from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.reports.model import Row
from app.reports.parsing import parse
from app.reports.registry import REPORTS
from tests.reports.oracle import connector_of
from tests.reports.rows import HOUR, NOON, NOW, Store, Stored, sync
from tests.reports.test_oracle import tally, target_of
from tests.reports.test_recomputation import compare_durations

WITHIN = 0.0906  # half a class of four a doubling: 2^(1/8)


def took(seconds: float, unit: str, end: str = "succeeded", **fields: object) -> list[Stored]:
    """A sync of a session of its own that took so long."""
    session = f"{unit} {seconds} {sorted(fields.items())}"
    at = fields.pop("at", NOON)
    assert isinstance(at, dt.datetime)
    words = {"unit": unit, "session": session, **fields}
    return [
        sync("started", at, **words),  # type: ignore[arg-type]
        sync(end, at + dt.timedelta(seconds=seconds), **words),  # type: ignore[arg-type]
    ]


def join(parts: Iterable[list[Stored]]) -> list[Stored]:
    return [row for part in parts for row in part]


def test_half_of_the_syncs_take_no_longer_than_the_median_and_nine_in_ten_than_p90(store: Store) -> None:
    store.write(join(took(10 * number, f"user {number}") for number in range(1, 11)))
    row = store.report()["source-faker"]
    assert row["timed"] == 10
    assert row["duration_p50"] == pytest.approx(50, rel=WITHIN)
    assert row["duration_p90"] == pytest.approx(90, rel=WITHIN)


def test_a_users_day_weighs_five_syncs_so_that_no_loop_decides(store: Store) -> None:
    loop = join(took(3, "looper", at=NOON + n * dt.timedelta(minutes=1)) for n in range(100))
    store.write([*loop, *join(took(60, f"user {number}") for number in range(6))])
    row = store.report()["source-faker"]
    assert row["timed"] == 106
    assert row["duration_p50"] == pytest.approx(60, rel=WITHIN)


def test_only_a_success_between_two_ends_in_order_is_timed(store: Store) -> None:
    """Failed and canceled ones take as long as they take to fail; an orphan has no start; an end before its
    start, or over a week after it, is a clock's."""
    store.write(
        [
            *took(5, "ann", "failed"),
            *took(6, "ann", "canceled"),
            *took(-7, "ann"),
            *took(0, "ann"),
            *took(8 * 86_400, "ann", at=NOW - dt.timedelta(days=9)),
            sync("succeeded", unit="ann", session="orphan"),
        ]
    )
    row = store.report()["source-faker"]
    assert (row["succeeded"], row["timed"]) == (4, 0)
    assert (row["duration_p50"], row["duration_p90"]) == (None, None)


def test_a_correction_of_one_end_adds_no_hours(store: Store) -> None:
    """The clock is the same at both ends; what arrival corrected of one says nothing of how long it took."""
    start, end = took(90, "ann")
    store.write([start | {"corrected_at": NOON - 3 * HOUR}, end])
    assert store.report()["source-faker"]["duration_p50"] == pytest.approx(90, rel=WITHIN)


def test_an_end_that_comes_later_times_its_start(store: Store) -> None:
    start, end = took(45, "ann")
    store.write([start])
    assert store.report()["source-faker"]["timed"] == 0
    store.write([end])
    assert store.report()["source-faker"]["timed"] == 1


SYNCS = st.lists(
    st.tuples(
        st.integers(1, 40_000),  # tenths of a second
        st.sampled_from(["ann", "bob", "cho", "dan"]),
        st.sampled_from(["source-faker", "source-faker", "source-file"]),
        st.sampled_from(["1.2.3", "1.3.0"]),
        st.sampled_from([None, None, "destination-csv"]),
        st.integers(0, 3).map(lambda days: NOON - dt.timedelta(days=10 * days)),
    ),
    min_size=5,
    max_size=40,
)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(fleet=SYNCS)
def test_percentiles_are_those_of_the_oracle(store: Store, fleet: list[tuple[object, ...]]) -> None:
    rows = join(
        took(
            int(str(tenths)) / 10,
            f"{unit}",
            at=at,
            source=source,
            source_version=version,
            destination=into,
        )
        for tenths, unit, source, version, into, at in fleet
    )
    store.clear()
    store.write(rows)
    asked = parse(REPORTS["connectors"], {"until": "today"}.items(), NOW)

    def check(found: dict[object, Row], expected: dict[object, object]) -> None:
        assert found.keys() == expected.keys()
        for key, total in expected.items():
            compare_durations(found[key], total)  # type: ignore[arg-type]

    connectors: dict[object, Row] = {row["connector"]: row for row in store.table().rows}
    check(connectors, dict(tally(rows, asked, lambda row: [row["source_name"]])))
    pairs: dict[object, Row] = {
        (row["source"], row["target"]): row for row in store.ask({}, report="pairs").rows
    }
    check(pairs, dict(tally(rows, asked, lambda row: [(connector_of(row, "source"), target_of(row))])))
    own = [row for row in rows if row["source_name"] == "source-faker"]
    sections = ("total", "version", "with")
    reported: dict[object, Row] = {
        (row["section"], row["item"]): row
        for row in store.ask({"name": "source-faker"}, report="connector").rows
        if row["section"] in sections and row["attempts"]
    }
    expected = tally(
        own,
        asked,
        lambda row: [
            ("total", ""),
            ("version", row["source_version"]),
            ("with", target_of(row)),
        ],
    )
    check(reported, dict(expected))
