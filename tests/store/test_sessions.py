"""What is promised is pinned: settings of a database or role that are wrong for us change nothing."""

import datetime as dt

import psycopg
import pytest
from sqlalchemy import make_url, text

from app.store.database import open_admin_engine, open_engine, open_write_engine

WRONG = {
    "synchronous_commit": ("off", "on"),
    "DateStyle": ("German", "ISO, MDY"),
    "TimeZone": ("Asia/Tokyo", "UTC"),
    "IntervalStyle": ("iso_8601", "postgres"),
    "bytea_output": ("escape", "hex"),
    "standard_conforming_strings": ("off", "on"),
    "search_path": ("elsewhere", "public"),
    "default_transaction_isolation": ("serializable", "read committed"),
    "array_nulls": ("off", "on"),
    "extra_float_digits": ("-15", "1"),
    "transform_null_equals": ("on", "off"),
    "quote_all_identifiers": ("on", "off"),
    "client_encoding": ("LATIN1", "UTF8"),
    "row_security": ("off", "on"),
    "exit_on_error": ("on", "off"),
    "default_transaction_deferrable": ("on", "off"),
    "idle_session_timeout": ("40ms", "0"),
    "idle_in_transaction_session_timeout": ("40ms", "0"),
    "statement_timeout": ("40ms", None),
    "lock_timeout": ("40ms", None),
}


def show(connection: object, name: str) -> str:
    return str(connection.execute(text(f"SHOW {name}")).scalar())  # type: ignore[attr-defined]


@pytest.mark.parametrize("scope", ["DATABASE", "ROLE"])
async def test_a_wrong_setting_of_database_or_role_is_overridden(database_url: str, scope: str) -> None:
    url = make_url(database_url)
    target = url.database if scope == "DATABASE" else "wrongly_set"
    if scope == "ROLE":
        url = url.set(username="wrongly_set")
    plain = database_url.replace("+psycopg", "")
    with psycopg.connect(plain, autocommit=True) as administrator:
        if scope == "ROLE":
            administrator.execute("CREATE ROLE wrongly_set LOGIN SUPERUSER")
        for name, (wrong, _) in WRONG.items():
            administrator.execute(f"ALTER {scope} {target} SET {name} = '{wrong}'".encode())
        try:
            address = url.render_as_string(hide_password=False)
            for engine in (open_admin_engine(address), open_engine(address)):
                with engine.connect() as connection:
                    found = {name: show(connection, name) for name in WRONG}
                    moment = connection.execute(text("SELECT timestamptz '2026-11-23 12:00+00'")).scalar()
                assert moment == dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
                assert {name: found[name] for name, (_, right) in WRONG.items() if right} == {
                    name: right for name, (_, right) in WRONG.items() if right
                }
                engine.dispose()
            write_engine = open_write_engine(address)
            async with write_engine.connect() as writer:
                assert (await writer.execute(text("SHOW synchronous_commit"))).scalar() == "on"
                assert (await writer.execute(text("SHOW statement_timeout"))).scalar() == "2s"
            await write_engine.dispose()
        finally:
            if scope == "ROLE":
                administrator.execute("DROP ROLE wrongly_set")


def test_a_stronger_commit_is_kept(database_url: str) -> None:
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as administrator:
        name = make_url(database_url).database
        administrator.execute(f"ALTER DATABASE {name} SET synchronous_commit = remote_apply".encode())
    engine = open_admin_engine(database_url)
    with engine.connect() as connection:
        assert show(connection, "synchronous_commit") == "remote_apply"
    engine.dispose()
