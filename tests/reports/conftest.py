"""One database for all tests of the reports, emptied between them: cheaper than a copy for each."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import create_engine

from app.rollups.worker import Worker
from app.store.database import open_engine, parse_url
from tests.conftest import copied_database
from tests.reports.rows import Store
from tests.rollups.ledger import Ledger


@pytest.fixture(scope="session")
def reports_url(cluster_url: str, administer: "psycopg.Connection[tuple[object, ...]]") -> Iterator[str]:
    with copied_database(cluster_url, administer, "reports") as url:
        yield url


@pytest.fixture
def store(reports_url: str) -> Iterator[Store]:
    writer, reader = create_engine(parse_url(reports_url)), open_engine(reports_url)
    store = Store(writer, reader, Worker(reports_url))
    yield store
    store.clear()
    store.close()
    writer.dispose()
    reader.dispose()


@pytest.fixture
def ledger(reports_url: str) -> Iterator[Ledger]:
    ledger = Ledger(reports_url)
    ledger.clear()
    yield ledger
    ledger.clear()
    ledger.close()
