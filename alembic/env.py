"""Alembic's environment: one connection, handed in by `app.store.migrations`, or by
the settings for its own CLI."""

import re

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection

from app.settings import load_settings
from app.store.schema import METADATA

PARTITION = re.compile(r"_p\d{8}$|_default$")


def include_name(name: str | None, type_: str, _parents: object) -> bool:
    """Leave partitions out: they are data, made and dropped while the service runs."""
    return type_ != "table" or name is None or PARTITION.search(name) is None


def run(connection: Connection) -> None:
    """Migrate over one connection, in one transaction."""
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        include_name=include_name,
        compare_server_default=True,
    )
    with context.begin_transaction():
        # On a distributed Postgres several ALTERs in a transaction go shard by shard;
        # elsewhere it is a name without use.
        connection.execute(text("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'"))
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    url = load_settings().database_url
    if url is None:
        raise SystemExit("Set TELEMETRY_DATABASE_URL, or use `pyairbyte-telemetry migrate`.")
    with create_engine(url.get_secret_value()).connect() as own:
        run(own)
