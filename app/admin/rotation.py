"""Rotation of the hash key: every stored pseudonym is wrapped with a further key, so that nothing is lost.

new = HMAC(new key, stored) = HMAC(new key, HMAC(old key, raw)). Equal stays equal, so users are counted as
before, ids that were forgotten stay forgotten, and write keys stay in force. Whoever got hold of the old key
can do nothing with what is stored from now on. The keys stay outside Postgres: the pseudonyms travel here,
are wrapped here, and travel back.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from sqlalchemy import BigInteger, Column, select, text
from sqlalchemy.engine import Connection

from app.admin.quiet import check_quiet
from app.privacy.pseudonyms import Pseudonyms, wrap
from app.problems import ConfigurationError, TelemetryError
from app.settings import Settings
from app.store import placement, secrets
from app.store.schema import METADATA
from app.store.tables.events import PSEUDONYM, hash_key_check
from app.store.tables.rollups import OR_MESSAGE_KEY

FETCHED: Final = 50_000  # pseudonyms in memory at a time
# Message keys of rows without a session, which stand for one in the rollups: the hash key is not in them.
ALONE: Final = """
    CREATE TEMPORARY TABLE alone ON COMMIT DROP AS
    SELECT message_key FROM events WHERE session_key IS NULL
    UNION
    SELECT message_key FROM rejections WHERE session_key IS NULL
"""
NONE: Final = bytes(8)  # stands for none in the key of a table, and goes on standing for it


def pseudonym_columns() -> list[Column[Any]]:
    """Return every column that holds a pseudonym under the hash key, those of a table together."""
    return [
        column for table in METADATA.sorted_tables for column in table.columns if column.info.get(PSEUDONYM)
    ]


def rotate(connection: Connection, settings: Settings) -> int:
    """Wrap everything with the newest key, in one transaction, commit, and return how many pseudonyms that
    were.

    The newest key is the last of `TELEMETRY_HASH_KEY_ROTATIONS`, or a generated one where the hash key
    is generated, too. A rotation that was interrupted is repeated with the same key. Raises
    TelemetryError, and changes nothing then.
    """
    check_quiet(connection, settings)
    check_quarantined(settings.data_dir / "spool")
    held = secrets.resolve(settings)
    stored = connection.execute(select(hash_key_check.c.key_check)).scalar()
    if stored is None:
        raise TelemetryError("This database has no hash key yet: there is nothing to rotate.")
    keys = held.rotations
    if bytes(stored) == held.pseudonyms().check():
        keys = (*keys, new_key(settings))
    elif not keys or bytes(stored) != Pseudonyms(held.hash_key, *keys[:-1]).check():
        raise ConfigurationError(
            "TELEMETRY_HASH_KEY and all but the last of TELEMETRY_HASH_KEY_ROTATIONS are not what this "
            "database was "
            "written with; set those again."
        )
    wrapped = wrap_everything(connection, keys[-1].encode())
    connection.commit()
    (settings.data_dir / "write-keys.json").unlink(
        missing_ok=True
    )  # what servers remember while Postgres is unavailable
    return wrapped


def new_key(settings: Settings) -> str:
    """Return a new key in the data dir, where the first one is. Raises TelemetryError where
    the operator sets the keys."""
    if settings.hash_key is not None or settings.rotations:
        raise TelemetryError(
            "Nothing to rotate yet. Add a new random key of 32 or more characters to the end of "
            "TELEMETRY_HASH_KEY_ROTATIONS (TELEMETRY_HASH_KEY stays as it is), on every instance, and "
            "run this again."
        )
    return secrets.add_rotation(settings)


def check_quarantined(spool: Path) -> None:
    """Raise TelemetryError if damaged spool files bear the old key."""
    if any(spool.glob("*.corrupt*")):
        raise TelemetryError(
            f"Damaged files are quarantined in {spool}, under the old key: delete them, and run this again."
        )


def wrap_everything(connection: Connection, key: bytes) -> int:
    """Replace every stored pseudonym by its wrapped form; return how many there were. Does not commit."""
    columns = pseudonym_columns()
    connection.execute(
        text(f"LOCK TABLE {', '.join(sorted({each.table.name for each in columns}))} IN EXCLUSIVE MODE")
    )
    connection.execute(text("CREATE TEMPORARY TABLE wrapped (old bytea, new bytea) ON COMMIT DROP"))
    number = 0
    driver: Any = connection.connection.driver_connection
    for olds in stored_pseudonyms(driver, columns):
        with driver.cursor().copy("COPY wrapped (old, new) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["bytea", "bytea"])
            for old in olds:
                copy.write_row((old, old if old == NONE else wrap(key, old)))
        number += len(olds)
    connection.execute(text("ALTER TABLE wrapped ADD PRIMARY KEY (old)"))
    connection.execute(text("ANALYZE wrapped"))
    connection.execute(text(ALONE))
    kinds = placement.kinds() if placement.is_cluster(connection) else {}
    for table, of_table in groupby(columns, attrgetter("table.name")):
        for statement in UPDATES[kinds.get(table, placement.LOCAL)](table, [*of_table]):
            connection.execute(text(statement))
    return number


def update(table: str, columns: Sequence[Column[Any]]) -> Iterator[str]:
    """Yield the statement that replaces every pseudonym of a table of one server."""
    yield f"UPDATE {table} SET {', '.join(f'{each.name} = {new_value(each)}' for each in columns)}"


def update_reference(table: str, columns: Sequence[Column[Any]]) -> Iterator[str]:
    """Yield the statements that do so in a reference table, which no statement changes by a temporary one."""
    yield f"CREATE TEMPORARY TABLE moved_{table} ON COMMIT DROP AS SELECT * FROM {table}"
    yield f"DELETE FROM {table}"
    yield from update(f"moved_{table}", columns)
    yield f"INSERT INTO {table} SELECT * FROM moved_{table}"


def update_distributed(table: str, columns: Sequence[Column[Any]]) -> Iterator[str]:
    """Yield the statements that do so in a table with shards, one a column.

    What the temporary tables hold is sent to every shard, where it has no index: it is joined, not looked up.
    """
    for column in columns:
        steps = f"found AS MATERIALIZED (SELECT old, {from_bytes(column)} AS new FROM wrapped)"
        matches = f"found.old = {to_bytes(column, 't.')}"
        if column.info.get(OR_MESSAGE_KEY):
            steps += ", single AS MATERIALIZED (SELECT message_key FROM alone)"
            matches += f" AND NOT EXISTS (SELECT 1 FROM single WHERE message_key = t.{column.name})"
        yield (f"WITH {steps} UPDATE {table} AS t SET {column.name} = found.new FROM found WHERE {matches}")


UPDATES: Final = {
    placement.LOCAL: update,
    placement.REFERRED: update_reference,
    placement.DISTRIBUTED: update_distributed,
}


def new_value(column: Column[Any]) -> str:
    """Return the SQL of what a column holds from now on."""
    wrapped = f"(SELECT {from_bytes(column)} FROM wrapped WHERE old = {to_bytes(column)})"
    if not column.info.get(OR_MESSAGE_KEY):
        return wrapped
    is_alone = f"{column.name} IN (SELECT message_key FROM alone)"
    return f"CASE WHEN {is_alone} THEN {column.name} ELSE {wrapped} END"


def stored_pseudonyms(driver: Any, columns: list[Column[Any]]) -> Iterator[list[bytes]]:
    """Yield every distinct stored pseudonym, some at a time."""
    queries = [
        f"SELECT {to_bytes(each)} FROM {each.table.name} WHERE {each.name} IS NOT NULL" for each in columns
    ]
    with driver.cursor(name="pseudonyms") as cursor:
        cursor.execute(" UNION ".join(queries).encode())
        while rows := cursor.fetchmany(FETCHED):
            yield [row[0] for row in rows]


def to_bytes(column: Column[Any], prefix: str = "") -> str:
    """Return the SQL of a pseudonym's bytes; those of what requests bring are integers, those of
    the installation's own bytea."""
    name = f"{prefix}{column.name}"
    return f"int8send({name})" if isinstance(column.type, BigInteger) else name


def from_bytes(column: Column[Any]) -> str:
    """Return the SQL of the wrapped pseudonym as the column takes it."""
    return (
        "CAST(CAST('x' || encode(new, 'hex') AS bit(64)) AS bigint)"
        if isinstance(column.type, BigInteger)
        else "new"
    )
