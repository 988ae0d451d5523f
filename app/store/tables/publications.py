"""The public figures' tables: which months were published, and what. Written once a month, never changed."""

from typing import Final

from sqlalchemy import CheckConstraint, Column, Date, Integer, PrimaryKeyConstraint, Table, Text

from app.store.tables.events import metadata, moment

# Under this name stand all connectors that are too few to be shown, in `connector`.
OTHER: Final = "other"

# One row a calendar month (its first day) whose figures are out.
publications = Table(
    "publications",
    metadata,
    Column("month", Date, nullable=False),
    moment("published_at"),
    PrimaryKeyConstraint("month"),
    CheckConstraint("extract(day FROM month) = 1", name="publications_month_check"),
)

# One row a month, role and connector: suppressed and rounded already (`app.public.suppression`). NULL in
# `affected_units` stands for "<5".
public_figures = Table(
    "public_figures",
    metadata,
    Column("month", Date, nullable=False),
    Column("units", Integer, nullable=False),
    Column("affected_units", Integer),
    Column("role", Text, nullable=False),
    Column("connector", Text, nullable=False),
    PrimaryKeyConstraint("month", "role", "connector"),
    CheckConstraint("units >= 10 AND units % 5 = 0", name="public_figures_units_check"),
)
