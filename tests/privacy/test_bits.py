"""The bit budget: how much of a hostile sender's choice can lie in the clear, an event. Computed from the
contract's own patterns and the table's columns, and published on the privacy page.
"""

import math
import re
from collections.abc import Iterator
from itertools import product

from sqlalchemy import Boolean, Enum

from app.contract import spellings
from app.contract.moments import FIRST_YEAR, LAST_YEAR
from app.contract.vocabulary import EXCEPTION_CLASSES, shipped_connectors
from app.contract.wire import MOST_RECORDS
from app.privacy import clock_skew, projection
from app.privacy.examination import RULES
from app.store.tables.events import events
from tests.docs.test_privacy_page import PAGE, names, section

GOAL = 300
ABSENT = 1
OURS = {"received_at", "write_key"}
LIBRARY = re.compile(f"(?!{spellings.TOO_MANY_LIBRARY_DIGITS})(?:{spellings.LIBRARY})")
CONNECTOR = re.compile(f"(?!{spellings.TOO_MANY_DIGITS})(?:{spellings.CONNECTOR})")


def count_numbers(digits: int) -> int:
    """How many numbers have so many digits, without leading zeros."""
    return 10 if digits == 1 else 9 * 10 ** (digits - 1)


def canonical_shapes(parts: tuple[int, ...], suffixes: list[str]) -> Iterator[tuple[str, int]]:
    """Versions of each shape, a one for every digit, with how many versions have that
    shape. `#` is a further number."""
    for digits in product(range(1, 7), repeat=len(parts)):
        release = ".".join("1" * each for each in digits)
        count = math.prod(map(count_numbers, digits))
        for suffix in suffixes:
            for more in range(1, 7) if "#" in suffix else (0,):
                yield release + suffix.replace("#", "1" * more), count * (count_numbers(more) if more else 1)


def count_library_versions() -> int:
    pres = ["", *(f"{pre}#" for pre in {*spellings.PRE.values()})]
    suffixes = ["".join(each) for each in product(pres, ["", ".post"], ["", ".dev"], ["", "+local"])]
    shapes = canonical_shapes((1, 2, 3), suffixes)
    return sum(
        count for text, count in shapes if LIBRARY.fullmatch(text) and spellings.library_version(text) == text
    )


def count_connector_versions() -> int:
    suffixes = ["", *(f"-{word}" for word in spellings.SUFFIXES)]
    shapes = [*canonical_shapes((1, 2), suffixes), *canonical_shapes((1, 2, 3), suffixes)]
    return sum(count for text, count in shapes if CONNECTOR.fullmatch(text)) + len(("unknown", "latest"))


def count_pythons() -> int:
    every = product(range(100), range(100), ("CPython", "PyPy", "GraalVM", "Jython"))
    texts = (f"3.{minor}.{micro} ({implementation})" for minor, micro, implementation in every)
    return sum(re.fullmatch(spellings.PYTHON, text) is not None for text in texts)


def count_moments() -> int:
    years = int(LAST_YEAR) - int(FIRST_YEAR) + 1
    return round(years * 365.25 * 24 * 3600 * 1000)


CONNECTORS = len(shipped_connectors() | {"unknown", "custom"})
CHOICES = {
    "occurred_at": count_moments(),
    "corrected_at": 2 * round(clock_skew.MOST_DRIFT / clock_skew.HOUR) + ABSENT,
    "number_of_records": MOST_RECORDS + 1 + ABSENT,
    "exit_code": 128 + 256 + ABSENT,
    "version": count_library_versions() + ABSENT,
    "source_version": count_connector_versions() + ABSENT,
    "destination_version": count_connector_versions() + ABSENT,
    "python_version": count_pythons() + ABSENT,
    "os": len(spellings.FAMILIES) + 1 + ABSENT,
    "source_name": CONNECTORS + ABSENT,
    "destination_name": CONNECTORS + ABSENT,
    "connector_name": CONNECTORS + ABSENT,
    "exception_class": len(EXCEPTION_CLASSES) + 1 + ABSENT,
    "bucket": projection.BUCKETS,
}


def scrambled() -> set[str]:
    rows = [row[3] for row in section("What is collected")]
    return {names(cell)[0] for cell in rows if "scrambled" in cell}


def bits() -> dict[str, float]:
    """The bits of choice by column: zero for what is ours or scrambled under a key that no sender knows."""
    found = {}
    for column in events.columns:
        if isinstance(column.type, Enum):
            choices = len(column.type.enums) + bool(column.nullable)
        elif isinstance(column.type, Boolean):
            choices = 2 + bool(column.nullable)
        elif column.name in OURS | scrambled():
            choices = 1
        else:
            choices = CHOICES[column.name]
        found[column.name] = math.log2(choices)
    return found


def published() -> dict[str, int]:
    """What the privacy page says, by column: a row's bits are those of all its columns."""
    return {" ".join(names(row[0])): int(row[2]) for row in section("How much could be hidden")}


def test_an_event_holds_at_most_so_many_bits() -> None:
    assert sum(bits().values()) <= GOAL


def test_the_page_says_how_many_field_by_field() -> None:
    ours = bits()
    said = published()
    for columns, number in said.items():
        assert number == math.ceil(sum(ours[name] for name in columns.split())), columns
    assert sorted(" ".join(said).split()) == sorted(name for name, number in ours.items() if number)
    [total] = re.findall(r"at most (\d+) bits", PAGE)
    assert int(total) == math.ceil(sum(ours.values()))


def test_no_canonical_version_is_long_enough_for_a_phone_number_or_a_card() -> None:
    for text, _ in canonical_shapes((1, 2, 3), ["", "rc#"]):
        accepted = LIBRARY.fullmatch(text) is not None
        assert accepted <= (sum(map(str.isdigit, text)) <= spellings.VERSION_DIGITS)


def test_rules_are_no_free_text() -> None:
    assert all(re.fullmatch("[a-z_]+", rule) for rule in RULES.values())
