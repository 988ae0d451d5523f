"""Whether a connector that was asked for exists, and which names are near it if not."""

from collections.abc import Collection
from difflib import get_close_matches

from sqlalchemy import Connection

from app.contract.vocabulary import CUSTOM, UNKNOWN, shipped_connectors
from app.reports.parameters import CONNECTOR


def find_malformed(name: str) -> list[str] | None:
    """Return up to three names near one that cannot be a connector's, nearest first; None if it can."""
    return None if CONNECTOR.fullmatch(name) else find_closest(name, shipped_connectors())


def find_learned(connection: Connection, name: str) -> list[str] | None:
    """Return up to three names near one that is no connector's, nearest first; None if it is one."""
    if name in {CUSTOM, UNKNOWN} or name in shipped_connectors():
        return None
    from app.store import connectors  # noqa: PLC0415 -- only for a name that the release does not ship

    learned = connectors.load(connection)
    return None if name in learned else find_closest(name, {*learned, *shipped_connectors()})


def find_closest(name: str, known: Collection[str]) -> list[str]:
    """Return up to three names near this one, nearest first; one without its kind, such
    as `faker`, is near its own."""
    whole = [f"{kind}-{name}" for kind in ("source", "destination") if f"{kind}-{name}" in known]
    return [*whole, *(near for near in get_close_matches(name, sorted(known)) if near not in whole)][:3]
