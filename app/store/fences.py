"""What a violated key or CHECK says of a batch."""

from psycopg.errors import CheckViolation, UniqueViolation
from sqlalchemy.exc import IntegrityError


def is_fence(error: IntegrityError) -> bool:
    """Return whether an error says that this batch is committed already: no other row can violate a key.

    The name of the table is not read: a distributed Postgres names a shard, or none.
    """
    return isinstance(error.orig, UniqueViolation)


def is_misrouted(error: IntegrityError) -> bool:
    """Return whether a row was on its way to the default partition while its own was made: it finds that now.

    A row that a CHECK of ours refuses looks the same; it is refused again.
    """
    return isinstance(error.orig, CheckViolation)
