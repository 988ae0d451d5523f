"""What was answered 200 is in Postgres, whatever is killed."""

import json
import random
import threading
from typing import Any

import httpx
from sqlalchemy import create_engine, text

from tests.conftest import Service, ServiceFactory
from tests.samples import basic, clean_event

KILLS = 10
SENDERS = 6


def send_until(stop: threading.Event, url: str, key: str, sender: int, acknowledged: set[str]) -> None:
    """Send events one after another, and remember the ids of those that were answered 200."""
    with httpx.Client(base_url=url, headers=basic(key), timeout=10) as client:
        number = 0
        while not stop.is_set():
            number += 1
            event = clean_event(number_of_records=number) | {
                "messageId": f"{sender}-{number}-{random.random()}"
            }
            try:
                reply = client.post("/v1/track", content=json.dumps(event))
            except httpx.TransportError:
                continue
            if reply.status_code == 200:
                acknowledged.add(reply.json()["id"])


def stored_ids(service: Service) -> list[str]:
    """The ids of the stored events, rebuilt from their primary keys."""
    from app.privacy.pseudonyms import event_id  # noqa: PLC0415

    engine = create_engine(service.database_url)
    with engine.connect() as connection:
        found = [
            event_id(*row)
            for row in connection.execute(text("SELECT occurred_at, message_key, bucket FROM events"))
        ]
        law = connection.execute(
            text("SELECT outcome = 'received', sum(count)::bigint FROM outcomes GROUP BY 1")
        ).all()
    engine.dispose()
    assert len({number for _, number in law}) <= 1, "received = sum of outcomes"
    return found


def test_kill_9_in_the_middle_of_load_loses_nothing(make_service: ServiceFactory) -> None:
    service: Any = make_service()
    acknowledged: set[str] = set()
    kills = 0
    while kills < KILLS:
        stop = threading.Event()
        before = len(acknowledged)
        threads = [
            threading.Thread(
                target=send_until, args=(stop, service.url, service.write_key, sender, acknowledged)
            )
            for sender in range(SENDERS)
        ]
        for thread in threads:
            thread.start()
        target = before + random.randint(5, 60)
        while len(acknowledged) < target:
            threads[0].join(0.005)
        service.kill()
        kills += 1
        stop.set()
        for thread in threads:
            thread.join()
        service.start()
    stored = stored_ids(service)
    assert len(stored) == len(set(stored))
    assert acknowledged <= set(stored)
    assert len(acknowledged) > KILLS * 5
