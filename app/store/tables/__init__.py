"""The tables as SQLAlchemy declares them, one file a subject. What is done with
their rows belongs elsewhere."""

from typing import Final

# Stands for "no user is known" and "no application named" in columns that are part of a key.
NOBODY: Final = 0
