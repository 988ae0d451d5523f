"""Reads the names of public connectors from an Airbyte registry, and keeps running servers up to date with them.

A name that was withheld (`custom`) becomes visible for later events only: what was not stored cannot be guessed.
"""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.contract.vocabulary import shipped_connectors
from app.problems import TelemetryError

log = structlog.get_logger()

DOCUMENT_BYTES: Final = 128 * 2**20  # Airbyte's own has some 20 MB
DOWNLOAD_SECONDS: Final = 120.0
REFRESH_SECONDS: Final = 5.0
ROLES: Final = {"sources": "source", "destinations": "destination"}
NAME: Final = re.compile("(source|destination)-[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True)
class Registry:
    """The public names of a registry, how many entries are private (`custom`), and how many have no proper name."""

    names: frozenset[str]
    private: int
    unusable: int


def read(where: str) -> Registry:
    """The registry in a file or at a URL. Raises TelemetryError."""
    raw = download(where) if where.startswith(("https://", "http://")) else read_file(Path(where))
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise TelemetryError("That is no JSON document.") from None
    return parse(document)


def read_file(path: Path) -> bytes:
    """A file's content. Raises TelemetryError if it cannot be read or is too large."""
    try:
        if path.stat().st_size > DOCUMENT_BYTES:
            raise TelemetryError(
                f"{path} is larger than {DOCUMENT_BYTES >> 20} MiB: that is no connector registry."
            )
        return path.read_bytes()
    except OSError as error:
        raise TelemetryError(f"{path} cannot be read: {error.strerror}.") from None


def download(url: str) -> bytes:
    """What a URL answers, at most 128 MiB within two minutes. Raises TelemetryError."""
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
    """The names in a registry document: the last part of `dockerRepository`, of entries that are not `custom`.

    Raises TelemetryError for a document of another kind.
    """
    if not isinstance(document, dict) or not any(isinstance(document.get(key), list) for key in ROLES):
        raise TelemetryError("That is no connector registry: it needs lists `sources` and `destinations`.")
    names: set[str] = set()
    private = unusable = 0
    for key, role in ROLES.items():
        for entry in document.get(key) or []:
            if isinstance(entry, dict) and entry.get("custom") is True:
                private += 1
            elif (name := name_of(entry)) and name.startswith(role):
                names.add(name)
            else:
                unusable += 1
    if not names:
        raise TelemetryError("The registry names no public connector.")
    return Registry(frozenset(names), private, unusable)


def name_of(entry: object) -> str | None:
    """`source-faker` of `airbyte/source-faker`; None for anything else."""
    repository = entry.get("dockerRepository") if isinstance(entry, dict) else None
    name = repository.rpartition("/")[2] if isinstance(repository, str) else ""
    return name if NAME.fullmatch(name) else None


class Vocabulary:
    """The connector names in force in a running service: those of the release, and those learned since."""

    def __init__(self, load: Callable[[], frozenset[str]]) -> None:
        """`load` reads the learned ones; it is called off the event loop."""
        self.names = set(shipped_connectors())
        self.load = load

    async def keep_fresh(self) -> None:
        """Learn for ever. While the database is away the names known so far stay in force."""
        while True:
            try:
                self.names |= await asyncio.to_thread(self.load)
            except SQLAlchemyError as error:
                log.debug("connectors_not_refreshed", error=type(error).__name__)
            await asyncio.sleep(REFRESH_SECONDS)
