"""The roles that other tools read schema `report` with: whether they are there, and the SQL that makes them.

Migration 0007 makes them where the migrating account may create roles. Where it may not, an administrator
runs what `mend` says, once; `migrate` logs it and `doctor` shows it.
"""

from typing import Final

import structlog
from sqlalchemy import Connection, text

log = structlog.get_logger()

READER: Final = "telemetry_reader"
PUBLIC: Final = "telemetry_public"
# A role's settings come with a login as that role; a member of it has its rights, not its settings.
SETTINGS: Final = {
    READER: {"statement_timeout": "30s", "default_transaction_read_only": "on"},
    PUBLIC: {"statement_timeout": "10s", "default_transaction_read_only": "on"},
}
PUBLIC_VIEWS: Final = "v1_public_%"
# Views that a role is to read and may not; all of them if there is no such role.
UNREADABLE: Final = """
    SELECT c.relname
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_roles AS r ON r.rolname = :role
    WHERE n.nspname = 'report' AND c.relkind = 'v' AND c.relname LIKE :views
      AND NOT coalesce(has_schema_privilege(r.oid, n.oid, 'USAGE') AND has_table_privilege(r.oid, c.oid,
          'SELECT'), false)
    ORDER BY c.relname
"""


def mend(connection: Connection) -> list[str]:
    """Return the statements that are still to be run, by an account that may; none if
    both roles are as they should be.

    A role without a time-out of its own choice is reported; another one than ours is left alone.
    """
    return [statement for role in SETTINGS for statement in mend_role(connection, role)]


def mend_role(connection: Connection, role: str) -> list[str]:
    """Return what one role lacks."""
    found = connection.execute(
        text("SELECT coalesce(rolconfig, '{}') FROM pg_catalog.pg_roles WHERE rolname = :role"),
        {"role": role},
    ).scalar()
    statements = [f"CREATE ROLE {role} NOLOGIN"] if found is None else []
    present = {setting.partition("=")[0] for setting in found or ()}
    statements += [
        f"ALTER ROLE {role} SET {name} = '{value}'"
        for name, value in SETTINGS[role].items()
        if name not in present
    ]
    views = PUBLIC_VIEWS if role == PUBLIC else "%"
    lacking = list(connection.execute(text(UNREADABLE), {"views": views, "role": role}).scalars())
    if lacking:
        statements.append(f"GRANT USAGE ON SCHEMA report TO {role}")
        statements.append(f"GRANT SELECT ON {', '.join(f'report.{view}' for view in lacking)} TO {role}")
    return statements


def warn(connection: Connection) -> None:
    """Log what an administrator has to run, if anything."""
    if statements := mend(connection):
        log.warning("report_roles_incomplete", run_as_administrator="; ".join(statements) + ";")
