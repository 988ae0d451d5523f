"""One database for all tests of the rollups, emptied between them."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.conftest import copied_database
from tests.rollups.ledger import Ledger


@pytest.fixture(scope="session")
def rollups_url(cluster_url: str, administer: "psycopg.Connection[tuple[object, ...]]") -> Iterator[str]:
    with copied_database(cluster_url, administer, "rollups") as url:
        yield url


@pytest.fixture
def ledger(rollups_url: str) -> Iterator[Ledger]:
    ledger = Ledger(rollups_url)
    ledger.clear()
    yield ledger
    ledger.close()
