"""Tables in memory: computed once for all who ask, two at once, renewed behind, the
same figures in every form."""

import asyncio
import datetime as dt
import io
import threading
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pyarrow.parquet
import pytest
from fastapi import FastAPI
from sqlalchemy import event

from app.problems import Problem
from app.reports import cache, registry
from app.reports.cache import (
    AT_ONCE,
    LATE_SECONDS,
    MOST,
    RENEW_SECONDS,
    RETRY_SECONDS,
    Given,
    Tables,
    open_tables,
    read_key,
)
from app.reports.model import Report, Table
from app.reports.parameters import DAY, Parameters
from app.reports.readers import Readers
from app.reports.routes import create_router
from app.store.database import open_engine
from tests.faults.proxy import Proxy
from tests.look import wait_until
from tests.reports.rows import Store, sync
from tests.reports.test_http import BEARER, TOKEN, listen

READERS = 50
NOW = dt.timedelta(0)
AGED = dt.timedelta(seconds=RENEW_SECONDS + 1)
LATE = dt.timedelta(seconds=LATE_SECONDS + 1)


def make_table(report: Report, parameters: Parameters, age: dt.timedelta = NOW) -> Table:
    now = dt.datetime.now(dt.UTC)
    return Table(report, parameters.describe(), now - age, report.columns, [], 0)


class Kitchen:
    """Computations that last until they are told to end, and are counted."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.begun = threading.Semaphore(0)
        self.lock = threading.Lock()
        self.running = self.most = self.made = 0

    def compute(self, report: Report, parameters: Parameters) -> Table:
        with self.lock:
            self.made += 1
            self.running += 1
            self.most = max(self.most, self.running)
        self.begun.release()
        assert self.may_end.wait(60)
        with self.lock:
            self.running -= 1
        return make_table(report, parameters)


def ask_all(tables: Tables, asked: list[dict[str, str]], kitchen: Kitchen) -> list[Table]:
    """Ask from as many threads at once, with every question asked before a computation may end."""
    found: list[Table] = []
    readers = [
        threading.Thread(target=lambda given=given: found.append(tables.find("funnel", **given)))
        for given in asked
    ]
    for reader in readers:
        reader.start()
    wait_until(lambda: len(tables.waiting) == len({str(given) for given in asked}), "not all have asked")
    assert kitchen.begun.acquire(timeout=60)
    kitchen.may_end.set()
    for reader in readers:
        reader.join()
    return found


def test_fifty_readers_wait_for_one_computation() -> None:
    kitchen = Kitchen()
    found = ask_all(Tables(kitchen.compute), [{"window": "7d"}] * READERS, kitchen)
    assert len(found) == READERS
    assert kitchen.made == 1


def test_never_more_than_two_computations_at_once() -> None:
    kitchen = Kitchen()
    found = ask_all(Tables(kitchen.compute), [{"window": f"{days}d"} for days in range(1, 21)], kitchen)
    assert len(found) == kitchen.made == 20
    assert kitchen.most <= AT_ONCE


def test_a_reader_never_gets_what_another_asked_for() -> None:
    tables = Tables(make_table)
    for window in ("7d", "28d", "7d"):
        assert tables.find("funnel", window=window).parameters["window"] == window


def test_what_is_spelled_differently_and_means_the_same_is_one_table() -> None:
    tables = Tables(make_table)
    spelled: tuple[Given, ...] = ((), (("window", "28d"),), (("lane", "rated"), ("window", "28d")))
    assert {id(tables.find("funnel", **dict(given))) for given in spelled} == {id(tables.find("funnel"))}


def test_no_more_than_so_many_are_kept() -> None:
    tables = Tables(make_table)
    for number in range(MOST + 5):
        tables.find("funnel", window=f"{number + 1}d")
    assert len(tables.kept) == MOST


def test_an_old_table_is_served_at_once_and_renewed_once() -> None:
    made: list[Table] = []

    def compute(report: Report, parameters: Parameters) -> Table:
        made.append(make_table(report, parameters, NOW if made else AGED))
        return made[-1]

    tables = Tables(compute)
    assert tables.find("funnel") is tables.find("funnel")
    wait_until(lambda: tables.find("funnel") is not made[0], "not renewed")
    assert tables.find("funnel") is made[1]
    assert len(made) == 2


def test_what_is_too_old_is_made_anew_before_it_is_served() -> None:
    made: list[Table] = []

    def compute(report: Report, parameters: Parameters) -> Table:
        made.append(make_table(report, parameters, NOW if made else LATE))
        return made[-1]

    tables = Tables(compute)
    assert tables.find("funnel") is made[0]
    assert tables.find("funnel") is made[1]


@pytest.mark.parametrize("age", [AGED, LATE])
def test_the_last_good_figures_stay_while_the_database_is_away(age: dt.timedelta) -> None:
    is_away = False

    def compute(report: Report, parameters: Parameters) -> Table:
        if is_away:
            raise Problem("database_unavailable", "The database cannot answer right now.")
        return make_table(report, parameters, age)

    tables = Tables(compute)
    first = tables.find("funnel")
    is_away = True
    tables.find("funnel")
    wait_until(lambda: tables.is_failing and not tables.waiting, "not reported")
    assert tables.find("funnel") == replace(first, is_stale=True)
    assert tables.find("funnel") is tables.find("funnel")  # kept, not tried for again at once
    is_away = False
    (kept,) = tables.kept.values()
    kept.failed_at -= RETRY_SECONDS
    tables.find("funnel")
    wait_until(lambda: not tables.is_failing and not tables.waiting, "not tried again")
    assert not tables.find("funnel").is_stale


@pytest.mark.parametrize("given", [{}, {"until": "today"}])
def test_the_last_good_figures_stay_beyond_midnight(given: dict[str, str]) -> None:
    name, parameters = read_key("connectors", tuple(given.items()))
    day_before = replace(parameters, until=parameters.until - DAY)
    is_away = False

    def compute(report: Report, parameters: Parameters) -> Table:
        if is_away:
            raise Problem("database_unavailable", "The database cannot answer right now.")
        return make_table(report, parameters, DAY)

    tables = Tables(compute)
    tables.make((name, day_before))
    is_away = True
    found = tables.find("connectors", **given)
    assert found.is_stale
    assert found.parameters["until"] == day_before.until.isoformat()
    with pytest.raises(Problem, match="cannot answer"):
        tables.find("connectors", **given, window="7d")
    with pytest.raises(Problem, match="cannot answer"):
        tables.find("connectors", until=(parameters.until - 2 * DAY).isoformat())


def test_default_views_are_made_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "AHEAD_SECONDS", 0.01)
    needed = threading.Event()
    tables = Tables(make_table)
    tables.keep_ahead([("home", ()), ("connectors", [("role", "destination")])], needed.is_set)
    assert not tables.kept
    needed.set()
    wait_until(lambda: len(tables.kept) == 2, "not made")
    made = dict(tables.kept)
    assert tables.find("connectors", role="destination") in [kept.table for kept in made.values()]
    tables.close()


def test_close_begins_nothing_new() -> None:
    tables = Tables(make_table)
    tables.close()
    with pytest.raises(RuntimeError):
        tables.find("funnel")


@pytest.fixture
def served(store: Store) -> Iterator[str]:
    app = FastAPI()
    app.include_router(create_router(open_tables(store.reader), Readers(TOKEN)))
    yield from listen(app)


def test_every_form_comes_of_one_computation(served: str, store: Store) -> None:
    store.write([sync("failed")])
    transactions: list[object] = []
    event.listen(store.reader, "begin", transactions.append)
    asked = {"until": "2026-11-23", "window": "7d"}
    with httpx.Client(base_url=served, headers=BEARER, timeout=60) as client:
        reported = client.get("/v1/reports/connectors", params=asked).json()
        answers = [
            client.get(f"/v1/reports/connectors{form}", params=asked) for form in ("", ".csv", ".parquet")
        ]
    assert len(transactions) == 1
    assert {answer.headers["as-of"] for answer in answers} == {reported["as_of"]}
    rows = pyarrow.parquet.read_table(io.BytesIO(answers[2].content)).to_pylist()
    assert answers[0].json()["rows"] == rows == reported["rows"]
    assert answers[1].text.count("source-faker") == 1


def test_fifty_requests_at_once_are_one_computation(served: str, store: Store) -> None:
    store.write([sync("failed")])
    transactions: list[object] = []
    event.listen(store.reader, "begin", transactions.append)

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=served, headers=BEARER, timeout=60) as client:
            return await asyncio.gather(*(client.get("/v1/reports/home") for _ in range(READERS)))

    answers = asyncio.run(ask())
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len(transactions) == 1


def test_figures_stand_until_new_ones_are_asked_for(served: str, store: Store) -> None:
    store.write([sync("failed")])
    asked = {"until": "2026-11-23"}
    with httpx.Client(base_url=served, headers=BEARER, timeout=60) as client:
        first = client.get("/v1/reports/connectors", params=asked).json()["rows"]
        store.write([sync("failed", unit="bob")])
        again = client.get("/v1/reports/connectors", params=asked).json()["rows"]
        new = client.get("/v1/reports/connectors", params=asked, headers={"Cache-Control": "no-cache"})
    assert again == first
    assert new.json()["rows"][0]["units"] == first[0]["units"] + 1


@pytest.fixture
def proxy(reports_url: str) -> Iterator[Proxy]:
    proxy = Proxy(reports_url)
    yield proxy
    proxy.close()


def test_without_the_database_the_last_good_figures_say_so(store: Store, proxy: Proxy) -> None:
    store.write([sync("failed")])
    engine, app = open_engine(proxy.url), FastAPI()
    app.include_router(create_router(open_tables(engine), Readers(TOKEN)))
    path, asked = "/v1/reports/connectors", {"until": "2026-11-23"}
    new = {"Cache-Control": "no-cache"}
    for url in listen(app):
        with httpx.Client(base_url=url, headers=BEARER, timeout=60, params=asked) as client:
            good = client.get(path, params={"series": "day"})
            proxy.set("refuse")
            answer = client.get(path, headers=new)  # was not asked for before; with its days it was
            sheets = [client.get(f"{path}.{form}") for form in ("csv", "parquet")]
            unknown = client.get(path, params={"window": "7d"})
            proxy.set("pass")
            again = client.get(path, headers=new)
    engine.dispose()
    reported = answer.json()
    assert (reported["rows"], reported["as_of"]) == (good.json()["rows"], good.headers["as-of"])
    assert (reported["parameters"]["series"], "series" in reported) == ("none", False)
    assert reported["stale"]["code"] == "database_unavailable"
    assert f"the last good figures, as of {reported['as_of']}" in reported["stale"]["detail"]
    for each in (answer, *sheets):
        assert (each.status_code, each.headers["stale"]) == (200, "database_unavailable")
        assert each.headers["as-of"] == good.headers["as-of"]
        assert int(each.headers["age"]) >= 0
    metadata = pyarrow.parquet.read_schema(io.BytesIO(sheets[1].content)).metadata
    assert metadata[b"stale"].decode() == reported["stale"]["detail"]
    assert (unknown.status_code, unknown.json()["code"]) == (503, "database_unavailable")
    assert again.json()["rows"] == reported["rows"]
    assert "stale" not in again.headers.keys() | again.json().keys()
    assert again.headers["etag"] not in {answer.headers["etag"], good.headers["etag"]}


def test_before_the_first_event_every_look_is_a_new_one(served: str, store: Store) -> None:
    with httpx.Client(base_url=served, headers=BEARER, timeout=60) as client:
        asked = {"until": "2026-11-23"}
        assert client.get("/v1/reports/connectors", params=asked).json()["rows"] == []
        store.write([sync("failed")])
        assert client.get("/v1/reports/connectors", params=asked).json()["rows"]


def test_every_default_view_exists() -> None:
    from app.pages.routes import DEFAULTS  # noqa: PLC0415 -- the room above

    assert {name for name, _ in DEFAULTS} <= registry.REPORTS.keys()
