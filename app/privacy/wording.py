"""Which words a row asks the budget for, step by step, and what is stored in their place without them.

A version comes in as a word. Every other word is from a closed vocabulary, and still anybody can make
millions of combinations of them, each a row of `routes` or `environments`. So a combination is a word, too:
64 bits of a hash, which the same budget lets in (decision 0022); what it has no room for is stored coarser.
"""

from collections.abc import Callable, Iterator, MutableMapping
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from operator import itemgetter
from typing import Any, Final, NamedTuple

from app.contract.vocabulary import CUSTOM, OTHER, UNKNOWN
from app.privacy.budget import ENVIRONMENT, PAIR, PYAIRBYTE, ROUTE, Word

Row = MutableMapping[str, Any]
Combination = tuple[Any, ...]
# The column of a version, the column of whose it is (PyAirbyte's without), and the field on the wire.
VERSION_FIELDS: Final = (
    ("version", None, "properties.version"),
    ("source_version", "source_name", "properties.source.version"),
    ("destination_version", "destination_name", "properties.destination.version"),
)
FREE: Final = frozenset({None, "", UNKNOWN, "latest", OTHER})
# What the rollups make the rows of `routes` and `environments` of (`app/rollups/sql/signals.sql`). The lane
# is one of three that follow.
ROUTE_WORDS: Final = itemgetter(
    *("event", "source_name", "source_version", "destination_name", "destination_version", "cache_type")
)
ENVIRONMENT_WORDS: Final = itemgetter(
    *("version", "python_version", "os", "ci", "notebook_runtime"),
    *("source_executor_type", "destination_executor_type"),
)
FEW: Final = frozenset({None, "", UNKNOWN, CUSTOM})  # names that make no pair: as few of them as sources
STREAMING: Final = "streaming"  # no cache: what is read directly
HASH_BYTES: Final = 8


class Step(NamedTuple):
    """`words_of` yields the words that a row asks for; `replace` takes those out that did not come in, and
    yields by what name each is counted. It gets the versions that a list names, too."""

    words_of: Callable[[Row], Iterator[Word]]
    replace: Callable[[Row, AbstractSet[Word], AbstractSet[Word]], Iterator[str]]


def version_in(row: Row, column: str, subject: str | None) -> Word | None:
    """Return the version in a column; None if there is none, or one that is free."""
    if row[column] in FREE:
        return None
    return Word(PYAIRBYTE if subject is None else row[subject] or CUSTOM, row[column])


def versions_of(row: Row) -> Iterator[Word]:
    """Yield the versions of a row, less those that are free."""
    for column, subject, _ in VERSION_FIELDS:
        if word := version_in(row, column, subject):
            yield word


def replace_versions(row: Row, unknown: AbstractSet[Word], _: AbstractSet[Word]) -> Iterator[str]:
    """Yield the fields whose versions were replaced by `other`."""
    for column, subject, path in VERSION_FIELDS:
        if version_in(row, column, subject) in unknown:
            row[column] = OTHER
            yield path


def word_of(subject: str, combination: Combination) -> Word:
    """Return a combination as a word: absent, empty and false are one, as in the rollups."""
    text = "\0".join(f"{each or ''}" for each in combination)
    return Word(subject, blake2b(text.encode(), digest_size=HASH_BYTES).hexdigest())


def combinations_of(row: Row) -> Iterator[Word]:
    """Yield the words of a row's route and environment."""
    yield word_of(ROUTE, ROUTE_WORDS(row))
    yield word_of(ENVIRONMENT, ENVIRONMENT_WORDS(row))


def replace_combinations(row: Row, unknown: AbstractSet[Word], listed: AbstractSet[Word]) -> Iterator[str]:
    """Yield which combination of a row was replaced: a route keeps its names and listed versions, an
    environment PyAirbyte's version and CI."""
    route, environment = combinations_of(row)
    if route in unknown:
        before = ROUTE_WORDS(row)
        coarsen_route(row, listed)
        if before != ROUTE_WORDS(row):
            yield ROUTE
    if environment in unknown:
        before = ENVIRONMENT_WORDS(row)
        coarsen_environment(row)
        if before != ENVIRONMENT_WORDS(row):
            yield ENVIRONMENT


def coarsen_route(row: Row, listed: AbstractSet[Word]) -> None:
    """The lane stays, what shows the ledger that a name was refused, and the release of today."""
    for column, subject, _ in VERSION_FIELDS[1:]:
        version = version_in(row, column, subject)
        if version is not None and version not in listed:
            row[column] = OTHER
    if row["cache_type"] not in (None, STREAMING):
        row["cache_type"] = CUSTOM


def coarsen_environment(row: Row) -> None:
    """What there was is unknown now, not absent: that is another shape of event to the ledger."""
    row["python_version"] = row["notebook_runtime"] = None
    if row["os"]:
        row["os"] = ""
    for column in ("source_executor_type", "destination_executor_type"):
        if row[column]:
            row[column] = UNKNOWN


def pairs_of(row: Row) -> Iterator[Word]:
    """Yield the word of a coarse route that has two names."""
    if row["source_name"] not in FEW and row["destination_name"] not in FEW:
        yield word_of(PAIR, ROUTE_WORDS(row))


def replace_pairs(row: Row, unknown: AbstractSet[Word], _: AbstractSet[Word]) -> Iterator[str]:
    """Yield a pair's columns that are replaced: it keeps its source, and that there was a destination."""
    for word in pairs_of(row):
        if word in unknown:
            row["destination_name"] = CUSTOM
            if row["destination_version"]:
                row["destination_version"] = OTHER
            yield word.subject


VERSIONS: Final = Step(versions_of, replace_versions)
COMBINATIONS: Final = Step(combinations_of, replace_combinations)
PAIRS: Final = Step(pairs_of, replace_pairs)  # of routes that did not come in
