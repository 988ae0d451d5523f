"""New regressions reach the webhook once each, whatever fails in between."""

import datetime as dt
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, text

from app.reports import alerts
from app.reports.evidence import weigh
from app.reports.model import Row
from tests.conftest import ServiceFactory
from tests.look import wait_until
from tests.reports.rows import DAY, NOW, Store, upgrade
from tests.rollups.ledger import Ledger

STOP = threading.Event()


class Hook:
    """A webhook that answers what it is told to, and remembers what it got."""

    def __init__(self) -> None:
        self.statuses: list[int] = []  # of the next answers; then 200
        self.bodies: list[dict[str, Any]] = []
        self.drop = False  # cut the connection instead of an answer
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if hook.drop:
                    self.close_connection = True
                    return
                status = hook.statuses.pop(0) if hook.statuses else 200
                if status == 200:
                    hook.bodies.append(json.loads(body))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Not on the tests' output."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/SECRET-OF-THE-HOOK"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    yield hook
    hook.close()


@pytest.fixture
def connection(store: Store) -> Iterator[Connection]:
    with store.writer.connect() as connection:
        yield connection
        connection.rollback()
        connection.execute(text("DELETE FROM alerts"))
        connection.commit()


def look(connection: Connection, hook: Hook) -> int:
    return alerts.alert(connection, STOP, hook.url, now=NOW)


def test_a_regression_is_posted_once(store: Store, connection: Connection, hook: Hook) -> None:
    assert look(connection, hook) == 0
    store.write([*upgrade(30, 15), *upgrade(30, 0, source="source-file")])
    assert [look(connection, hook) for _ in range(3)] == [1, 0, 0]
    [body] = hook.bodies
    assert body["text"].startswith(
        "source-faker 1.1.0 fails more often than 1.0.0: 50.0 % of a returning user's syncs against 0.0 %"
    )
    assert "15 of 30 users" in body["text"]
    assert body["alert"]["since"] == "2026-11-13"
    assert body["alert"]["votes"] == 30
    store.write(upgrade(30, 20, source="source-other"))
    assert look(connection, hook) == 1
    assert [body["alert"]["connector"] for body in hook.bodies] == ["source-faker", "source-other"]


def test_overwhelming_evidence_is_posted_too(store: Store, connection: Connection, hook: Hook) -> None:
    found: Row = dict.fromkeys(alerts.COLUMNS, 0)
    found |= {"kind": "source", "connector": "source-a", "old_version": "1.0.0"}
    found |= {"new_version": "1.1.0", "since": "2026-11-13", "evidence": weigh(np.ones(999), 0.01)[-1]}
    alerts.record(connection, [found], NOW)
    assert look(connection, hook) == 1
    assert hook.bodies[0]["alert"]["evidence"] >= 1e299


def test_what_the_webhook_did_not_take_is_posted_later(
    store: Store, connection: Connection, hook: Hook
) -> None:
    store.write(upgrade(30, 15))
    hook.statuses = [500, 503]
    assert look(connection, hook) == 1  # the third attempt
    connection.execute(text("DELETE FROM alerts"))
    connection.commit()
    hook.statuses = [500] * alerts.ATTEMPTS
    assert look(connection, hook) == 0
    hook.drop = True
    assert look(connection, hook) == 0
    hook.drop = False
    assert (
        alerts.alert(connection, STOP, hook.url, now=NOW + 60 * DAY) == 1
    )  # though no report shows it any more
    assert len(hook.bodies) == 2


def test_a_crash_between_post_and_mark_repeats_the_post(
    store: Store, connection: Connection, hook: Hook
) -> None:
    store.write(upgrade(30, 15))
    driver: Any = connection.connection.driver_connection

    def crash(*arguments: Any) -> bool:
        posted = real(*arguments)
        driver.close()
        return posted

    real, alerts.post = alerts.post, crash  # type: ignore[assignment]
    try:
        with pytest.raises(Exception, match="closed"):
            look(connection, hook)
    finally:
        alerts.post = real
    connection.invalidate()
    connection.rollback()
    assert look(connection, hook) == 1
    assert len(hook.bodies) == 2  # at least once
    assert look(connection, hook) == 0


def test_the_service_posts_by_itself_and_never_tells_the_address(
    make_service: ServiceFactory, database_url: str, hook: Hook
) -> None:
    ledger = Ledger(database_url)
    shift = dt.datetime.now(dt.UTC) - NOW
    rows = [
        row | {name: row[name] + shift for name in ("occurred_at", "received_at")} for row in upgrade(30, 15)
    ]
    ledger.write([rows])
    ledger.roll_up()
    ledger.close()
    hook.statuses = [500]
    service = make_service({"TELEMETRY_ALERT_WEBHOOK": hook.url})
    wait_until(lambda: len(hook.bodies) == 1, "the alert")
    service.stop()
    written = "".join(
        path.read_text(errors="replace") for path in service.folder.rglob("*") if path.is_file()
    )
    assert "SECRET-OF-THE-HOOK" not in written
