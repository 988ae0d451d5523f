"""The migration to narrow columns keeps every row, partition, check and index, and goes back."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from app.store import migrations, partitions
from tests.conftest import name_database

SCHEMA = """
    SELECT table_name || '.' || column_name, ordinal_position || ' ' || udt_name || ' ' || is_nullable
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL
    SELECT conrelid::regclass || ' ' || conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
    UNION ALL
    SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    ORDER BY 1, 2
"""
WIDE_ROW = """
    INSERT INTO {table} (
        occurred_at, received_at, bucket, write_key, first_run, message_key, anonymous_id, event, state, cache_type,
        source_executor_type, version {more_columns}
    ) VALUES (
        {moment}, now(), 7, 1, true, decode(md5(({moment})::text), 'hex'), decode(md5('ann'), 'hex'), 'sync', 'failed',
        'custom', 'venv', '0.71.3' {more_values}
    )
"""
MOMENTS = ("now()", "now() - interval '7 days'", "'2000-01-01'::timestamptz")
ROWS = """
    SELECT tableoid::regclass::text, translate(message_key::text, '-\\x', ''), translate(anonymous_id::text, '-\\x', ''),
           event::text, state::text, cache_type::text, source_executor_type::text, version
    FROM {} ORDER BY occurred_at
"""


@pytest.fixture
def empty_url(cluster_url: str, administer: "psycopg.Connection[Any]") -> Iterator[str]:
    """A database that nobody has migrated."""
    administer.execute("CREATE DATABASE unmigrated")
    yield name_database(cluster_url, "unmigrated")
    administer.execute("DROP DATABASE unmigrated WITH (FORCE)")


def test_rows_partitions_and_checks_survive_there_and_back(empty_url: str) -> None:
    engine = create_engine(empty_url)

    def look(query: str) -> list[tuple[object, ...]]:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query)]

    def contents() -> list[list[tuple[object, ...]]]:
        return [look(ROWS.format(table)) for table in ("events", "rejections")]

    def move(action: Callable[[Config, str], None], to: str) -> None:
        with engine.connect() as connection:
            action(migrations.configure(connection), to)
            connection.commit()

    move(command.upgrade, "0003")
    with engine.connect() as connection:
        partitions.make_due(connection)
        for moment in MOMENTS:
            connection.exec_driver_sql(
                WIDE_ROW.format(table="events", moment=moment, more_columns="", more_values="")
            )
            connection.exec_driver_sql(
                WIDE_ROW.format(
                    table="rejections",
                    moment=moment,
                    more_columns=", reason, path",
                    more_values=", 'missing', 'event'",
                )
            )
        connection.exec_driver_sql("INSERT INTO tombstones VALUES (now(), 7, 0, decode(md5('ann'), 'hex'))")
        connection.commit()
        partitions.detach(connection, partitions.weeks(connection)[3], record=True)
    wide, rows = look(SCHEMA), contents()
    detached_before = detached(engine)

    move(command.upgrade, "0004")
    assert contents() == rows
    assert look("SELECT pg_typeof(anonymous_id)::text FROM tombstones") == [("uuid",)]
    assert detached(engine) == detached_before
    narrow = look(SCHEMA)

    move(command.downgrade, "0003")
    assert contents() == rows
    assert without_indexes_of(detached_before, look(SCHEMA)) == without_indexes_of(detached_before, wide)
    move(command.upgrade, "0004")
    assert look(SCHEMA) == narrow
    engine.dispose()


def detached(engine: Any) -> list[str]:
    with engine.connect() as connection:
        return partitions.detached(connection)


def without_indexes_of(tables: list[str], schema: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """A detached table waits for its end: it comes back without indexes."""
    return [
        row
        for row in schema
        if not any(f"{table}{end}" in str(row[0]) for table in tables for end in ("_pkey", "_session", " "))
    ]
