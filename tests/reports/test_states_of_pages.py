"""The states of a page beside figures: stale, partial, provisional, unavailable, broken; over a real database
whose connections can be refused."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from sqlalchemy import delete

from app.pages.entrance import Entrance
from app.pages.routes import create_router
from app.pages.session import Session
from app.reports.cache import open_tables
from app.reports.readers import Readers
from app.store.connectors import Entry
from app.store.database import open_engine
from app.store.tables.rollups import dirty_sessions
from app.web.peers import Peers
from tests.reports.rows import Store, mark, sync
from tests.reports.test_http import listen

TOKEN = "a-token-of-the-test"
HOUR = dt.timedelta(hours=1)


@dataclass
class Stage:
    """A site, and what happens around it."""

    client: httpx.Client
    administer: "psycopg.Connection[tuple[object, ...]]"
    is_spooling: bool = False
    breaks: list[Exception] = field(default_factory=list)

    def part(self) -> None:
        """Let the database refuse whoever comes, and end those who are there."""
        self.administer.execute("ALTER DATABASE reports WITH ALLOW_CONNECTIONS false")
        self.administer.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = 'reports' AND application_name = 'pyairbyte-telemetry reports'"
        )


@pytest.fixture
def stage(
    store: Store, reports_url: str, administer: "psycopg.Connection[tuple[object, ...]]"
) -> Iterator[Stage]:
    store.write(
        [
            sync("failed", dt.datetime.now(dt.UTC) - n * 25 * HOUR, unit=f"{n}", session=f"{n}")
            for n in range(3)
        ]
    )
    engine = open_engine(reports_url)
    tables = open_tables(engine, ())
    found: list[Stage] = []

    def entries() -> Mapping[str, Entry]:
        if found[0].breaks:
            raise found[0].breaks[0]
        return {"source-faker": Entry()}

    app = FastAPI()
    session = Session(Readers(TOKEN))
    app.include_router(
        create_router(engine, tables, Entrance(session, Peers(())), entries, lambda: found[0].is_spooling)
    )
    for url in listen(app):
        with httpx.Client(base_url=url, timeout=60) as client:
            client.get("/reports", params={"token": TOKEN})
            found.append(Stage(client, administer))
            yield found[0]
    administer.execute("ALTER DATABASE reports WITH ALLOW_CONNECTIONS true")
    tables.close()
    tables.pool.shutdown(wait=True)  # or a computation is left with its connection
    engine.dispose()


def test_the_last_good_figures_are_served_with_a_notice_while_the_database_is_away(stage: Stage) -> None:
    assert "last good figures" not in stage.client.get("/reports/connectors").text
    stage.part()
    refused = stage.client.get("/reports/connectors?window=7d")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    answer = stage.client.get("/reports/connectors")
    assert answer.status_code == 200
    assert "The database cannot answer: these are the last good figures." in answer.text
    assert "source-faker" in answer.text


def test_a_notice_says_that_events_wait_in_the_spool(stage: Stage) -> None:
    assert "Events wait in the spool" not in stage.client.get("/reports").text
    stage.is_spooling = True
    assert "Events wait in the spool" in stage.client.get("/reports").text


def test_figures_that_are_behind_say_by_how_much(stage: Stage, store: Store) -> None:
    late = mark(sync("failed")) | {"received_at": dt.datetime.now(dt.UTC) - dt.timedelta(minutes=4)}
    with store.writer.begin() as connection:
        connection.execute(dirty_sessions.insert(), [late])
    try:
        text = stage.client.get("/reports/errors").text
    finally:
        with store.writer.begin() as connection:
            connection.execute(delete(dirty_sessions))
    assert "Events of the last 4 minutes are still to be added." in text


def test_a_window_with_today_is_provisional(stage: Stage) -> None:
    assert "oday is provisional" in stage.client.get("/reports/connectors?until=today").text
    assert "oday is provisional" not in stage.client.get("/reports/connectors").text


def test_an_empty_window_keeps_its_filters_and_leads_on(stage: Stage) -> None:
    for path in ("/reports", "/reports/connectors", "/reports/errors", "/reports/pairs", "/reports/funnel"):
        answer = stage.client.get(path, params={"until": "2025-01-01", "window": "7d"})
        assert answer.status_code == 200, path
        assert "in this window under these filters" in answer.text, path
        assert 'aria-current="true"' in answer.text, path


def test_a_fault_of_ours_says_under_which_reference_it_is_logged_and_nothing_else(stage: Stage) -> None:
    stage.breaks.append(RuntimeError("a secret of the fault"))
    answer = stage.client.get("/reports/connectors/source-faker")
    assert answer.status_code == 500
    assert "Something broke here" in answer.text
    assert "It is logged as" in answer.text
    assert "secret" not in answer.text
    assert "RuntimeError" not in answer.text
