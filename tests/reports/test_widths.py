"""Tables of the terminal at 60, 80, 100 and 120 columns: what goes first, and what stays."""

import pytest

from app.reports.fitting import LEAST_FIRST, order
from app.reports.registry import REPORTS
from tests.reports.snapshots import FOLDER, NAMES, WIDTHS, draw, draw_all


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_looks_as_it_did(name: str) -> None:
    assert draw_all(REPORTS[name]) == (FOLDER / f"{name}.txt").read_text("utf-8"), (
        "python3 -m tests.reports.snapshots"
    )


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", REPORTS)
def test_a_table_has_room_and_names_are_whole(name: str, width: int) -> None:
    text = draw(REPORTS[name], width)
    assert max(map(len, text.splitlines())) <= width
    assert all(any(each in line for line in text.splitlines()) for each in NAMES)
    assert "…" not in text


def test_a_terminal_without_abilities_is_as_wide_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    for width in (60, 120):
        assert draw(REPORTS["connectors"], width) in draw_all(REPORTS["connectors"])


@pytest.mark.parametrize("name", REPORTS)
def test_more_room_never_shows_less(name: str) -> None:
    headers = [" ".join(draw(REPORTS[name], width).split("──")[0].split()[8:]) for width in WIDTHS]
    assert [len(header) for header in headers] == sorted(len(header) for header in headers)


def test_even_a_screen_too_narrow_for_a_name_shows_it() -> None:
    text = draw(REPORTS["connectors"], 20)
    assert "source-facebook-" in text.replace("\n", "")
    assert max(map(len, text.splitlines())) <= 20


def test_what_goes_is_what_reports_have() -> None:
    """A column that was renamed would be the last to go."""
    drawn = {heading.columns[0] for report in REPORTS.values() for heading in report.headings}
    assert set(LEAST_FIRST) - drawn == set()


@pytest.mark.parametrize("name", REPORTS)
def test_the_first_name_never_goes(name: str) -> None:
    headings = REPORTS[name].headings
    (left,) = set(headings) - set(order(headings))
    assert left == next(heading for heading in headings if heading.form == "name")
