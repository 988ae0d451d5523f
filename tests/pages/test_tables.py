"""Tables in memory: served at once, renewed behind, never to another reader; and what is shown while there is no database."""

import datetime as dt
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from app.pages.routes import create_router, open_tables
from app.pages.tables import MOST, Tables
from app.problems import Problem
from app.reports import registry
from app.reports.model import Table
from app.store.connectors import Entry
from app.store.database import open_engine
from tests.look import wait_until
from tests.reports.test_http import listen

TOKEN = "a-token-of-the-test"
OLD = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def make_table(as_of: dt.datetime, **parameters: str | int | None) -> Table:
    report = registry.find("funnel")
    return Table(report, parameters, as_of, report.columns, [], 0)


def test_each_reader_gets_what_was_asked_for() -> None:
    tables = Tables(lambda _name, given: make_table(dt.datetime.now(dt.UTC), **dict(given)))
    for window in ("7d", "28d", "7d"):
        assert tables.find("funnel", window=window).parameters == {"window": window}


def test_no_more_than_so_many_are_kept() -> None:
    tables = Tables(lambda _name, given: make_table(dt.datetime.now(dt.UTC), **dict(given)))
    for number in range(MOST + 5):
        tables.find("funnel", window=f"{number + 1}d")
    assert len(tables.kept) == MOST


def test_an_old_table_is_served_at_once_and_renewed_once() -> None:
    made: list[int] = []

    def compute(_name: str, _given: list[tuple[str, str]]) -> Table:
        made.append(len(made))
        return make_table(OLD if len(made) == 1 else dt.datetime.now(dt.UTC))

    tables = Tables(compute)
    assert tables.find("funnel").as_of == OLD
    assert tables.find("funnel").as_of == OLD
    wait_until(lambda: tables.find("funnel").as_of != OLD, "not renewed")
    assert made == [0, 1]


def test_the_last_good_figures_stay_while_the_database_is_away() -> None:
    away = False

    def compute(_name: str, _given: list[tuple[str, str]]) -> Table:
        if away:
            raise Problem(503, "database_unavailable", "The database cannot answer right now.")
        return make_table(OLD)

    tables = Tables(compute)
    tables.find("funnel")
    away = True
    assert tables.find("funnel").as_of == OLD
    wait_until(lambda: tables.is_failing, "not told")
    assert tables.find("funnel").as_of == OLD


@pytest.fixture
def without_database() -> Iterator[httpx.Client]:
    engine = open_engine("postgresql://nobody@127.0.0.1:9/nothing")
    app = FastAPI()
    app.include_router(
        create_router(engine, open_tables(engine, ()), TOKEN, lambda: {"source-faker": Entry()}, lambda: True)
    )
    for url in listen(app):
        with httpx.Client(base_url=url, timeout=60) as client:
            client.get("/reports", params={"token": TOKEN})
            yield client


@pytest.mark.parametrize("path", ["/reports", "/reports/live", "/reports/connectors/source-faker"])
def test_without_figures_the_page_says_that_events_are_safe(
    without_database: httpx.Client, path: str
) -> None:
    answer = without_database.get(path)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "Events are safe: they wait in the spool" in answer.text
    assert '<meta http-equiv="refresh" content="5">' in answer.text


def test_without_figures_the_twin_is_a_problem(without_database: httpx.Client) -> None:
    answer = without_database.get("/reports/connectors.json")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
