"""`docs/privacy.md` names every field that may be sent and every column that is stored, and no other."""

import re
from collections.abc import Iterator
from pathlib import Path

from app.contract.envelope import CONTEXT, DROPPED, UNREAD_IN_ARCHIVES
from app.contract.wire import OBJECTS
from app.privacy.detector import KINDS
from app.store.tables.events import PSEUDONYM, events
from tests.privacy.adversarial import read_cases

PAGE = (Path(__file__).parents[2] / "docs" / "privacy.md").read_text("utf-8")


def section(title: str) -> list[list[str]]:
    """The cells of a section's table, row by row, without its head."""
    _, _, text = PAGE.partition(f"## {title}\n")
    lines = [line for line in text.partition("\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def names(cell: str) -> list[str]:
    """What stands in backquotes."""
    return re.findall(r"`([^`]+)`", cell)


def leaves() -> Iterator[str]:
    """The paths of the wire that hold a value."""
    for path, keys in OBJECTS.items():
        if not keys:
            yield ".".join(path)
        yield from (".".join((*path, key)) for key in keys if (*path, key) not in OBJECTS)
    yield from (key for key in DROPPED if key != "context")
    yield from (f"context.{key}" for key in CONTEXT)
    yield "writeKey"


def test_every_field_of_the_wire_is_explained_once() -> None:
    collected = [name for row in section("What is collected") for name in names(row[0])]
    discarded = [name for row in section("What may be sent and is thrown away") for name in names(row[0])]
    assert sorted(collected + discarded) == sorted(leaves())


def test_what_is_not_read_in_archives_is_named() -> None:
    [exception] = re.findall(r"\*\*History is an exception\.\*\*.*?\n\n", PAGE, re.DOTALL)
    assert set(names(exception)) - {"userId", "traits"} == UNREAD_IN_ARCHIVES


def test_every_stored_column_is_explained() -> None:
    kept = {name for row in section("What is collected") for name in names(row[3])}
    added = {"received_at", "write_key", "imported", "crowded"}
    assert kept | added == set(events.columns.keys())
    assert all(f"(`{name}`" in PAGE for name in added)


def test_ids_and_hashes_are_said_to_be_scrambled() -> None:
    hashed = {column.name for column in events.columns if column.info.get(PSEUDONYM)} | {"message_key"}
    rows = [row[3] for row in section("What is collected")]
    scrambled = {name for cell in rows if "scrambled" in cell for name in names(cell)[:1]}
    assert scrambled == hashed


def test_the_numbers_are_true() -> None:
    [count] = re.findall(r"holds (\d+) hostile events", PAGE)
    assert int(count) == len(read_cases())
    assert {f"pii_{kind}" for kind in KINDS} >= set(re.findall(r"pii_\w+", PAGE)) != set()
