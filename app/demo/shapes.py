"""How each generation of PyAirbyte writes an event. Read off requests captured from released versions.

Generation 1 (up to 0.7.1): no session, one shared id, `source.type`, `properties.ip`, no exception.
Generation 2 (up to 0.17.4): `cache` is always there, naive timestamps, free-text messages up to 0.9.
Generation 3: what is absent is left out; `+00:00` since 0.31.11.
"""

from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from app.demo.catalog import MODERN, Library
from app.demo.draw import draw_uuid, format_timestamp
from app.demo.people import LITERAL_ID, Machine

OFFSETS_SINCE: Final = (0, 31, 11)
OLD_EXECUTORS: Final = {"VenvExecutor": "venv", "PathExecutor": "local_install"}
OLD_CACHES: Final = {"DuckDBCache": "duckdb", "PostgresCache": "postgres", "SnowflakeCache": "snowflake"}
KNOWN_CACHES: Final = frozenset(
    {"DuckDBCache", "MotherDuckCache", "PostgresCache", "SnowflakeCache", "BigQueryCache"}
)
KNOWN_FLAGS: Final = frozenset({"CI", "LANGCHAIN", "MCP", "NOTEBOOK_RUNTIME"})
Fields = dict[str, object]


class Party(NamedTuple):
    """A source or destination as an event names it; `is_known` when the vocabulary has its name."""

    name: str
    executor_type: str
    version: str | None
    config_hash: str
    is_known: bool


class Fact(NamedTuple):
    """Something that happened at `at` (true seconds since 1970), before a release writes it down."""

    at: float
    event: str
    state: str
    source: Party | None = None
    destination: Party | None = None
    cache_type: str | None = None
    exception_class: str | None = None
    number_of_records: int | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One process: what all of its events share. `sent_at` overrides when our client says it sent them."""

    library: Library
    session_id: str
    anonymous_id: object
    has_odd_id: bool
    application_hash: str
    machine: Machine
    skew: float
    has_our_client: bool
    sent_at: float | None

    @property
    def has_offset(self) -> bool:
        """Whether its timestamps say `+00:00`."""
        numbers = self.library.release.version.split(".")[:3]
        digits = [int("".join(filter(str.isdigit, number.split("rc")[0]))) for number in numbers]
        return tuple(digits) >= OFFSETS_SINCE


def write_event(random: Random, session: Session, fact: Fact) -> tuple[Fields, tuple[str, ...]]:
    """Return the track event that goes over the wire, and the schema paths that
    the service has to withhold."""
    writers = {1: write_first, 2: write_second, 3: write_modern}
    generation = session.library.generation
    properties = writers[generation](session, fact)
    event: Fields = {
        "anonymousId": LITERAL_ID if session.library.has_shared_id else session.anonymous_id,
        "event": fact.event,
        "properties": properties,
        "timestamp": format_timestamp(fact.at + session.skew, offset=session.has_offset),
    }
    if session.has_our_client and generation == MODERN:
        sent_at = session.sent_at or fact.at + session.skew + 0.4
        event |= {"messageId": draw_uuid(random), "sentAt": format_timestamp(sent_at, offset=True)}
    return event, withheld_paths(session, fact, event)


def write_first(session: Session, fact: Fact) -> Fields:
    """Return `properties` of 0.2.0 to 0.7.1: usage only, for there is no session."""
    source = fact.source
    properties: Fields = {"version": session.library.release.version}
    if source is not None:
        kind = OLD_EXECUTORS.get(source.executor_type, "venv")
        properties["source"] = {"name": source.name, "type": kind, "version": source.version}
    properties |= {
        "state": fact.state,
        "cache": {"type": OLD_CACHES.get(fact.cache_type or "", "streaming")},
        "ip": "0.0.0.0",  # noqa: S104 -- the literal that those releases send
        "flags": {"CI": False},
    }
    return properties | counted(fact)


def write_second(session: Session, fact: Fact) -> Fields:
    """Return `properties` of 0.7.2 to 0.17.4."""
    properties = common(session, fact) | {"cache": {"type": fact.cache_type or "streaming"}}
    if fact.source is not None:
        is_sync = fact.event == "sync"
        properties["source"] = {
            "name": fact.source.name,
            "executor_type": fact.source.executor_type if is_sync else "unknown",
            "version": fact.source.version if is_sync else "unknown",
        }
    if fact.exception_class is not None:
        exception: Fields = {"class": fact.exception_class}
        if session.library.has_shared_id:
            exception |= {"message": "Error when reading from the connector.", "connector_name": None}
        properties["exception"] = exception
    return properties | counted(fact)


def write_modern(session: Session, fact: Fact) -> Fields:
    """Return `properties` of the releases since 0.17.5: what is None is left out."""
    properties = common(session, fact)
    for role, party in (("source", fact.source), ("destination", fact.destination)):
        if party is not None:
            properties[role] = write_party(party, whole=fact.event == "sync")
    if fact.cache_type is not None:
        properties["cache"] = {"type": fact.cache_type}
    if fact.exception_class is not None:
        properties["exception"] = {"class": fact.exception_class}
    return properties | counted(fact)


def write_party(party: Party, *, whole: bool) -> Fields:
    """Return a connector: its name alone, but in sync events with executor, version and config hash."""
    fields: Fields = {"name": party.name}
    if whole:
        fields["executor_type"] = party.executor_type
        if party.version is not None:
            fields["version"] = party.version
        fields["config_hash"] = party.config_hash
    return fields


def common(session: Session, fact: Fact) -> Fields:
    """Return what every event since 0.7.2 says."""
    return {
        "session_id": session.session_id,
        "state": fact.state,
        "version": session.library.release.version,
        "python_version": session.machine.python_version,
        "os": session.machine.system,
        "application_hash": session.application_hash,
        "flags": dict(session.machine.flags),
    }


def counted(fact: Fact) -> Fields:
    """Return `number_of_records`, where there is one."""
    return {} if fact.number_of_records is None else {"number_of_records": fact.number_of_records}


def withheld_paths(session: Session, fact: Fact, event: Fields) -> tuple[str, ...]:
    """Return the paths of values outside the service's vocabularies, in the order of the wire."""
    properties = event["properties"]
    exception = properties.get("exception", {}) if isinstance(properties, dict) else {}
    odd = event["anonymousId"] != LITERAL_ID and session.has_odd_id
    checks = (
        ("anonymousId", odd),
        ("properties.flags.*", session.library.generation > 1 and unknown_flags(session)),
        ("properties.source.name", fact.source is not None and not fact.source.is_known),
        ("properties.cache.type", is_custom_cache(session, fact)),
        ("properties.exception.class", exception.get("class", "").startswith("Acme")),
        ("properties.exception.message", "message" in exception),
    )
    return tuple(path for path, is_withheld in checks if is_withheld)


def unknown_flags(session: Session) -> bool:
    """Return whether the machine sets a flag of a release yet to come."""
    return any(name not in KNOWN_FLAGS for name, _ in session.machine.flags)


def is_custom_cache(session: Session, fact: Fact) -> bool:
    """Return whether the event names a cache class of the user's own (generation 1 cannot)."""
    return session.library.generation > 1 and fact.cache_type not in KNOWN_CACHES | {None, "streaming"}
