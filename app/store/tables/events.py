"""The tables, as SQLAlchemy Core sees them. `alembic/versions` holds the DDL that
makes them; CI compares the two.

Grain, key and meaning of every table stand here; a column carries the leaf name
that the field has on the wire.
"""

# Size: every column of the way in stands here once, with its meaning.
from typing import Any, Final, get_args

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ENUM

from app.contract.vocabulary import CUSTOM
from app.contract.wire import CacheType, EventName, Executor, NotebookRuntime, OldExecutor, State

metadata = MetaData()

PARTITIONED: Final = ("events", "rejections")
PSEUDONYM: Final = "pseudonym"
SWEEPS: Final = 3  # a forgotten id is deleted this many times: what was in flight is met by the later ones


def moment(name: str, *, nullable: bool = False) -> Column[object]:
    """Return a point in time with time zone."""
    return Column(name, DateTime(timezone=True), nullable=nullable)


def pseudonym(name: str, *, nullable: bool = True) -> Column[object]:
    """Return a column of 64 bits of an HMAC under the hash key, as a signed integer; 0 stands for none in a
    key.

    Unique within its bucket, which is compared wherever the pseudonym is. The mark is what `keys rotate-hash`
    goes by: a message key does not bear it.
    """
    return Column(name, BigInteger, nullable=nullable, info={PSEUDONYM: True})


def enumeration(name: str, *words: Any) -> ENUM:
    """Return a type that holds the words of the wire and no others, in four bytes."""
    return ENUM(*(word for each in words for word in get_args(each) or (each,)), name=name, create_type=False)


EVENT_NAME: Final = enumeration("event_name", EventName)
EVENT_STATE: Final = enumeration("event_state", State)
NOTEBOOK_RUNTIME: Final = enumeration("notebook_runtime", NotebookRuntime)
EXECUTOR_TYPE: Final = enumeration("executor_type", Executor, OldExecutor)
CACHE_TYPE: Final = enumeration("cache_type", CacheType, CUSTOM)


def projection(*, complete: bool) -> list[Column[object]]:  # Size: one line a column
    """Return the columns that an event and a ledger row share; `complete` rows have every required field.

    Ids and hashes are HMACs, never raw. Fixed-width columns come first, widest
    first: no padding between them.
    """
    return [
        moment("occurred_at"),
        moment("received_at"),
        Column("message_key", BigInteger, nullable=False),
        moment("corrected_at", nullable=True),
        pseudonym("anonymous_id"),
        pseudonym("session_key"),
        pseudonym("application_hash"),
        pseudonym("setup"),
        Column("number_of_records", BigInteger),
        Column("exit_code", Integer),
        Column("event", EVENT_NAME, nullable=not complete),
        Column("state", EVENT_STATE, nullable=not complete),
        Column("notebook_runtime", NOTEBOOK_RUNTIME),
        Column("source_executor_type", EXECUTOR_TYPE),
        Column("destination_executor_type", EXECUTOR_TYPE),
        Column("cache_type", CACHE_TYPE),
        Column("bucket", SmallInteger, nullable=False),
        Column("write_key", SmallInteger, nullable=False),
        Column("ci", Boolean),
        Column("langchain", Boolean),
        Column("mcp", Boolean),
        Column("first_run", Boolean, nullable=False),
        Column("imported", Boolean, nullable=False, server_default=text("false")),
        Column("crowded", Boolean, nullable=False, server_default=text("false")),
        Column("version", Text),
        Column("python_version", Text),
        Column("os", Text),
        Column("source_name", Text),
        Column("source_version", Text),
        Column("destination_name", Text),
        Column("destination_version", Text),
        Column("exception_class", Text),
        Column("connector_name", Text),
    ]


# One row an accepted event, partitioned by the client's clock so that a retry meets its original.
events = Table(
    "events",
    metadata,
    *projection(complete=True),
    PrimaryKeyConstraint("occurred_at", "bucket", "message_key"),
    Index("events_session_key_idx", "session_key"),
    postgresql_partition_by="RANGE (occurred_at)",
)

# The ledger: one row a refused event, invalid fields NULL, so that refusals cannot bias a rate.
# `configured` says which configuration hashes it had (SOURCE_CONFIGURED and so on, added up): of a refused
# name they are sometimes all that is left.
rejections = Table(
    "rejections",
    metadata,
    *projection(complete=False),
    Column("configured", SmallInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("path", Text, nullable=False),
    PrimaryKeyConstraint("occurred_at", "bucket", "message_key"),
    Index("rejections_session_key_idx", "session_key"),
    postgresql_partition_by="RANGE (occurred_at)",
)


def counted(name: str, kind: str, check: str) -> Table:
    """Return an append-only table of counts by hour and write key; its key fences a
    batch against a second commit."""
    return Table(
        name,
        metadata,
        moment("hour"),
        Column("batch_id", Uuid, nullable=False),
        Column("count", BigInteger, nullable=False),
        Column("bucket", SmallInteger, nullable=False),
        Column("write_key", SmallInteger, nullable=False),
        Column(kind, Text, nullable=False),
        Column("reason", Text, nullable=False, server_default=text("''")),
        Column("written_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
        PrimaryKeyConstraint("bucket", "batch_id", "hour", "write_key", kind, "reason"),
        CheckConstraint(check, name=f"{name}_{kind}_check"),
    )


# received = accepted + duplicate + rejected + expired + forgotten, hour by hour and key by key.
outcomes = counted(
    "outcomes",
    "outcome",
    "outcome IN ('received', 'accepted', 'duplicate', 'rejected', 'expired', 'forgotten')",
)
# For the live view, which reads the last minutes: of all kinds of index the one that costs a write least.
Index("outcomes_written_at_idx", outcomes.c.written_at, postgresql_using="brin")

# Counted beside that law: requests refused before it, withheld fields, what clients say they dropped, events
# that are stored and never rolled up, versions that the budget of new words had no room for.
tallies = counted(
    "tallies",
    "kind",
    "kind IN ('refused', 'withheld', 'client_dropped', 'envelope', 'outside_window', 'new_word')",
)

# Who asked to be forgotten: later events under the id are counted and not stored. `sweeps` says how
# often what was stored has been deleted; `met_at` is about when something under it was last found or
# refused, NULL if nothing ever was.
tombstones = Table(
    "tombstones",
    metadata,
    moment("requested_at"),
    moment("met_at", nullable=True),
    Column("bucket", SmallInteger, nullable=False),
    Column("sweeps", SmallInteger, nullable=False, server_default=text("0")),
    pseudonym("anonymous_id", nullable=False),
    PrimaryKeyConstraint("bucket", "anonymous_id"),
    Index("tombstones_pending_idx", "requested_at", postgresql_where=text("sweeps < 3")),
    Index("tombstones_requested_at_idx", "requested_at"),
)

# Weeks whose raw events are gone: an event of one, or of the 7 days around it, can no
# longer be distinguished from a duplicate.
dropped_ranges = Table(
    "dropped_ranges",
    metadata,
    moment("lower"),
    moment("upper"),
    moment("dropped_at"),
    PrimaryKeyConstraint("lower"),
    CheckConstraint("lower < upper", name="dropped_ranges_upper_check"),
)

# One row: up to when the time was trusted, whether the last reading was not, and how many
# weeks were dropped on a day.
upkeep_clock = Table(
    "upkeep_clock",
    metadata,
    moment("marked_at"),
    Column("dropped_on", Date),
    Column("dropped_weeks", SmallInteger, nullable=False, server_default=text("0")),
    Column("single", Boolean, nullable=False, server_default=text("true")),
    Column("distrusted", Boolean, nullable=False),
    PrimaryKeyConstraint("single"),
    CheckConstraint("single", name="upkeep_clock_single_check"),
)

# What a registry says of public connectors, from `connectors refresh`: names beside those that the release
# ships, the id under which the registry has a connector, and where it is documented and its issues are.
connectors = Table(
    "connectors",
    metadata,
    Column("name", Text, nullable=False),
    moment("added_at"),
    Column("definition_id", Uuid),
    Column("documentation_url", Text),
    Column("issue_label", Text),
    PrimaryKeyConstraint("name"),
    CheckConstraint(
        "length(name) <= 75 AND name ~ '^(source|destination)-[a-z0-9][a-z0-9-]*$'",
        name="connectors_name_check",
    ),
)

# Who may send. The key itself is never stored, only its HMAC.
write_keys = Table(
    "write_keys",
    metadata,
    Column("id", SmallInteger, Identity(always=True), nullable=False),
    moment("created_at"),
    moment("expires_at", nullable=True),
    moment("revoked_at", nullable=True),
    moment("last_used_at", nullable=True),  # to the minute
    Column("name", Text, nullable=False),
    Column("key_hash", LargeBinary, nullable=False, info={PSEUDONYM: True}),
    Column("scopes", ARRAY(Text), nullable=False),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("name", name="write_keys_name_key"),
    UniqueConstraint("key_hash", name="write_keys_key_hash_key"),
    CheckConstraint(
        "cardinality(scopes) > 0 AND scopes <@ ARRAY['ingest', 'import', 'relay']",
        name="write_keys_scopes_check",
    ),
)

# Who may read reports, beside the token of the settings. The token itself is never stored, only its HMAC.
report_tokens = Table(
    "report_tokens",
    metadata,
    Column("id", SmallInteger, Identity(always=True), nullable=False),
    moment("created_at"),
    moment("expires_at", nullable=True),
    moment("revoked_at", nullable=True),
    Column("name", Text, nullable=False),
    Column("token_hash", LargeBinary, nullable=False, info={PSEUDONYM: True}),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("name", name="report_tokens_name_key"),
    UniqueConstraint("token_hash", name="report_tokens_token_hash_key"),
)

# One row: the HMAC of a constant, so that a wrong hash key refuses to start instead of
# splitting every user in two.
hash_key_check = Table(
    "hash_key_check",
    metadata,
    Column("single", Boolean, nullable=False, server_default=text("true")),
    Column("key_check", LargeBinary, nullable=False, info={PSEUDONYM: True}),
    PrimaryKeyConstraint("single"),
    CheckConstraint("single", name="hash_key_check_single_check"),
)
