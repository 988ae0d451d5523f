"""A database per test with nothing in it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine

from app.store.database import open_engine, parse_url
from tests.reports.rows import Store


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    writer, reader = create_engine(parse_url(database_url)), open_engine(database_url)
    yield Store(writer, reader)
    writer.dispose()
    reader.dispose()
