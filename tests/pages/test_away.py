"""What the pages show while there is no database and nothing in memory."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from app.pages.entrance import Entrance
from app.pages.routes import create_router
from app.pages.session import Session
from app.reports.cache import open_tables
from app.reports.readers import Readers
from app.store.connectors import Entry
from app.store.database import open_engine
from app.web.peers import Peers
from tests.reports.test_http import listen

TOKEN = "a-token-of-the-test"


@pytest.fixture
def without_database() -> Iterator[httpx.Client]:
    engine = open_engine("postgresql://nobody@127.0.0.1:9/nothing")
    app = FastAPI()
    app.include_router(
        create_router(
            engine,
            open_tables(engine, ()),
            Entrance(Session(Readers(TOKEN)), Peers(())),
            lambda: {"source-faker": Entry()},
            lambda: True,
        )
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
