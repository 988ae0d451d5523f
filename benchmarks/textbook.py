"""The baseline: what a tutorial would write. A pydantic body model, one ORM object, one commit a request.

Takes the database from BENCHMARK_DATABASE_URL. `/v1/track` is the synchronous endpoint of the tutorials (a
thread from the pool, a pooled connection), `/v1/track-async` the same with `AsyncSession`.
"""

import datetime as dt
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

from fastapi import Depends, FastAPI
from pydantic import BaseModel, Field
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

URL = os.environ["BENCHMARK_DATABASE_URL"]
engine = create_engine(URL, pool_size=20, max_overflow=20)
async_engine = create_async_engine(URL, pool_size=20, max_overflow=20)
sessions = sessionmaker(engine)
async_sessions = async_sessionmaker(async_engine)


class Base(DeclarativeBase):
    """The tables of this module."""


class StoredEvent(Base):
    """One event, as columns."""

    __tablename__ = "textbook_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    received_at: Mapped[dt.datetime]
    occurred_at: Mapped[dt.datetime]
    anonymous_id: Mapped[str | None]
    session_id: Mapped[str] = mapped_column(index=True)
    event: Mapped[str]
    state: Mapped[str]
    version: Mapped[str | None]
    python_version: Mapped[str | None]
    os: Mapped[str | None]
    application_hash: Mapped[str | None]
    ci: Mapped[bool | None]
    source_name: Mapped[str | None]
    source_executor_type: Mapped[str | None]
    source_version: Mapped[str | None]
    source_config_hash: Mapped[str | None]
    cache_type: Mapped[str | None]
    number_of_records: Mapped[int | None]
    exception_class: Mapped[str | None]


class Party(BaseModel):
    """A connector."""

    name: str
    executor_type: str | None = None
    version: str | None = None
    config_hash: str | None = None


class Cache(BaseModel):
    """A cache."""

    type: str


class ExceptionInfo(BaseModel):
    """What went wrong."""

    class_: str | None = Field(None, alias="class")


class Flags(BaseModel):
    """Where PyAirbyte runs."""

    CI: bool | None = None
    LANGCHAIN: bool | None = None
    MCP: bool | None = None
    NOTEBOOK_RUNTIME: Literal["GOOGLE_COLAB", "JUPYTER", "VS_CODE"] | None = None


class Properties(BaseModel):
    """What happened."""

    session_id: str = Field(pattern="^[0-7][0-9A-HJKMNP-TV-Z]{25}$")
    state: Literal["started", "failed", "succeeded", "canceled"]
    version: str | None = None
    python_version: str | None = None
    os: str | None = None
    application_hash: str | None = None
    flags: Flags = Flags()
    source: Party | None = None
    destination: Party | None = None
    cache: Cache | None = None
    number_of_records: int | None = None
    exception: ExceptionInfo | None = None


class Body(BaseModel):
    """A track event."""

    anonymousId: str  # noqa: N815 -- the name on the wire
    event: Literal["install", "sync", "validate", "check"]
    properties: Properties
    timestamp: dt.datetime


class Reply(BaseModel):
    """The answer."""

    success: bool


@asynccontextmanager
async def make_table(_app: FastAPI) -> AsyncIterator[None]:
    """Make the table before the first request."""
    Base.metadata.create_all(engine)
    yield
    engine.dispose()
    await async_engine.dispose()


def open_session() -> Iterator[Session]:
    """Yield one session a request."""
    with sessions() as session:
        yield session


async def open_async_session() -> AsyncIterator[AsyncSession]:
    """Yield one session a request."""
    async with async_sessions() as session:
        yield session


app = FastAPI(lifespan=make_table)


def build_row(body: Body) -> StoredEvent:
    """Return the ORM object of an event."""
    properties, source = body.properties, body.properties.source
    return StoredEvent(
        received_at=dt.datetime.now(dt.UTC).replace(tzinfo=None),
        occurred_at=body.timestamp.astimezone(dt.UTC).replace(tzinfo=None),
        anonymous_id=body.anonymousId,
        session_id=properties.session_id,
        event=body.event,
        state=properties.state,
        version=properties.version,
        python_version=properties.python_version,
        os=properties.os,
        application_hash=properties.application_hash,
        ci=properties.flags.CI,
        source_name=source and source.name,
        source_executor_type=source and source.executor_type,
        source_version=source and source.version,
        source_config_hash=source and source.config_hash,
        cache_type=properties.cache and properties.cache.type,
        number_of_records=properties.number_of_records,
        exception_class=properties.exception and properties.exception.class_,
    )


@app.post("/v1/track")
def track(body: Body, session: Annotated[Session, Depends(open_session)]) -> Reply:
    """Store one event."""
    session.add(build_row(body))
    session.commit()
    return Reply(success=True)


@app.post("/v1/track-async")
async def track_async(body: Body, session: Annotated[AsyncSession, Depends(open_async_session)]) -> Reply:
    """Store one event, without a thread."""
    session.add(build_row(body))
    await session.commit()
    return Reply(success=True)
