"""The whole schema, for whoever walks over all tables: migrations, rotation, tests."""

from typing import Final

from sqlalchemy import MetaData

from app.store.tables import alerts, events, publications, rollups, words

METADATA: Final[MetaData] = events.metadata
MODULES: Final = (events, rollups, alerts, publications, words)  # importing them fills METADATA
