"""A backup that is restored brings nobody back: tombstones are kept outside the
database, too, by every instance."""

import datetime as dt
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, make_url

from app.erasure import forget
from app.postgres.binaries import find_wheel
from app.privacy.pseudonyms import Pseudonyms
from app.problems import TelemetryError
from app.store import keys
from app.store.database import open_admin_engine
from app.store.journal import NEVER, NOT_YET, Entry, Journal
from app.store.replay import is_over, replay
from tests.conftest import Service, ServiceFactory
from tests.look import Look, wait_until
from tests.samples import USER, basic, clean_event

OTHER = "01M831Y67Z4Z89BH0DGHDMT1MA"
HASH_KEY = "a hash key of thirty-two characters or more"
PSEUDONYMS = Pseudonyms(HASH_KEY)
NOW = dt.datetime(2026, 11, 23, 12, 0, 0, 123_456, tzinfo=dt.UTC)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with open_admin_engine(database_url).connect() as connection:
        keys.check_hash_key(connection, PSEUDONYMS)
        connection.commit()
        yield connection


def run(program: str, *arguments: str) -> None:
    """Run one of Postgres's programs, of the server's own version."""
    folder = find_wheel() or Path(shutil.which(program) or "").parent
    done = subprocess.run([folder / program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def track(service: Service, user: str, number: int = 0) -> str:
    event = {**clean_event(number_of_records=number), "anonymousId": user}
    reply = httpx.post(f"{service.url}/v1/track", json=event, headers=basic(service.write_key), timeout=60)
    return str(reply.json()["outcome"])


def ask(service: Service, user: str) -> str:
    return str(httpx.post(f"{service.url}/v1/forget", json={"anonymousId": user}, timeout=60).json()["id"])


def receipt(service: Service, id_: str) -> str:
    reply = httpx.get(f"{service.url}/v1/receipts/{id_}", timeout=60)
    return str(reply.json()["status"]) if reply.status_code == 200 else str(reply.status_code)


@pytest.mark.one_server  # whoever restores a cluster may create the extension, and distributes anew
def test_a_restored_dump_brings_nobody_back(
    make_service: ServiceFactory,
    administer: "psycopg.Connection[tuple[object, ...]]",
    database_url: str,
    bare: Look,
    tmp_path: Path,
) -> None:
    """By the commands of docs/deploy.md."""
    plain, dump = database_url.replace("+psycopg", ""), str(tmp_path / "dump")
    service = make_service()
    for number, user in enumerate([USER, USER, OTHER]):
        assert track(service, user, number) == "accepted"
    wait_until(lambda: bare.value("SELECT count(*) FROM unit_days") == 2, "nothing is rolled up")
    run("pg_dump", "--format=custom", f"--file={dump}", plain)
    asked = ask(service, USER)
    wait_until(lambda: receipt(service, asked) == "done", "the receipt stays pending")
    service.stop()
    bare.engine.dispose()
    name = make_url(database_url).database
    owner = f"owner_of_{name}"  # no superuser
    administer.execute(f"CREATE ROLE {owner} LOGIN".encode())
    administer.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
    administer.execute(f"CREATE DATABASE {name} OWNER {owner} ENCODING 'UTF8' TEMPLATE template0".encode())
    owned = make_url(plain).set(username=owner).render_as_string(hide_password=False)
    run("pg_restore", "--exit-on-error", "--no-owner", f"--dbname={owned}", dump)
    everything = [
        bare.value(f"SELECT count(*) FROM {table}") for table in ("events", "unit_days", "tombstones")
    ]
    assert everything == [3, 2, 0], "the dump does bring everybody back"
    service.start()
    wait_until(lambda: receipt(service, asked) == "done", "the receipt stays pending")
    remaining = "SELECT count(*) FROM events", "SELECT count(DISTINCT unit) FROM unit_days"
    assert [bare.value(query) for query in remaining] == [1, 1]
    assert [track(service, user, 9) for user in (USER, OTHER)] == ["forgotten", "accepted"]


def test_a_receipt_is_done_only_while_its_tombstone_exists(service: Service, look: Look) -> None:
    track(service, USER)
    asked = ask(service, USER)
    wait_until(lambda: receipt(service, asked) == "done", "the receipt stays pending")
    look.run("DELETE FROM tombstones")
    assert receipt(service, asked) == "pending", "the file knows it, so it will be done again"
    assert "1 of 1" in service.run("doctor").stdout
    wait_until(lambda: receipt(service, asked) == "done", "doctor does not replay")
    look.run("DELETE FROM tombstones")
    (service.data_dir / "tombstones").unlink()
    assert receipt(service, asked) == "404"


def test_the_file_is_ours_alone_and_holds_no_id(service: Service) -> None:
    ask(service, USER)
    file = service.data_dir / "tombstones"
    wait_until(file.exists, "there is no file")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert USER not in file.read_text()
    file.chmod(0o644)
    assert "tombstones: chmod 600" in service.run("doctor").stdout
    file.chmod(0o600)


def test_every_instance_keeps_what_came_by_another(connection: Connection, tmp_path: Path) -> None:
    first, second = (Journal(tmp_path / name, PSEUDONYMS) for name in ("first", "second"))
    forget.request(connection, PSEUDONYMS, USER, NOW, first)
    assert replay(connection, second).kept == 1
    assert second.read() == first.read() == {forget.key_of(PSEUDONYMS, USER): Entry(NOW)}
    connection.exec_driver_sql("UPDATE tombstones SET sweeps = 3")
    connection.exec_driver_sql("DELETE FROM tombstones")
    assert replay(connection, second).lost == 1
    assert connection.exec_driver_sql("SELECT sweeps, requested_at FROM tombstones").all() == [(0, NOW)]
    assert replay(connection, first).lost == 0


def test_asking_again_gives_the_same_receipt_until_it_is_swept(
    connection: Connection, tmp_path: Path
) -> None:
    journal = Journal(tmp_path, PSEUDONYMS)
    later = NOW + dt.timedelta(seconds=5)
    first = forget.request(connection, PSEUDONYMS, USER, NOW, journal)
    assert forget.request(connection, PSEUDONYMS, USER, later, journal) == first
    connection.exec_driver_sql("UPDATE tombstones SET sweeps = 1")
    second = forget.request(connection, PSEUDONYMS, USER, later, journal)
    assert second != first
    answers = [
        connection.execute(forget.progress(PSEUDONYMS.receipt_ms(each) or 0)).scalar_one()
        for each in (first, second)
    ]
    assert answers == [None, False]


def test_a_file_follows_rotations_and_no_other_key(connection: Connection, tmp_path: Path) -> None:
    rotated = Pseudonyms(HASH_KEY, "r" * 32, "s" * 32)
    old = Journal(tmp_path, PSEUDONYMS)
    old.append(forget.key_of(PSEUDONYMS, USER), NOW)
    new = Journal(tmp_path, rotated)
    new.append(forget.key_of(rotated, OTHER), NOW)
    assert set(new.read()) == {forget.key_of(rotated, USER), forget.key_of(rotated, OTHER)}
    before = new.file.read_bytes()
    for stranger in (Pseudonyms("x" * 32), Pseudonyms(HASH_KEY, "t" * 32), PSEUDONYMS):
        with pytest.raises(TelemetryError):
            Journal(tmp_path, stranger).append(forget.key_of(stranger, OTHER), NOW)
    assert new.file.read_bytes() == before
    with pytest.raises(TelemetryError):
        replay(connection, new)  # the database was written under the first key alone
    assert new.file.read_bytes() == before


def test_what_a_crash_left_is_passed_over_and_spoils_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path, PSEUDONYMS)
    journal.append((1, 1), NOW)
    with journal.file.open("a") as stream:
        stream.write("2 0000")
    journal.append((3, 3), NOW)
    assert set(journal.read()) == {(1, 1), (3, 3)}


def test_several_processes_lose_nothing(tmp_path: Path) -> None:
    wanted = [(number % 7, number) for number in range(60)]

    def keep(number: int) -> None:
        journal = Journal(tmp_path, PSEUDONYMS)
        journal.append(wanted[number], NOW)
        if number % 10 == 0:
            with journal.locked():
                journal.replace(journal.read())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(keep, range(len(wanted))))
    assert sorted(Journal(tmp_path, PSEUDONYMS).read()) == sorted(wanted)


moments = st.datetimes(dt.datetime(2023, 1, 1), dt.datetime(2030, 1, 1), timezones=st.just(dt.UTC))


@given(moments, st.one_of(st.sampled_from([NOT_YET, NEVER]), moments), moments)
def test_a_tombstone_that_met_something_is_kept_for_400_days(
    requested: dt.datetime, met: dt.datetime | str, now: dt.datetime
) -> None:
    last = requested if isinstance(met, str) else max(requested, met)
    days = 30 if met == NEVER else 400
    assert is_over(Entry(requested, met), now) == (now - last > dt.timedelta(days=days))


@given(
    st.dictionaries(st.tuples(st.integers(0, 4095), st.integers(-(2**63), 2**63 - 1)), moments),
    st.sampled_from([NOT_YET, NEVER]),
)
def test_what_is_written_is_read(entries: dict[tuple[int, int], dt.datetime], met: str) -> None:
    wanted = {key: Entry(moment, met) for key, moment in entries.items()}
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder), PSEUDONYMS)
        with journal.locked():
            journal.replace(wanted)
        assert journal.read() == wanted
