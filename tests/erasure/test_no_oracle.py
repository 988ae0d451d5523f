"""What a request to forget costs is the same whether anything is stored under its id or
not, so no time tells which."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, create_engine, event

from app.erasure import forget
from app.erasure.routes import create_router
from app.erasure.sweeps import Sweeps
from app.store.database import open_write_engine
from app.store.journal import Journal
from app.web.peers import Peers
from tests.erasure.test_forget import NOW, PSEUDONYMS, write
from tests.look import Look
from tests.samples import USER, clean_event

UNKNOWN = "01M831Y67Z4Z89BH0DGHDMT1MB"


@contextmanager
def listening(engine: Engine) -> Iterator[list[str]]:
    """The statements that an engine sends."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path, PSEUDONYMS)


def test_a_request_is_the_same_statements_and_one_line(
    bare: Look, database_url: str, journal: Journal
) -> None:
    assert write(database_url, clean_event()) == ["accepted"]
    reported = []

    async def ask_for(user: str) -> tuple[int, list[str], int, int]:
        engine = open_write_engine(database_url)
        woken: list[None] = []
        app = FastAPI()
        app.include_router(create_router(engine, bare.engine, journal, Peers(()), lambda: woken.append(None)))
        lines = journal.file.read_text().count("\n") if journal.file.exists() else 0
        with listening(engine.sync_engine) as sent, listening(bare.engine) as others:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://test"
            ) as client:
                answer = await client.post("/v1/forget", json={"anonymousId": user})
        await engine.dispose()
        assert others == []
        return answer.status_code, sent, len(woken), journal.file.read_text().count("\n") - lines

    asyncio.run(ask_for("01M831Y67Z4Z89BH0DGHDMT1MC"))  # the first makes the file
    reported = [asyncio.run(ask_for(user)) for user in (USER, UNKNOWN)]
    assert reported[0] == reported[1]
    assert (reported[0][0], len(reported[0][1]), *reported[0][2:]) == (202, 1, 1, 1)


def test_a_sweep_reads_the_same(bare: Look, database_url: str, journal: Journal) -> None:
    assert write(database_url, clean_event()) == ["accepted"]
    engine = create_engine(database_url)
    reported = []
    for user, stored in ((UNKNOWN, 0), (USER, 1)):
        with engine.connect() as connection:
            forget.request(connection, PSEUDONYMS, user, NOW, journal)
            with listening(engine) as sent:
                assert Sweeps().sweep(connection, threading.Event(), NOW) == stored
        # Of the last the list of ids that were met is written out, empty or not.
        reported.append([each[:60] for each in sent if "WITH chosen AS MATERIALIZED" not in each])
        assert len(sent) - len(reported[-1]) == stored  # what deletes rows that were found, by their keys
    engine.dispose()
    assert reported[0] == reported[1]
    assert bare.value("SELECT count(*) FROM events") == 0
