"""The belt: Postgres itself refuses free text in every column, and takes every word that the wire accepts."""

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Iterator
from typing import Any, get_args

import psycopg
import pytest
from sqlalchemy import BigInteger, Enum, LargeBinary, Text

from app.contract import wire
from app.contract.document import ParsedEvent
from app.contract.spellings import FAMILIES
from app.contract.vocabulary import CUSTOM, EXCEPTION_CLASSES, shipped_connectors
from app.contract.wire import OBJECTS
from app.privacy.examination import RULES
from app.privacy.projection import NO_ROW, Arrival
from app.privacy.pseudonyms import Pseudonyms
from app.privacy.verdict import VerdictContext, judge
from app.store.database import open_write_engine
from app.store.events import INTERNAL, Batch, Tally, insert
from app.store.schema import METADATA
from app.store.tables.events import events, rejections
from tests.samples import captured_requests, clean_event

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
FREE_TEXT = (
    "jane@example.com",
    "Jane Doe",
    "/home/jane/x",
    "10.0.3.17 ",
    "Linux\n",
    "source-faker\n",
    "3.1.1; Jane",
)
ROW = {
    "occurred_at": NOW,
    "received_at": NOW,
    "bucket": 7,
    "write_key": 1,
    "first_run": False,
    "imported": False,
    "crowded": False,
    "message_key": 0,
    "event": "sync",
    "state": "started",
}
OPERATORS_OWN = {("write_keys", "name"), ("report_tokens", "name")}  # what an operator calls a key or a token


@pytest.fixture
def connection(database_url: str) -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def put(connection: "psycopg.Connection[Any]", table: str, **values: object) -> None:
    """Insert a row and take it away again."""
    row = (
        ROW
        | ({"configured": 0, "reason": "missing", "path": "event"} if table == "rejections" else {})
        | values
    )
    with connection.transaction(force_rollback=True):
        names, holes = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({holes})".encode(), row)


def columns(kind: type) -> list[tuple[str, str]]:
    return [
        (table.name, column.name)
        for table in (events, rejections)
        for column in table.columns
        if isinstance(column.type, kind)
    ]


@pytest.mark.parametrize(("table", "column"), [*columns(Text), *columns(Enum)])
def test_free_text_is_refused_by_every_column(
    connection: "psycopg.Connection[Any]", table: str, column: str
) -> None:
    put(connection, table)
    for text in FREE_TEXT:
        with pytest.raises((psycopg.errors.CheckViolation, psycopg.errors.InvalidTextRepresentation)):
            put(connection, table, **{column: text})


@pytest.mark.parametrize(("table", "column"), columns(BigInteger))
def test_a_pseudonym_is_a_number_of_64_bits(
    connection: "psycopg.Connection[Any]", table: str, column: str
) -> None:
    put(connection, table, **{column: "5"})
    for wrong in ("", "jane@example.com", str(2**63)):
        with pytest.raises((psycopg.errors.InvalidTextRepresentation, psycopg.errors.NumericValueOutOfRange)):
            put(connection, table, **{column: wrong})


def test_no_other_type_could_hold_text(connection: "psycopg.Connection[Any]") -> None:
    """Text, bytes and enumerations are proven one by one; of what else there is, nothing
    holds a name or an address."""
    kinds = {
        row[0]
        for row in connection.execute(
            "SELECT DISTINCT a.atttypid::regtype::text FROM pg_attribute a JOIN pg_class c ON c.oid = "
            "a.attrelid"
            " WHERE c.relname IN ('events', 'rejections') AND a.attnum > 0"
            " AND NOT EXISTS (SELECT FROM pg_enum e WHERE e.enumtypid = a.atttypid)"
        )
    }
    narrow = {"timestamp with time zone", "bigint", "integer", "smallint", "boolean"}
    assert kinds == {*narrow, "text"}


def test_the_enumerations_hold_the_words_of_the_wire(connection: "psycopg.Connection[Any]") -> None:
    stored: dict[str, set[str]] = {}
    ours = (
        "SELECT enumtypid::regtype::text, enumlabel FROM pg_enum JOIN pg_type t ON t.oid = enumtypid "
        "WHERE typnamespace = 'public'::regnamespace"
    )
    for name, word in connection.execute(ours):
        stored.setdefault(name, set()).add(word)
    assert stored == {
        "event_name": set(get_args(wire.EventName)),
        "event_state": set(get_args(wire.State)),
        "notebook_runtime": set(get_args(wire.NotebookRuntime)),
        "executor_type": {*get_args(wire.Executor), *get_args(wire.OldExecutor)},
        "cache_type": {*get_args(wire.CacheType), CUSTOM},
    }


def test_every_text_and_every_binary_is_checked(connection: "psycopg.Connection[Any]") -> None:
    checked = {
        (row[0], row[1])
        for row in connection.execute(
            "SELECT c.conrelid::regclass::text, a.attname FROM pg_constraint c"
            " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) WHERE "
            "c.contype = 'c'"
        )
    }
    keys = {
        ("write_keys", "key_hash"),
        ("hash_key_check", "key_check"),
        ("report_tokens", "token_hash"),
    }  # written by us alone, never from a request
    for table in METADATA.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, Text | LargeBinary):
                assert (table.name, column.name) in checked | keys | OPERATORS_OWN


def test_rows_are_written_in_the_order_of_the_columns(connection: "psycopg.Connection[Any]") -> None:
    """The write statement takes rows of the type `rejections` as text, by position."""
    stored = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'rejections'::regclass AND attnum > 0 ORDER "
        "BY attnum"
    )
    assert [name for (name,) in stored] == [*NO_ROW, "reason", "path"]


def test_every_word_of_the_vocabulary_is_taken(connection: "psycopg.Connection[Any]") -> None:
    words = {
        "source_name": [*shipped_connectors(), "unknown", "custom"],
        "destination_name": ["destination-duckdb", "custom"],
        "exception_class": [*EXCEPTION_CLASSES, "other"],
        "os": ["", *FAMILIES],
        "version": [
            "0.71.3",
            "1.0.0rc37",
            "1.0.0rc34.dev",
            "0.71.2.dev",
            "0.54.1.post.dev+local",
            "0.0.0",
        ],
        "python_version": ["3.11.7 (CPython)", "3.10.1 (PyPy)", "3.12.0 (GraalVM)"],
        "source_version": ["7.2.1", "unknown", "latest", "1.0", "1.0.0-rc", "2.0.0-dev"],
    }
    for column, values in words.items():
        for value in values:
            put(connection, "events", **{column: value})


def test_every_rule_and_every_path_is_taken(connection: "psycopg.Connection[Any]") -> None:
    rules = {*RULES.values(), INTERNAL, "too_large", "duplicate_key", "not_a_number", "character", "too_deep"}
    for rule in (*rules, "not_an_object", "pii_email"):
        put(connection, "rejections", reason=rule)
    for parents, keys in OBJECTS.items():
        for key in (*keys, "*"):
            put(connection, "rejections", path=".".join((*parents, key)))


def test_captured_events_are_taken(database_url: str) -> None:
    verdict_context = VerdictContext(
        shipped_connectors(), Pseudonyms("a hash key of thirty-two characters or more")
    )
    bodies = [request["body"] for request in captured_requests()]
    sent = [event for body in bodies for event in body.get("batch", [body])]
    verdicts = [judge(ParsedEvent(event), Arrival(NOW, 1, b"key"), verdict_context) for event in sent]

    async def run() -> list[str]:
        engine = open_write_engine(database_url)
        async with engine.connect() as connection:
            outcomes = await insert(connection, Batch(verdicts))
        await engine.dispose()
        return outcomes

    outcomes = asyncio.run(run())
    assert [outcome == "rejected" for outcome in outcomes] == [verdict.rejected for verdict in verdicts]


def test_a_row_that_postgres_refuses_never_blocks_its_batch(database_url: str) -> None:
    """Should a bug let free text through, its event is refused, and nothing of the text is kept."""
    verdict_context = VerdictContext(
        shipped_connectors(), Pseudonyms("a hash key of thirty-two characters or more")
    )
    verdicts = [
        judge(ParsedEvent(clean_event(number_of_records=n)), Arrival(NOW, 1, b"key"), verdict_context)
        for n in range(5)
    ]
    verdicts[2].row["source_name"] = "jane@example.com"
    verdicts[4].row["anonymous_id"] = "jane@example.com, too"
    odd = Counter({Tally(NOW, 1, "withheld", "jane@example.com"): 1})

    async def run(tallies: Counter[Tally]) -> list[str]:
        engine = open_write_engine(database_url)
        async with engine.connect() as connection:
            batch = Batch(verdicts, tallies)
            outcomes = await insert(connection, batch)
            assert len(await insert(connection, batch)) == len(verdicts)  # sent again: the fences hold
        await engine.dispose()
        return outcomes

    expected = ["accepted", "accepted", "rejected", "accepted", "rejected"]
    assert asyncio.run(run(Counter())) == expected
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT reason, count(*) FROM rejections GROUP BY 1").fetchall() == [
            ("internal", 2)
        ]
        counts = connection.execute("SELECT outcome, sum(count)::int FROM outcomes GROUP BY 1").fetchall()
        assert dict(counts) == {"received": 5, "accepted": 3, "rejected": 2}
    again = asyncio.run(run(odd))
    assert len(again) == len(verdicts)
