"""The hash key can be rotated: users, forgotten ids, write keys and duplicates survive; a
wrong key refuses to start."""

import subprocess
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, select

from app.admin.rotation import pseudonym_columns, wrap_everything
from app.privacy.pseudonyms import Pseudonyms, to_key, wrap
from app.store.tables.events import events
from tests.conftest import Service, ServiceFactory
from tests.look import Look
from tests.reports.rows import sync
from tests.samples import USER, basic, clean_event, spoil

NEW = "a-new-key-of-thirty-two-or-more-characters"
OTHER = "01M831Y67Z4Z89BH0DGHDMT1MA"


def send(service: Service, event: dict[str, Any], key: str | None = None) -> str:
    reply = httpx.post(
        f"{service.url}/v1/track", json=event, headers=basic(key or service.write_key), timeout=10
    )
    body = reply.json()
    return str(body.get("outcome") or body["code"])


def send_all(service: Service) -> list[str]:
    events = [
        {**clean_event(number_of_records=n), "anonymousId": user} for user in (USER, OTHER) for n in range(3)
    ]
    return [send(service, event) for event in events]


COUNTS = """
    SELECT count(*), count(DISTINCT anonymous_id), count(DISTINCT session_key),
        count(DISTINCT application_hash),
           count(DISTINCT setup), count(DISTINCT message_key)
    FROM events
"""


def test_nothing_is_lost(make_service: ServiceFactory, database_url: str) -> None:
    service, look = make_service(), Look(database_url)
    assert send_all(service) == ["accepted"] * 6
    assert send(service, spoil("properties.application_hash", "short")) == "event_refused"
    assert service.run("forget", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff").returncode == 0
    made = service.run("keys", "create", "staging").stdout.strip()
    before, ids = look.rows(COUNTS), look.rows("SELECT DISTINCT anonymous_id FROM events")
    keys = look.rows("SELECT message_key FROM events ORDER BY 1")

    assert "stop every instance" in service.run("keys", "rotate-hash").stderr
    service.stop()
    unset = service.run("keys", "rotate-hash")
    assert unset.returncode == 1
    assert "TELEMETRY_HASH_KEY_ROTATIONS" in unset.stderr
    service.environment["TELEMETRY_HASH_KEY_ROTATIONS"] = NEW
    too_early = service.run("keys", "create", "early")
    assert too_early.returncode == 1
    assert "rotate-hash" in too_early.stderr
    done = service.run("keys", "rotate-hash")
    assert (done.returncode, done.stderr) == (0, "")

    assert look.rows(COUNTS) == before
    assert not set(look.rows("SELECT DISTINCT anonymous_id FROM events")) & set(ids)
    assert look.rows("SELECT message_key FROM events ORDER BY 1") == keys
    service.start()
    assert send_all(service) == ["duplicate"] * 6
    assert send(service, clean_event(number_of_records=99), made) == "accepted"
    assert look.value("SELECT count(DISTINCT anonymous_id) FROM events") == 2
    assert look.value("SELECT count(*) FROM write_keys") == 2
    stored_before = {**clean_event(), "anonymousId": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"}
    assert send(service, stored_before) == "forgotten"
    assert service.run("forget", USER).returncode == 0
    assert look.value("SELECT count(*) FROM events") == 3
    assert look.value("SELECT count(*) FROM rejections") == 0
    look.check_law()
    look.engine.dispose()


def test_zero_stays_none(database_url: str) -> None:
    """In a key it stands for no user or no session: wrapped, it would be somebody."""
    stored = dict.fromkeys(("anonymous_id", "session_key"), 0) | {"application_hash": 5}
    row = {name: value for name, value in sync("started").items() if value is not None} | stored
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(events.insert(), row)
        assert wrap_everything(connection, NEW.encode()) >= 3
        found = connection.execute(select(*(events.c[name] for name in stored))).one()
    engine.dispose()
    assert tuple(found) == (0, 0, to_key(wrap(NEW.encode(), (5).to_bytes(8))))


def test_a_generated_key_is_rotated_in_the_data_dir(make_service: ServiceFactory) -> None:
    service = make_service(embed=True)
    for name in ("TELEMETRY_HASH_KEY", "TELEMETRY_DATABASE_URL"):
        service.environment.pop(name, None)
    service.stop()
    (service.data_dir / "hash-key").write_text(service.hash_key)  # what this database was made with
    for number in range(2):
        done = service.run("keys", "rotate-hash")
        assert done.returncode == 0, done.stderr
        file = service.data_dir / "hash-key-rotations"
        assert len(file.read_text().split()) == number + 1
        assert file.stat().st_mode & 0o777 == 0o600
    service.start()
    assert send(service, clean_event()) == "accepted"
    service.stop()
    # As after a crash between the file and the database: the key is there, nothing is wrapped with it yet.
    file.write_text(f"{file.read_text()}{NEW}\n")
    repeated = service.run("keys", "rotate-hash")
    assert repeated.returncode == 0, repeated.stderr
    service.start()
    assert send(service, clean_event()) == "duplicate"


@pytest.mark.parametrize(
    "environment",
    [
        {"TELEMETRY_HASH_KEY": "another-key-of-thirty-two-or-more-characters"},
        {"TELEMETRY_HASH_KEY_ROTATIONS": NEW},
    ],
)
def test_a_wrong_key_refuses_to_start(make_service: ServiceFactory, environment: dict[str, str]) -> None:
    service = make_service()
    service.stop()
    refused = subprocess.run(
        service.command("serve"),
        env=service.environment | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode == 1
    assert "is not the key that this database was written with" in refused.stderr
    assert next(iter(environment.values())) not in refused.stderr
    wrong = {**environment, "TELEMETRY_HASH_KEY": "another-key-of-thirty-two-or-more-characters"}
    service.environment |= wrong
    assert service.run("keys", "rotate-hash").returncode == 1


def test_a_waiting_spool_and_damaged_ones_hold_the_rotation_back(make_service: ServiceFactory) -> None:
    service = make_service()
    service.stop()
    spool = service.data_dir / "spool"
    spool.mkdir(parents=True, exist_ok=True)
    service.environment["TELEMETRY_HASH_KEY_ROTATIONS"] = NEW
    for name, said in (("sqlite", "wait in the spool"), ("corrupt-wal", "quarantined in")):
        file = spool / f"01M831Y67Z4Z89BH0DGHDMT1M9.{name}"
        file.touch()
        refused = service.run("keys", "rotate-hash")
        assert refused.returncode == 1
        assert f"{said} {spool}" in refused.stderr
        file.unlink()
    assert service.run("keys", "rotate-hash").returncode == 0


def test_wrapping_is_what_the_next_keys_give() -> None:
    first, third = Pseudonyms("k1"), Pseudonyms("k1", "k2", "k3")
    stored = first.of("anonymous id", USER).to_bytes(8, signed=True)
    assert third.of("anonymous id", USER) == to_key(wrap(b"k3", wrap(b"k2", stored)))
    assert third.write_key("key") == wrap(b"k3", wrap(b"k2", first.write_key("key")))
    assert third.message(b"x") == first.message(b"x")
    assert third.receipt(5) == first.receipt(5)


def test_every_pseudonym_but_the_message_key_is_rotated() -> None:
    columns = {(column.table.name, column.name) for column in pseudonym_columns()}
    assert {
        ("events", "anonymous_id"),
        ("rejections", "session_key"),
        ("tombstones", "anonymous_id"),
        ("units", "unit"),
        ("units", "setup"),
    } < columns
    assert {("write_keys", "key_hash"), ("hash_key_check", "key_check")} < columns
    assert not any(name == "message_key" for _, name in columns)
