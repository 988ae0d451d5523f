"""The rollups' tables: which sessions to recompute, what each contributed, and sums by user and day.

A contribution is a pure function of a session's events. The worker (`app.rollups`) keeps each session's in
`attempts` and their sums in `unit_days`; reports read those two and never an event.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Date,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from app.store.tables.events import PSEUDONYM, metadata, moment

# The counts of `unit_days`; a row that names a failure counts failed attempts only, the others none.
# attempts = succeeded + failed + canceled + open. The rest count attempts, too: without a start
# (orphans), known from a refused event (from_ledger), of a user minted with its session (first_runs), of
# a clock that was off (corrected), succeeded in a time that is known (timed). durations: the sum of the
# classes of those times (app/store/durations.py), so durations / timed is that of their geometric mean.
# Each is zero in most rows, where it stands as NULL and takes no room: whoever reads one says coalesce(…, 0).
# So are the records of a row without any. `timed` is NULL where it is what `succeeded` is, as nearly
# everywhere: coalesce(timed, succeeded, 0).
COUNTS: Final = (
    *("succeeded", "failed", "canceled", "open", "orphans", "from_ledger", "first_runs", "corrected"),
    *("timed", "durations"),
)
USUAL: Final = COUNTS[:2]  # they stand before what is narrower
# What `kind` of `attempts` says: its lowest two bits the outcome, the next four what `orphans` and the like
# count, the highest seven the class of its duration, of a success: 0 where none is known.
OUTCOMES: Final = {"open": 0, "succeeded": 1, "failed": 2, "canceled": 3}
TRAITS: Final = {"orphans": 4, "from_ledger": 8, "first_runs": 16, "corrected": 32}
DURATION_SHIFT: Final = 6
OR_MESSAGE_KEY: Final = "or the message key"  # a mark beside PSEUDONYM


def words(*names: str) -> list[Column[Any]]:
    """Return columns of words of the closed vocabulary; the empty word is none."""
    return [Column(name, Text, nullable=False) for name in names]


def pseudonym(name: str) -> Column[Any]:
    """Return a pseudonym in a key: NOBODY stands for none."""
    return Column(name, BigInteger, nullable=False, info={PSEUDONYM: True})


def session(name: str) -> Column[Any]:
    """Return the key of a session, or the message key of a row without one, in which the hash key is not."""
    return Column(name, BigInteger, nullable=False, info={PSEUDONYM: True, OR_MESSAGE_KEY: True})


def small(name: str) -> Column[Any]:
    """Return a small number."""
    return Column(name, SmallInteger, nullable=False)


# The queue: one row a session and write batch; a row without a session (of the shape sent up to 0.7.1, or
# refused for it) stands for itself. Append-only: an upsert would wait for the worker.
dirty_sessions = Table(
    "dirty_sessions",
    metadata,
    moment("received_at"),
    moment("occurred_at"),
    small("bucket"),
    Column("session_key", BigInteger, info={PSEUDONYM: True}),
    Column("message_key", BigInteger),
    CheckConstraint("num_nonnulls(session_key, message_key) = 1", name="dirty_sessions_key_check"),
)

# Sessions whose recomputation failed: their marks are dropped, so that everybody else's go on.
# `session_key` is the message key of a row without a session; `met_at` is when it was last marked;
# `sqlstate` says what failed.
quarantined_sessions = Table(
    "quarantined_sessions",
    metadata,
    moment("quarantined_at"),
    moment("met_at"),
    small("bucket"),
    session("session_key"),
    Column("sqlstate", Text, nullable=False),
    PrimaryKeyConstraint("bucket", "session_key"),
)

# Rows to lock: whoever holds a bucket's row is the only one to recompute its sessions.
rollup_buckets = Table("rollup_buckets", metadata, small("bucket"), PrimaryKeyConstraint("bucket"))

# What ran between what: few thousand rows, shared by all users. `last_day` is noted once a day by whoever
# uses the row: when no daily sum refers to it any more it is deleted, two days later at the earliest.
routes = Table(
    "routes",
    metadata,
    Column("id", Integer, Identity(always=True), nullable=False),
    *words("event", "lane", "source_name", "source_version"),
    *words("destination_name", "destination_version", "cache_type"),
    Column("last_day", Date, nullable=False),
    PrimaryKeyConstraint("id"),
    UniqueConstraint(
        *("source_name", "destination_name", "lane", "event"),
        *("source_version", "destination_version", "cache_type"),
        name="routes_words_key",
    ),
)

# In what it ran. `prerelease`: anything but N.N.N and N.N.N.post, and 0.0.0, the version of a checkout; NULL
# if the version was withheld or never reported: neither a release nor a pre-release.
environments = Table(
    "environments",
    metadata,
    Column("id", Integer, Identity(always=True), nullable=False),
    Column("ci", Boolean, nullable=False),
    Column("prerelease", Boolean),
    *words("version", "python_version", "os", "notebook_runtime"),
    *words("source_executor_type", "destination_executor_type"),
    Column("last_day", Date, nullable=False),
    PrimaryKeyConstraint("id"),
    UniqueConstraint(
        *("version", "python_version", "os", "ci", "notebook_runtime"),
        *("source_executor_type", "destination_executor_type"),
        name="environments_words_key",
    ),
)

# Exception classes and the failure class of each; the empty class is of failures that named none.
failures = Table(
    "failures",
    metadata,
    Column("id", SmallInteger, Identity(always=True), nullable=False),
    *words("exception_class", "failure_class"),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("exception_class", name="failures_exception_class_key"),
)

# What a session contributed to the row of `unit_days` that `day`, `bucket` and `day_key` name: one row an
# outcome, duration, and what else is said of such attempts (`kind`). How many: `times`, NULL for one;
# `records`, NULL for none. Open ones are in flight until `settles_at`, 24 h after the latest time of their
# pair. A row without a session stands under its message key. Eight columns, since a ninth would cost a row
# eight bytes for its NULLs. No primary key: whoever adds a session's rows has just deleted all it had, its
# bucket locked.
attempts = Table(
    "attempts",
    metadata,
    session("session_key"),
    pseudonym("day_key"),
    moment("settles_at"),
    Column("records", BigInteger),
    Column("day", Date, nullable=False),
    Column("times", Integer),
    small("bucket"),
    small("kind"),
    CheckConstraint("kind BETWEEN 0 AND 8191", name="attempts_kind_check"),
    Index("attempts_session_key_idx", "session_key"),
    Index("attempts_settles_at_idx", "settles_at", postgresql_where=text("(kind & 3) = 0")),
    Index("attempts_day_idx", "day", postgresql_using="brin"),
)

# What one user did on one UTC day over one route, in one environment, with one application. `day_key`:
# 64 bits of a hash of unit, application, route, environment and failure, unique within day and bucket;
# as good as the pseudonyms in it, so wrapped with them when the hash key is rotated. Nothing but a
# session's contribution refers to it.
unit_days = Table(
    "unit_days",
    metadata,
    *(pseudonym(name) for name in ("unit", "application_hash", "day_key")),
    Column("records", BigInteger),
    Column("day", Date, nullable=False),
    *(Column(name, Integer, nullable=False) for name in ("route", "environment")),
    *(Column(name, Integer) for name in USUAL),
    *(small(name) for name in ("bucket", "failure")),
    *(Column(name, Integer) for name in COUNTS[len(USUAL) :]),
    PrimaryKeyConstraint("day", "bucket", "day_key"),
    Index("unit_days_route_idx", "route", "day"),  # for the page of one connector
)

# What is known of a user as such, over every event ever rolled up: the hour in which it was first heard of
# and the UTC day on which it last was, by arrival; whether some session was no first run (its id was
# minted more than 50 ms before); the least hash of configurations and application of its first runs. Only
# ever lowered, raised and set, so that the order and the repetition of events change nothing; `rebuild`
# merges. `crowded`: an event came in a live batch of more than five identities. `write_keys`: a bit for
# each write key that it sent under. `settled`: seven days lie between the first and the last. Gone when
# forgotten, and 400 days after `last_day`.
units = Table(
    "units",
    metadata,
    moment("first_hour"),
    Column("last_day", Date, nullable=False),
    small("bucket"),
    pseudonym("unit"),
    Column("setup", BigInteger, info={PSEUDONYM: True}),
    Column("write_keys", BigInteger, nullable=False),
    Column("lasting", Boolean, nullable=False),
    Column("crowded", Boolean, nullable=False),
    Column(
        "settled",
        Boolean,
        # In the words of Postgres, with which the check of the migrations compares it.
        Computed("last_day - (first_hour AT TIME ZONE 'UTC'::text)::date >= 7", persisted=True),
        nullable=False,
    ),
    PrimaryKeyConstraint("bucket", "unit"),
    CheckConstraint("write_keys > 0", name="units_write_keys_check"),
)

# What stays when `unit_days` go: days of connectors with 10 settled users or more, bucket 0; without totals
# of attempts, of which one user's loop would be most.
connector_days = Table(
    "connector_days",
    metadata,
    Column("day", Date, nullable=False),
    small("bucket"),
    *words("role", "connector", "lane"),
    Column("units", Integer, nullable=False),
    Column("affected_units", Integer, nullable=False),
    PrimaryKeyConstraint("day", "bucket", "role", "connector", "lane"),
    CheckConstraint("units >= 10", name="connector_days_units_check"),
)
