"""The words that may be stored: connector names, exception classes, platforms. Anything else is withheld."""

from functools import cache
from importlib.resources import files
from typing import Final

from app.contract.spellings import library_version

UNKNOWN: Final = "unknown"
CUSTOM: Final = "custom"  # an unregistered connector or somebody's own cache class
OTHER: Final = "other"  # somebody's own exception class

SHARED_ANONYMOUS_ID: Final = "airbyte-lib-user"  # sent by everyone up to PyAirbyte 0.7.4: no user


def read_words(name: str) -> frozenset[str]:
    """Return the lines of a data file of this package."""
    return frozenset(files("app.contract").joinpath("data", name).read_text("utf-8").split())


@cache
def shipped_connectors() -> frozenset[str]:
    """Return the public connector names that the release ships, `source-…` and `destination-…`."""
    return read_words("connectors.txt")


@cache
def shipped_versions() -> frozenset[str]:
    """Return PyAirbyte's versions that the release ships, in their canonical form."""
    return frozenset(map(library_version, read_words("pyairbyte_versions.txt")))


EXCEPTION_CLASSES: Final = read_words("exception_classes.txt")
