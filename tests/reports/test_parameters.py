"""What a report may be asked, and how it refuses."""

import datetime as dt

import pytest

from app.problems import Problem
from app.reports.definitions.connectors import CONNECTORS
from app.reports.parameters import Parameters
from app.reports.parsing import parse
from tests.reports.rows import NOW


def asked(**given: str) -> Parameters:
    return parse(CONNECTORS, given.items(), NOW)


def test_defaults() -> None:
    assert asked().describe() == {
        "window": "28d",
        "until": "2026-11-22",
        "role": "source",
        "lane": "rated",
        "ci": "exclude",
        "prerelease": "exclude",
        "version": None,
        "connector": None,
        "users": "all",
        "key": None,
        "denied": "exclude",
        "series": "none",
        "sort": "burden",
        "limit": 10_000,
    }


def test_the_window_is_whole_utc_days_up_to_and_including_until() -> None:
    parameters = asked(window="7d", until="2026-03-01")
    assert (parameters.first_day, parameters.until) == (dt.date(2026, 2, 23), dt.date(2026, 3, 1))
    assert parameters.prior_from == dt.date(2026, 2, 16)


def test_today_is_utc() -> None:
    tokyo = dt.datetime(2026, 11, 24, 8, tzinfo=dt.timezone(dt.timedelta(hours=9)))
    assert parse(CONNECTORS, [("until", "today")], tokyo).until == dt.date(2026, 11, 23)
    assert parse(CONNECTORS, [], tokyo).until == dt.date(2026, 11, 22)


def test_the_window_ends_with_yesterday_once_a_whole_day_has_figures() -> None:
    today, yesterday = NOW.date(), NOW.date() - dt.timedelta(days=1)
    for given in ({}, {"until": "yesterday"}):
        assert asked(**given).end_with_data(yesterday, today).until == yesterday
        assert asked(**given).end_with_data(today, today).until == today
        assert asked(**given).end_with_data(None, today).until == today
    for until in ("today", "2026-11-22"):
        assert asked(until=until).end_with_data(None, today).until == asked(until=until).until


def test_what_was_described_can_be_asked_again() -> None:
    given = {
        "window": "90d",
        "until": "2026-01-31",
        "role": "destination",
        "sort": "units",
        "limit": "5",
        "ci": "only",
    }
    described = asked(**given).describe()
    assert described.items() >= {**given, "limit": 5}.items()
    again = {name: str(value) for name, value in described.items() if value is not None}
    assert asked(**again).describe() == described


def test_naming_a_version_asks_for_it_even_if_it_is_a_prerelease() -> None:
    assert asked(version="1.0.0rc37").prerelease == "include"
    assert asked(version="1.0.0rc37", prerelease="exclude").prerelease == "exclude"


BAD = {
    "window": ["", "28", "28h", "0d", "-1d", "401d", "28d ", "२८d", "1e1d", "9999999d"],
    "until": [
        "",
        "2026-02-30",
        "20261123",
        "2026-11-23T00:00:00Z",
        "1999-01-01",
        "2100-01-01",
        "२०२६-११-२३",
    ],
    "role": ["", "Source", "both"],
    "lane": ["", "all", "rated,cache"],
    "ci": ["", "true", "Exclude"],
    "prerelease": ["", "yes"],
    "version": ["", "1", "latest", "1.2.3; DROP TABLE events", "1.2.3\n", "1.2.3rcx"],
    "sort": ["", "name", "regressions", "-burden"],
    "connector": ["", "fakes", "Source-fakes", "source-fakes;", "source-jane@example.com", "x" * 80],
    "users": ["", "none", "Settled"],
    "key": ["", "two\nlines", "\x00", "x" * 101],
    "denied": ["", "only"],
    "limit": ["", "0", "-1", "10001", "1.5", "١٠", "99999999999"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values]
)
def test_bad_value(name: str, value: str) -> None:
    with pytest.raises(Problem) as caught:
        asked(**{name: value})
    problem = caught.value
    assert (problem.status, problem.code) == (400, "invalid_parameter")
    assert problem.detail.startswith(f"The parameter {name} takes ")
    assert len(value) < 4 or value not in problem.detail


def test_unknown_parameter_is_not_echoed() -> None:
    with pytest.raises(Problem) as caught:
        asked(jane_doe="x")
    assert caught.value.code == "unknown_parameter"
    assert "jane_doe" not in caught.value.detail
    assert "window" in caught.value.detail


def test_repeated_parameter() -> None:
    with pytest.raises(Problem) as caught:
        parse(CONNECTORS, [("ci", "only"), ("ci", "include")], NOW)
    assert caught.value.code == "repeated_parameter"
