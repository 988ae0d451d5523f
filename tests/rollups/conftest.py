"""One database for all tests of the rollups, emptied between them."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import make_url

from tests.rollups.ledger import Ledger


@pytest.fixture(scope="session")
def rollups_url(cluster_url: str, administer: "psycopg.Connection[tuple[object, ...]]") -> Iterator[str]:
    administer.execute("CREATE DATABASE rollups TEMPLATE migrated STRATEGY FILE_COPY")
    yield make_url(cluster_url).set(database="rollups").render_as_string(hide_password=False)
    administer.execute("DROP DATABASE rollups WITH (FORCE)")


@pytest.fixture
def ledger(rollups_url: str) -> Iterator[Ledger]:
    ledger = Ledger(rollups_url)
    ledger.clear()
    yield ledger
    ledger.close()
