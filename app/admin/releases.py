"""Versions in public lists: the current one of each connector in a registry, all of a package
in a package index's answer."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from app.contract.spellings import parse_connector_version, parse_library_version
from app.privacy.budget import PYAIRBYTE, Word
from app.privacy.detector import detect

LIBRARY: Final = "airbyte"
PACKAGE: Final = re.compile("airbyte[-_.]((?:source|destination)[-_.][a-z0-9][a-z0-9._-]{0,62})")


def words_of(subject: str, versions: Iterable[object]) -> frozenset[Word]:
    """Return the versions in their canonical form, without what is none and what looks like personal data."""
    parse = parse_library_version if subject == PYAIRBYTE else parse_connector_version
    found = {parse(version) for version in versions if isinstance(version, str)}
    return frozenset(Word(subject, each) for each in found if each is not None and detect(each) is None)


def parse_package(document: Any) -> frozenset[Word] | None:
    """Return the versions in an index's JSON about `airbyte`, `airbyte-source-…` or `airbyte-destination-…`.

    None for a document of another kind. Both forms are read: `{"info": {"name": …}, "releases": {…}}`, and
    PEP 691's `{"name": …, "versions": […]}`.
    """
    if not isinstance(document, Mapping):
        return None
    info, releases = document.get("info"), document.get("releases")
    name = info.get("name") if isinstance(info, Mapping) else document.get("name")
    versions = releases if isinstance(releases, Mapping) else document.get("versions")
    if not isinstance(name, str) or not isinstance(versions, Mapping | list):
        return None
    if name == LIBRARY:
        return words_of(PYAIRBYTE, versions)
    package = PACKAGE.fullmatch(name.lower())
    return None if package is None else words_of(re.sub("[._]", "-", package[1]), versions)
