"""Databases in the state in which a test of the store needs one."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.conftest import name_database


@pytest.fixture
def empty_url(cluster_url: str, administer: "psycopg.Connection[Any]") -> Iterator[str]:
    """A database that nobody has migrated."""
    administer.execute("CREATE DATABASE unmigrated")
    yield name_database(cluster_url, "unmigrated")
    administer.execute("DROP DATABASE unmigrated WITH (FORCE)")
