"""SQL that answers a question lies in a file beside its room, `sql/NAME.sql`; every room reads it here."""

from functools import cache
from importlib.resources import files

from sqlalchemy import TextClause, text


@cache
def read_sql(room: str, name: str) -> str:
    """Return the text of `sql/NAME.sql` of a room, such as `app.rollups`. Raises FileNotFoundError."""
    return files(room).joinpath("sql", f"{name}.sql").read_text("utf-8")


@cache
def query(room: str, name: str) -> TextClause:
    """Return `sql/NAME.sql` of a room as a statement to execute. Raises FileNotFoundError."""
    return text(read_sql(room, name))
