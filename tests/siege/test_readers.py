"""Whoever reads holds up nobody who sends: what is cheap is made once for all, reports are two
at a time, wrong tokens wait."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from app.reports.cache import AT_ONCE
from app.reports.readers import TRIES
from app.web.cached import Cached
from tests.conftest import Service, ServiceFactory
from tests.look import Look, wait_until
from tests.samples import basic, clean_event
from tests.siege.senders import connect, read_answer, request

READERS = 100
# A report's query waits here for a table that somebody else has locked.
WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND datname = current_database()
        AND application_name = 'pyairbyte-telemetry reports'
"""


@pytest.mark.parametrize("path", ["/v1/schema", "/metrics", "/readyz"])
def test_a_hundred_readers_of_what_is_cheap(service: Service, path: str) -> None:
    connections = [connect(service) for _ in range(READERS)]
    for each in connections:
        each.sendall(request(path, "Connection: close"))
    answers = [read_answer(each) for each in connections]
    for each in connections:
        each.close()
    assert {status for status, _ in answers} == {200}
    if path == "/v1/schema":
        assert len({body for _, body in answers}) == 1


def test_a_hundred_readers_wait_for_one_answer_to_be_made() -> None:
    made: list[str] = []

    async def ask_all() -> list[bytes]:
        may_end = asyncio.Event()

        async def app(scope: Mapping[str, Any], _receive: object, send: Any) -> None:
            made.append(scope["path"])
            await may_end.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"%d" % len(made)})

        cached = Cached(app, "/dear", 60.0)
        bodies: list[bytes] = []

        async def send(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.body":
                bodies.append(message["body"])

        scope = {"method": "GET", "path": "/dear", "headers": []}
        asking = [asyncio.create_task(cached(scope, None, send)) for _ in range(READERS)]
        await asyncio.sleep(0)
        may_end.set()
        await asyncio.gather(*asking)
        return bodies

    assert asyncio.run(ask_all()) == [b"1"] * READERS
    assert made == ["/dear"]


@pytest.mark.parametrize(("asked", "at_once"), [({}, AT_ONCE), ({"Cache-Control": "no-cache"}, 1)])
def test_reports_while_ingesting(
    service: Service, look: Look, asked: Mapping[str, str], at_once: int
) -> None:
    """Ten readers of ten reports hold two connections between them, one if they want new figures, and
    events are taken meanwhile.
    """
    token = {"Authorization": f"Bearer {service.report_token}", **asked}

    def read(days: int) -> int:
        url = f"{service.url}/v1/reports/connectors"
        return httpx.get(url, params={"window": f"{days}d"}, headers=token, timeout=60).status_code

    with look.engine.connect() as holder, ThreadPoolExecutor(10) as readers:
        holder.exec_driver_sql("LOCK TABLE routes IN ACCESS EXCLUSIVE MODE")
        answers = [readers.submit(read, days) for days in range(7, 17)]
        wait_until(lambda: bool(look.value(WAITING) == at_once), "no report is being computed")
        for number in range(20):
            answer = httpx.post(
                f"{service.url}/v1/track",
                json=clean_event(number_of_records=number),
                headers=basic(service.write_key),
                timeout=60,
            )
            assert answer.status_code == 200
            assert look.value(WAITING) == at_once
        holder.rollback()
        assert [answer.result() for answer in answers] == [200] * 10


@pytest.mark.parametrize("bearer", [True, False])
def test_wrong_tokens_wait_and_the_right_one_never_does(
    make_service: ServiceFactory, *, bearer: bool
) -> None:
    limited = make_service()

    def read(token: str, path: str = "/v1/reports/data-quality") -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if bearer and token else {}
        params = {} if bearer else {"token": token}
        return httpx.get(f"{limited.url}{path}", headers=headers, params=params, timeout=60)

    wrong = [read(f"wrong-{number}") for number in range(TRIES.burst + 3)]
    statuses = [answer.status_code for answer in wrong]
    assert statuses[: TRIES.burst] == [401] * TRIES.burst
    assert 429 in statuses
    refused = next(answer for answer in wrong if answer.status_code == 429)
    assert refused.json()["code"] == "too_many_requests"
    assert 0 < int(refused.headers["retry-after"]) <= 12
    assert "wrong-" not in refused.text
    assert read(limited.report_token).status_code == 200
    assert read("").status_code == 401, "no token is no try"
    login = [
        httpx.post(f"{limited.url}/reports/login", data={"token": "wrong"}, timeout=60) for _ in range(2)
    ]
    assert 429 in [answer.status_code for answer in login], "tries are counted wherever they are made"
