"""The migrations make exactly the tables that the code declares."""

from app.store import migrations


def test_migrations_and_declared_tables_agree(database_url: str) -> None:
    migrations.check(database_url)
