"""The pictures: what they draw adds up, and nothing that a report can hold breaks one."""

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.pages import charts
from app.pages.charts.days import OUTCOMES, join_weeks
from app.pages.charts.drawing import find_ticks, say_count

HEIGHT = 150
MANY = 1_000_000
LONG = "source-" + "x" * 53  # 60 letters
COUNTS = st.integers(0, MANY)


def parse(markup: str) -> ElementTree.Element:
    """The picture, which is well formed; nothing in it needs an exception from the policy of the pages."""
    assert "style=" not in markup
    assert "<script" not in markup
    return ElementTree.fromstring(markup)  # noqa: S314 -- our own


def make_day(number: int, **counts: int | None) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys((*OUTCOMES, "attempts", "units", "failure_rate_7d"), None)
    return {**row, "item": f"2026-11-{number + 1:02d}", **counts}


def say(row: Any) -> str:
    return f"{row['item']} <&>"


@given(st.lists(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS), min_size=1, max_size=28))
def test_parts_of_a_stack_add_up_to_its_height(days: list[tuple[int, int, int, int]]) -> None:
    rows = [
        make_day(number, **dict(zip(OUTCOMES, counts, strict=True))) for number, counts in enumerate(days)
    ]
    picture = parse(charts.days(rows, say, "Syncs", height=HEIGHT))
    top = find_ticks(max(sum(counts) for counts in days), 3)[-1]
    groups = [group for group in picture.iter("g") if group.get("class") == "slot"]
    assert len(groups) == len(days)
    for group, counts in zip(groups, days, strict=True):
        drawn = [rect for rect in group.iter("rect") if rect.get("class") in OUTCOMES]
        assert [rect.get("class") for rect in drawn] == [
            name for name, number in zip(OUTCOMES, counts, strict=True) if number
        ]
        if drawn:
            assert float(drawn[-1].get("y", "")) == pytest.approx(
                HEIGHT - sum(counts) / top * HEIGHT, abs=0.06
            )


@given(st.lists(st.tuples(COUNTS, COUNTS, COUNTS), min_size=1, max_size=30))
def test_minutes_add_up(counted: list[tuple[int, int, int]]) -> None:
    names = ("rejected", "duplicate", "accepted")
    rows = [{"minute": f"09:{i:02d}", **dict(zip(names, row, strict=True))} for i, row in enumerate(counted)]
    picture = parse(charts.minutes(rows, height=HEIGHT))
    top = find_ticks(max(sum(row) for row in counted), 2)[-1]
    groups = [group for group in picture.iter("g") if "slot" in (group.get("class") or "")]
    for group, row in zip(groups, counted, strict=True):
        drawn = [rect for rect in group.iter("rect") if rect.get("class") != "hit"]
        if drawn:
            assert float(drawn[-1].get("y", "")) == pytest.approx(HEIGHT - sum(row) / top * HEIGHT, abs=0.06)


@given(st.lists(st.tuples(st.sampled_from(["succeeded", "canceled"]), st.text(), COUNTS), max_size=6))
def test_shares_stay_inside_and_are_seen(parts: list[tuple[str, str, int]]) -> None:
    clean = [(name, re.sub(r"[^\w ]", "", label), number) for name, label, number in parts]
    for rect, (_, _, number) in zip(parse(charts.share(clean)).iter("rect"), clean, strict=True):
        wide = float(rect.get("width", "").rstrip("%"))
        assert (wide >= 0.15) == (number > 0)
        assert float(rect.get("x", "").rstrip("%")) + wide <= 100.02


@pytest.mark.parametrize("length", [0, 1, 2, 28, 90, 365])
def test_any_number_of_days_draws(length: int) -> None:
    rows = [{**make_day(0), "item": f"20{10 + n // 300:02d}-01-{n % 28 + 1:02d}"} for n in range(length)]
    parse(charts.days(rows, say, "Syncs", rate="failure_rate_7d"))
    parse(charts.spark([None] * length))
    parse(charts.spark([float(n) for n in range(length)], before=[1.0] * length))
    parse(charts.area([("1.0.0", [0.5] * length)], [str(row["item"]) for row in rows], "Adoption"))
    parse(charts.evidence([(str(row["item"]), 1e300) for row in rows], "a version"))
    parse(charts.minutes([{"minute": "00:00"}] * length))


@pytest.mark.parametrize(("length", "labels"), [(1, 1), (7, 7), (14, 7), (28, 4), (60, 5), (90, 4)])
def test_days_have_as_many_labels_as_there_is_room_for(length: int, labels: int) -> None:
    rows = [{**make_day(0), "item": f"20{10 + n:02d}-01-01"} for n in range(length)]
    assert charts.days(rows, say, "Syncs").count('class="tick x') == labels


def test_weeks_hold_what_their_days_held() -> None:
    rows = [make_day(number, failed=number, succeeded=MANY) for number in range(17)]
    weeks = join_weeks(rows)
    assert [row["item"] for row in weeks] == ["2026-11-01", "2026-11-04", "2026-11-11"]
    assert sum(row["failed"] for row in weeks) == sum(range(17))


@given(st.one_of(st.none(), st.floats(0, 1)), st.one_of(st.none(), st.floats(0, 1)))
def test_cells_take_any_rate_and_none(rate: float | None, other: float | None) -> None:
    for markup in (
        charts.interval(rate, other, other, 0.45, other),
        charts.dot(rate, 1.0, other, few=True),
        charts.moved(rate, other, 0.1),
        charts.bar(rate, other, more=0.2),
    ):
        for rect in parse(markup).iter("rect"):
            assert 0 <= float(rect.get("width", "").rstrip("%")) <= 100


@given(st.lists(st.tuples(st.integers(10, MANY), st.one_of(st.none(), st.floats(0, 1))), max_size=40))
def test_the_map_names_every_dot_and_escapes(found: list[tuple[int, float | None]]) -> None:
    rows = [{"connector": LONG, "units": units, "capped_rate": rate} for units, rate in found]
    picture = parse(
        charts.scatter(rows, lambda row: f"/reports/connectors/{row['connector']}?a=1&b=2", say_connector)
    )
    links = list(picture.iter("a"))
    assert len(links) == len(rows)
    assert all(link.get("aria-label") == f'{LONG} "<&>' for link in links)


def say_connector(row: Any) -> str:
    return f'{row["connector"]} "<&>'


def test_the_same_rows_give_the_same_bytes() -> None:
    rows = [make_day(number, failed=number, abandoned=1) for number in range(5)]
    assert charts.days(rows, say, "Syncs") == charts.days(rows, say, "Syncs")


@given(st.lists(st.tuples(st.floats(0, MANY), st.booleans()), max_size=60))
def test_weeks_are_as_tall_as_their_amounts(found: list[tuple[float, bool]]) -> None:
    rows = [
        {"week": f"20{10 + n // 12:02d}-{n % 12 + 1:02d}-01", "burden": value, "low_data": few}
        for n, (value, few) in enumerate(found)
    ]
    picture = parse(charts.weeks(rows, "burden", lambda row: f"{row['week']} <&>", "Burden", height=HEIGHT))
    groups = [group for group in picture.iter("g") if group.get("class") == "slot"]
    assert len(groups) == len(rows)
    top = find_ticks(max((value for value, _ in found), default=0), 3)[-1]
    for group, (value, _) in zip(groups, found, strict=True):
        [drawn] = [rect for rect in group.iter("rect") if rect.get("class") == "bar-ink"]
        tall = float(drawn.get("height", ""))
        assert tall == pytest.approx(max(value / top * HEIGHT, 1.0) if value else 0, abs=0.06)
    small = [rect.get("class") for rect in parse(charts.steps(rows, "burden")).iter("rect")]
    assert small == ["canceled" if few else "bar-ink" for _, few in found]


SHARES = st.one_of(st.none(), st.floats(0, 1))


@given(st.lists(st.tuples(SHARES, SHARES), max_size=12))
def test_recoveries_stand_where_their_shares_are(found: list[tuple[float | None, float | None]]) -> None:
    rows = [{"connector": LONG, "recovered_share": good, "lost_share": lost} for good, lost in found]
    picture = parse(charts.recoveries(rows, say_connector, "Recoveries"))
    for group, shares in zip(
        [group for group in picture.iter("g") if group.get("class") == "slot"], found, strict=True
    ):
        places = [float(dot.get("cx", "").rstrip("%")) for dot in group.iter("circle")]
        assert places == pytest.approx([share * 100 for share in shares if share is not None], abs=0.006)


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0"), (2.5, "2.5"), (7_500, "7,500"), (25_000, "25k"), (1.5e6, "1.5M"), (4e7, "40M")],
)
def test_an_axis_says_counts_in_few_characters(value: float, said: str) -> None:
    assert say_count(value) == said


def test_today_is_dashed_and_no_other_day() -> None:
    rows = [make_day(number, failed=1, succeeded=2) | {"failure_rate_7d": 0.1} for number in range(5)]
    whole = charts.days(rows, say, "Syncs", rate="failure_rate_7d", today="2026-11-06")
    assert "partial" not in whole
    assert "partial" in charts.days(rows, say, "Syncs", rate="failure_rate_7d", today="2026-11-05")
