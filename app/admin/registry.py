"""Reads public connectors from an Airbyte registry, and keeps running servers up to date with them.

A name that was withheld (`custom`) becomes visible for later events only: what
was not stored cannot be guessed.
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import orjson
import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.admin.releases import parse_package, words_of
from app.contract.vocabulary import shipped_connectors
from app.privacy.budget import Word
from app.problems import TelemetryError
from app.store.connectors import Entry

log = structlog.get_logger()

DOCUMENT_BYTES: Final = 128 * 2**20  # Airbyte's own has some 20 MB
DOWNLOAD_SECONDS: Final = 120.0
REFRESH_SECONDS: Final = 5.0
ROLES: Final = {"sources": "source", "destinations": "destination"}
NAME: Final = re.compile("(source|destination)-[a-z0-9][a-z0-9-]{0,62}")
# Of documentation: pages link it, so it is https without a user, a port, a query or a fragment.
ADDRESS: Final = re.compile(r"https://[a-z0-9-]+(\.[a-z0-9-]+)+(/[A-Za-z0-9._~/-]{0,200})?")


@dataclass(frozen=True, slots=True)
class Registry:
    """The public entries of a registry by name, how many are private (`custom`), how many have
    no proper name; and versions."""

    entries: Mapping[str, Entry]
    private: int = 0
    unusable: int = 0
    versions: frozenset[Word] = frozenset()


def read(where: str) -> Registry:
    """Return the registry in a file or at a URL, or the versions in a package list
    there. Raises TelemetryError."""
    raw = download(where) if where.startswith(("https://", "http://")) else read_file(Path(where))
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise TelemetryError("That is no JSON document.") from None
    versions = parse_package(document)
    return parse(document) if versions is None else Registry({}, versions=versions)


def read_file(path: Path) -> bytes:
    """Return a file's content. Raises TelemetryError if it cannot be read or is too large."""
    try:
        if path.stat().st_size > DOCUMENT_BYTES:
            raise TelemetryError(
                f"{path} is larger than {DOCUMENT_BYTES >> 20} MiB: that is no connector registry."
            )
        return path.read_bytes()
    except OSError as error:
        raise TelemetryError(f"{path} cannot be read: {error.strerror}.") from None


def download(url: str) -> bytes:
    """Return what a URL answers, at most 128 MiB within two minutes. Raises TelemetryError."""
    import httpx  # noqa: PLC0415 -- no start waits for it

    began = time.monotonic()
    body = bytearray()
    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=10) as response:
            if response.status_code != 200:
                raise TelemetryError(f"The registry's host answers {response.status_code}.")
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > DOCUMENT_BYTES:
                    raise TelemetryError(f"The document is larger than {DOCUMENT_BYTES >> 20} MiB.")
                if time.monotonic() - began > DOWNLOAD_SECONDS:
                    raise TelemetryError(
                        f"The document did not arrive within {DOWNLOAD_SECONDS:.0f} seconds."
                    )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise TelemetryError(f"The registry cannot be fetched: {type(error).__name__}.") from None
    return bytes(body)


def parse(document: Any) -> Registry:
    """Return what a registry document says of connectors that are not `custom`.

    A name is the last part of `dockerRepository`.

    Raises TelemetryError for a document of another kind.
    """
    if not isinstance(document, dict) or not any(isinstance(document.get(key), list) for key in ROLES):
        raise TelemetryError("That is no connector registry: it needs lists `sources` and `destinations`.")
    entries: dict[str, Entry] = {}
    versions: set[Word] = set()
    private = unusable = 0
    for key, role in ROLES.items():
        for entry in document.get(key) or []:
            if isinstance(entry, dict) and entry.get("custom") is True:
                private += 1
            elif (name := name_of(entry)) and name.startswith(role):
                entries[name] = parse_entry(entry, f"{role}DefinitionId")
                versions |= words_of(name, tags_of(entry))
            else:
                unusable += 1
    if not entries:
        raise TelemetryError("The registry names no public connector.")
    return Registry(entries, private, unusable, frozenset(versions))


def name_of(entry: object) -> str | None:
    """Return `source-faker` of `airbyte/source-faker`; None for anything else."""
    repository = entry.get("dockerRepository") if isinstance(entry, dict) else None
    name = repository.rpartition("/")[2] if isinstance(repository, str) else ""
    return name if NAME.fullmatch(name) else None


def parse_entry(entry: Mapping[str, object], id_key: str) -> Entry:
    """Return what is kept of a registry's entry; what is not of the expected form is left out."""
    documentation, label = entry.get("documentationUrl"), entry.get("githubIssueLabel")
    return Entry(
        definition_id=parse_id(entry.get(id_key)),
        documentation_url=documentation
        if isinstance(documentation, str) and ADDRESS.fullmatch(documentation)
        else None,
        issue_label=label if isinstance(label, str) and NAME.fullmatch(label) else None,
    )


def tags_of(entry: Mapping[str, Any]) -> list[object]:
    """Return the versions that an entry names: the current one, its release candidates, and
    those that broke something."""
    releases = entry.get("releases")
    further = releases if isinstance(releases, Mapping) else {}
    named = [further.get(key) for key in ("releaseCandidates", "breakingChanges")]
    return [
        entry.get("dockerImageTag"),
        *(tag for each in named if isinstance(each, Mapping) for tag in each),
    ]


def parse_id(given: object) -> UUID | None:
    """Return a UUID of its text; None for anything else."""
    try:
        return UUID(given) if isinstance(given, str) else None
    except ValueError:
        return None


class Vocabulary:
    """The connectors in force in a running service: names of the release, and what was
    learned of registries since."""

    def __init__(self, load: Callable[[], Mapping[str, Entry]]) -> None:
        """`load` reads what was learned; it is called off the event loop."""
        self.names = set(shipped_connectors())
        self.entries: Mapping[str, Entry] = dict.fromkeys(self.names, Entry())
        self.load = load

    async def keep_fresh(self) -> None:
        """Learn for ever. While the database is unavailable the names known so far stay in force."""
        while True:
            try:
                learned = await asyncio.to_thread(self.load)
                self.entries = {**self.entries, **learned}
                self.names.update(learned)
            except SQLAlchemyError as error:
                log.debug("connectors_not_refreshed", error=type(error).__name__)
            await asyncio.sleep(REFRESH_SECONDS)
