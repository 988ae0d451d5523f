"""The whole schema, for whoever walks over all tables: migrations, rotation, tests."""

from typing import Final

from sqlalchemy import MetaData

from app.store import alert_tables, publication_tables, rollup_tables, tables

METADATA: Final[MetaData] = tables.metadata
MODULES: Final = (tables, rollup_tables, alert_tables, publication_tables)  # importing them fills METADATA
