"""From a valid event to its row: a column a field, pseudonyms for ids and hashes, the bucket."""

import datetime as dt
import zlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from app.contract.vocabulary import SHARED_ANONYMOUS_ID
from app.privacy.clock_skew import correct, cut, minted_at
from app.privacy.pseudonyms import Pseudonyms, to_ms, ulid_ms

BUCKETS: Final = 4096  # for ever: enough for any number of shards, and two bytes hold it
# What a refused event had a configuration hash of, added up: of a refused name it
# is sometimes all that is left.
SOURCE_CONFIGURED, DESTINATION_CONFIGURED, CACHE_CONFIGURED = 1, 2, 4
SOURCE: Final = ("source_name", "source_executor_type", "source_version")
DESTINATION: Final = ("destination_name", "destination_executor_type", "destination_version")
ULID_LETTERS: Final = 26
# A process that mints both takes as long; a person does not. Of 36 first runs that were
# captured, 25 had the same ms.
FIRST_RUN_MS: Final = 50
NOTHING: Final[Mapping[str, Any]] = {}
# A row without an event: the columns in the order of the table `events`, and `configured`, which the ledger
# alone has, so that a row is its values.
NO_ROW: Final[dict[str, Any]] = dict.fromkeys(
    (
        "occurred_at",
        "received_at",
        "message_key",
        "corrected_at",
        "anonymous_id",
        "session_key",
        "application_hash",
        "setup",
        "number_of_records",
        "exit_code",
        "event",
        "state",
        "notebook_runtime",
        "source_executor_type",
        "destination_executor_type",
        "cache_type",
        "bucket",
        "write_key",
        "ci",
        "langchain",
        "mcp",
        "first_run",
        "imported",
        "crowded",
        "version",
        "python_version",
        "os",
        "source_name",
        "source_version",
        "destination_name",
        "destination_version",
        "exception_class",
        "connector_name",
        "configured",
    )
)


class Arrival(NamedTuple):
    """How an event came in: when, under which write key (its number and its bytes), as history
    or live, through a relay or not.

    `sent_at` is the batch's, as the client sent it; an event's own goes before it.
    """

    received_at: dt.datetime
    write_key: int
    write_key_text: bytes
    sent_at: object = None
    historical: bool = False
    relayed: bool = False


def project(  # Size: one line a column
    event: Mapping[str, Any], message_key: int, arrival: Arrival, pseudonyms: Pseudonyms
) -> dict[str, Any]:
    """Return the row of an event whose fields are valid or absent: every column, in the order
    of the table, absent ones None.

    Times are datetimes in UTC, pseudonyms signed integers of 64 bits. `bucket` is crc32 of the raw subject
    (anonymous id, else session, else message key) modulo 4,096, fixed for ever: it distributes the tables.
    """
    properties = event.get("properties") or NOTHING
    own = properties.get
    anonymous_id = event.get("anonymousId")
    if anonymous_id == SHARED_ANONYMOUS_ID:
        anonymous_id = None
    session_id = own("session_id")
    timestamp = event.get("timestamp")
    occurred_at = cut(timestamp) if timestamp else minted_at(session_id)
    subject = anonymous_id or session_id
    row = NO_ROW.copy()
    row["occurred_at"] = occurred_at
    row["received_at"] = received_at = arrival.received_at
    row["bucket"] = (
        zlib.crc32(subject.encode() if subject else message_key.to_bytes(8, signed=True)) % BUCKETS
    )
    row["write_key"] = arrival.write_key
    row["message_key"] = message_key
    row["first_run"] = is_first_run(anonymous_id, session_id)
    row["imported"] = arrival.historical
    row["crowded"] = False
    row["event"] = event.get("event")
    row["state"] = own("state")
    row["version"] = own("version")
    row["python_version"] = own("python_version")
    row["os"] = own("os")
    row["number_of_records"] = own("number_of_records")
    if timestamp and not arrival.historical:
        row["corrected_at"] = correct(occurred_at, event.get("sentAt") or arrival.sent_at, received_at)
    if anonymous_id:
        row["anonymous_id"] = pseudonyms.of("anonymous id", anonymous_id)
    if session_id:
        row["session_key"] = pseudonyms.session(session_id, to_ms(occurred_at))
    if application_hash := own("application_hash"):
        row["application_hash"] = pseudonyms.of("application", application_hash)
    add_connectors(row, properties, pseudonyms)
    add_circumstances(row, properties)
    return row


def add_connectors(row: dict[str, Any], properties: Mapping[str, Any], pseudonyms: Pseudonyms) -> None:
    """Source, destination and cache; which configurations were run by which application, as one
    hash, where both are known."""
    source = add_connector(row, properties.get("source"), SOURCE)
    destination = add_connector(row, properties.get("destination"), DESTINATION)
    cached = None
    if cache := properties.get("cache"):
        row["cache_type"] = cache.get("type")
        cached = cache.get("config_hash")
    row["configured"] = (
        (SOURCE_CONFIGURED if source else 0)
        + (DESTINATION_CONFIGURED if destination else 0)
        + (CACHE_CONFIGURED if cached else 0)
    )
    application = properties.get("application_hash")
    if application and (source or destination):
        row["setup"] = pseudonyms.of("setup", f"{application} {source} {destination}")


def add_connector(
    row: dict[str, Any], connector: Mapping[str, Any] | None, columns: tuple[str, str, str]
) -> str:
    """Fill the columns of a source's or destination's name, executor and version; return its
    configuration hash or nothing."""
    if not connector:
        return ""
    name, executor, version = columns
    row[name] = connector.get("name")
    row[executor] = connector.get("executor_type") or connector.get("type")
    row[version] = connector.get("version")
    return connector.get("config_hash") or ""


def add_circumstances(row: dict[str, Any], properties: Mapping[str, Any]) -> None:
    """Flags and exception."""
    if flags := properties.get("flags"):
        row["ci"] = flags.get("CI")
        row["langchain"] = flags.get("LANGCHAIN")
        row["mcp"] = flags.get("MCP")
        row["notebook_runtime"] = flags.get("NOTEBOOK_RUNTIME")
    if exception := properties.get("exception"):
        row["exception_class"] = exception.get("class")
        row["connector_name"] = exception.get("connector_name")
        row["exit_code"] = exception.get("exit_code")


def is_first_run(anonymous_id: str | None, session_id: str | None) -> bool:
    """Return whether the id was minted within 50 ms of the session, as the times in both ULIDs say:
    a machine without a memory."""
    if not anonymous_id or not session_id or len(anonymous_id) != ULID_LETTERS:  # a UUID tells no time
        return False
    return abs(ulid_ms(anonymous_id) - ulid_ms(session_id)) <= FIRST_RUN_MS
