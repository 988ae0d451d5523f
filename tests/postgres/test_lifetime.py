"""The server lives as long as its users, whoever dies in whatever way, and keeps what was committed."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from app import postgres
from tests.postgres.processes import (
    User,
    find_keeper,
    find_postmaster,
    find_server_processes,
    kill_all,
    wait_until_gone,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
Start = Callable[[], User]


def write_row(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (number integer)")
        connection.execute("INSERT INTO kept VALUES (1)")


def count_rows(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert row
    return int(row[0])


def test_leaving_returns_when_the_server_has_stopped(data_dir: Path) -> None:
    with postgres.open_server(data_dir) as server:
        url = server.url.replace("+psycopg", "")
        write_row(url)
        assert find_server_processes(data_dir)
    assert not find_server_processes(data_dir)
    with postgres.open_server(data_dir):
        assert count_rows(url) == 1


def test_users_share_one_server_until_the_last_leaves(data_dir: Path, start_user: Start) -> None:
    first, second = start_user(), start_user()
    assert first.read() == second.read()
    postmaster = find_postmaster(data_dir)
    first.leave()
    assert second.ask_again()
    assert find_postmaster(data_dir) == postmaster
    second.leave()
    assert not find_server_processes(data_dir)


def test_many_first_starts_at_once_make_one_cluster(start_user: Start) -> None:
    users = [start_user() for _ in range(5)]
    assert len({user.read() for user in users}) == 1


def test_killed_user_leaves_no_orphan(data_dir: Path, start_user: Start) -> None:
    user = start_user()
    _, url = user.read()
    write_row(url)
    user.kill()
    wait_until_gone(data_dir)
    assert count_rows(start_user().read()[1]) == 1


def test_interrupt_of_the_foreground_group_does_not_reach_the_server(
    data_dir: Path, start_user: Start
) -> None:
    user, other = start_user(), start_user()
    user.read()
    other.read()
    postmaster = find_postmaster(data_dir)
    os.killpg(user.process.pid, signal.SIGINT)
    user.clean_up()
    other.ask_again()
    assert find_postmaster(data_dir) == postmaster


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_keeper_stays_while_somebody_needs_the_server(
    data_dir: Path, start_user: Start, number: signal.Signals
) -> None:
    user = start_user()
    started = user.read()
    os.kill(find_keeper(data_dir), number)
    assert user.ask_again() == started
    user.leave()
    assert not find_server_processes(data_dir)


def victims(data_dir: Path, which: str) -> set[int]:
    if which == "all of the server":
        return find_server_processes(data_dir)
    return {find_keeper(data_dir) if which == "keeper" else find_postmaster(data_dir)}


@pytest.mark.parametrize("which", ["keeper", "postmaster", "all of the server"])
def test_server_comes_back_for_its_user(data_dir: Path, start_user: Start, which: str) -> None:
    user = start_user()
    started, url = user.read()
    write_row(url)
    dead = victims(data_dir, which)
    kill_all(dead)
    # While a killed keeper's server shuts down, it may still answer; what counts is that it then comes back.
    while user.ask_again()[0] == started:
        pass
    assert not dead & find_server_processes(data_dir)
    assert count_rows(url) == 1
    user.leave()
    assert not find_server_processes(data_dir)


@pytest.mark.parametrize("which", ["keeper", "postmaster", "all of the server"])
def test_nothing_is_left_when_the_user_dies_too(data_dir: Path, start_user: Start, which: str) -> None:
    user = start_user()
    _, url = user.read()
    write_row(url)
    kill_all([user.process.pid, *victims(data_dir, which)])
    wait_until_gone(data_dir)
    assert count_rows(start_user().read()[1]) == 1
