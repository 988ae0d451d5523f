"""The login: a cookie that is worth nothing without the token, and forms that only our own pages may send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.pages.session import SECONDS, Session, check_origin, find_way_back
from app.problems import Problem
from app.reports.readers import Readers

NOW = 1_800_000_000.0


def make_session(token: str = "a-token") -> Session:
    return Session(Readers(token), lambda: NOW)


def sign(session: Session, expiry: int) -> str:
    return session.sign(session.readers.by_number[0], expiry)


def test_a_cookie_lasts_thirty_days_and_no_longer() -> None:
    session = make_session()
    value = sign(session, int(NOW) + SECONDS)
    assert session.is_open(value)
    session.clock = lambda: NOW + SECONDS
    assert not session.is_open(value)


def test_a_new_token_logs_everybody_out() -> None:
    assert not make_session("another").is_open(sign(make_session(), int(NOW) + 10))


@given(st.text())
def test_nothing_made_up_is_a_cookie(text: str) -> None:
    assert not make_session().is_open(text)


@given(st.integers(0, 10**11), st.integers(0, 75))
def test_a_changed_cookie_is_none(expiry: int, place: int) -> None:
    value = sign(make_session(), int(NOW) + 10)
    changed = value[:place] + ("0" if value[place : place + 1] != "0" else "1") + value[place + 1 :]
    assert not make_session().is_open(changed)


def test_the_sixth_wrong_token_of_an_address_waits() -> None:
    session = make_session()
    for _ in range(5):
        with pytest.raises(Problem) as refused:
            session.readers.require("wrong", "10.0.0.1")
        assert refused.value.status == 401
    with pytest.raises(Problem) as refused:
        session.readers.require("wrong", "10.0.0.1")
    assert (refused.value.status, refused.value.code) == (429, "too_many_requests")
    session.readers.require("a-token", "10.0.0.1")  # who knows it is never kept out


@pytest.mark.parametrize(
    ("origin", "fetch_site", "is_ours"),
    [
        (None, None, True),
        ("http://host:1", None, True),
        ("http://host:1", "same-origin", True),
        ("null", "same-origin", True),  # what browsers send from a page without referrer
        ("null", None, False),
        ("null", "cross-site", False),
        ("http://host:2", None, False),
        ("http://evil.example", "same-site", False),
        (None, "cross-site", False),
    ],
)
def test_only_our_own_forms_are_taken(origin: str | None, fetch_site: str | None, is_ours: bool) -> None:
    if is_ours:
        check_origin(origin, "host:1", fetch_site)
        return
    with pytest.raises(Problem) as refused:
        check_origin(origin, "host:1", fetch_site)
    assert refused.value.code == "wrong_origin"


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example/reports",
        "https://evil.example/reports",
        "/reportsx",
        "/\\evil",
        "/v1/track",
        "/reports/login",
        "",
    ],
)
def test_the_way_back_is_ours(path: str) -> None:
    assert find_way_back(path) == "/reports"


def test_the_way_back_keeps_the_question() -> None:
    assert find_way_back("/reports/connectors?window=7d") == "/reports/connectors?window=7d"
