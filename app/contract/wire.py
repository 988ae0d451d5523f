"""One event as it may arrive, as a pydantic schema: closed, strict, ASCII, case-sensitive, matched in full.

`validate` accepts clean events only. What becomes of another one, field by field, is decided in
`app.privacy.verdict`. In every object `null` counts as absent. Patterns are matched by Rust's `regex`: `$` is
the end of the text, and classes are spelled out because its `\\d` and `\\w` match Unicode.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Annotated, Final, Literal, NotRequired, Required, cast

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    TypeAdapter,
    ValidationInfo,
    WithJsonSchema,
    with_config,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from app.contract import spellings
from app.contract.hashes import Hash
from app.contract.moments import Moment, SentAt
from app.contract.vocabulary import CUSTOM, EXCEPTION_CLASSES, SHARED_ANONYMOUS_ID, UNKNOWN

ULID: Final = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
UUID: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

MOST_RECORDS: Final = 10**12  # of one sync: more than anybody has sent, and a thousand such sums fit a bigint


def full(pattern: str) -> StringConstraints:
    """Return a string that matches the pattern from its first to its last character."""
    return StringConstraints(strict=True, pattern=f"^(?:{pattern})$")


def check_connector(name: object, info: ValidationInfo) -> str:
    """Return a name if it is of the vocabulary, which the caller passes as the validation context."""
    connectors: AbstractSet[str] = info.context or frozenset()
    if isinstance(name, str) and (name in connectors or name in (UNKNOWN, CUSTOM)):
        return name
    raise PydanticCustomError("vocabulary", "not in the connector vocabulary")


def check_exception_class(name: object) -> str:
    """Return a class name if public packages define it. Raises PydanticCustomError."""
    if isinstance(name, str) and name in EXCEPTION_CLASSES:
        return name
    raise PydanticCustomError("vocabulary", "not in the exception vocabulary")


Connector = Annotated[
    str,
    PlainValidator(check_connector),
    WithJsonSchema(
        {"type": "string", "description": "a name of the connector vocabulary, `unknown` or `custom`"}
    ),
]
ExceptionClass = Annotated[
    str,
    PlainValidator(check_exception_class),
    WithJsonSchema({"type": "string", "description": "an exception class that a public package defines"}),
]
EventName = Literal["install", "sync", "validate", "check"]
State = Literal["started", "failed", "succeeded", "canceled"]
NotebookRuntime = Literal["GOOGLE_COLAB", "JUPYTER", "VS_CODE"]
Executor = Literal[
    "VenvExecutor",
    "PathExecutor",
    "DockerExecutor",
    "DeclarativeExecutor",
    "NoOpExecutor",
    "Executor",
    "unknown",
]
OldExecutor = Literal["venv", "local_install"]  # up to PyAirbyte 0.7.1
CacheType = Literal[
    "DuckDBCache",
    "MotherDuckCache",
    "PostgresCache",
    "SnowflakeCache",
    "BigQueryCache",
    "streaming",
    "duckdb",  # this and the next three up to PyAirbyte 0.7.1
    "postgres",
    "snowflake",
    "bigquery",
]
# Versions and systems arrive in many spellings; what validation returns is the canonical one.
ConnectorVersion = Annotated[
    str,
    full(spellings.CONNECTOR),
    AfterValidator(spellings.connector_version),
    WithJsonSchema(
        {"type": "string", "pattern": f"^(?!{spellings.TOO_MANY_DIGITS})(?:{spellings.CONNECTOR})$"}
    ),
]
LibraryVersion = Annotated[
    str,
    full(spellings.LIBRARY),
    AfterValidator(spellings.library_version),
    WithJsonSchema(
        {"type": "string", "pattern": f"^(?!{spellings.TOO_MANY_LIBRARY_DIGITS})(?:{spellings.LIBRARY})$"}
    ),
]
PythonVersion = Annotated[str, full(spellings.PYTHON), AfterValidator(spellings.python_version)]
OperatingSystem = Annotated[str, full(spellings.SYSTEM), AfterValidator(spellings.system)]
closed = with_config(ConfigDict(extra="forbid", strict=True))


@closed
class Flags(TypedDict, total=False):
    """`properties.flags`: where PyAirbyte runs."""

    CI: bool | None
    LANGCHAIN: bool | None
    MCP: bool | None
    NOTEBOOK_RUNTIME: NotebookRuntime | None


@closed
class Destination(TypedDict, total=False):
    """`properties.destination`: the connector that is written to."""

    name: Connector | None
    executor_type: Executor | None
    version: ConnectorVersion | None
    config_hash: Hash | None


@closed
class Source(TypedDict, total=False):
    """`properties.source`: the connector that is read. `type` is the executor as
    PyAirbyte up to 0.7.1 named it."""

    name: Connector | None
    executor_type: Executor | None
    version: ConnectorVersion | None
    config_hash: Hash | None
    type: OldExecutor | None


@closed
class Cache(TypedDict, total=False):
    """`properties.cache`: where records are kept in between."""

    type: CacheType | None
    config_hash: Hash | None


ExceptionInfo = TypedDict(  # a call, because `class` is a key
    "ExceptionInfo",
    {
        "class": ExceptionClass | None,
        "connector_name": Connector | None,
        "exit_code": Annotated[int, Field(ge=-128, le=255)] | None,
        "message": None,
        "stream_name": None,
        "violation": None,
    },
    total=False,
)
closed(ExceptionInfo)


@closed
class Properties(TypedDict, total=False):
    """`properties`: what happened, with which connectors, in which environment."""

    session_id: Annotated[str, full(ULID)] | None
    state: Required[State]
    version: LibraryVersion | None
    python_version: PythonVersion | None
    os: OperatingSystem | None
    application_hash: Hash | None
    flags: Flags | None
    source: Source | None
    destination: Destination | None
    cache: Cache | None
    number_of_records: Annotated[int, Field(ge=0, le=MOST_RECORDS)] | None
    exception: ExceptionInfo | None
    ip: Literal["0.0.0.0"] | None  # noqa: S104 -- what PyAirbyte up to 0.7.1 sent so that Segment kept no address


@closed
class Event(TypedDict):
    """One track event, without what SDKs put around it (`app.contract.envelope`)."""

    event: EventName
    properties: Properties
    timestamp: Moment
    anonymousId: Annotated[str, full(f"{ULID}|{UUID}|{SHARED_ANONYMOUS_ID}")]
    messageId: NotRequired[Annotated[str, full("[A-Za-z0-9._:-]{1,99}")] | None]
    sentAt: NotRequired[SentAt | None]
    type: NotRequired[Literal["track"] | None]
    userId: NotRequired[Literal[""] | None]  # empty from Segment's SDK for Kotlin


# The objects of an event by path, parents first, and the keys that they may have.
OBJECTS: Final[Mapping[tuple[str, ...], frozenset[str]]] = {
    path: frozenset(shape.__annotations__)
    for path, shape in {
        (): Event,
        ("properties",): Properties,
        ("properties", "flags"): Flags,
        ("properties", "source"): Source,
        ("properties", "destination"): Destination,
        ("properties", "cache"): Cache,
        ("properties", "exception"): ExceptionInfo,
    }.items()
}

EVENT: Final[TypeAdapter[Event]] = TypeAdapter(Event)
_validate = EVENT.validator.validate_python


def validate(event: object, connectors: AbstractSet[str]) -> Event:
    """Return one parsed event, validated against the closed world and the given connector vocabulary.

    Raises pydantic.ValidationError, whose locations name the offending fields.
    """
    return cast("Event", _validate(event, context=connectors))
