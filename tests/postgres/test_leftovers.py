"""What a crash or a container's end leaves behind never keeps the server from
starting, nor lets two start."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from app import postgres
from app.postgres.account import choose_account
from tests.postgres.processes import User, find_postmaster, find_server_processes, kill_all, wait_until_gone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")


def crash(data_dir: Path) -> Path:
    """Start a server, kill everything of it; answers the folder of its socket."""
    user = User(data_dir)
    _, url = user.read()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1")
    kill_all([*find_server_processes(data_dir), user.process.pid])
    wait_until_gone(data_dir)
    user.clean_up()
    return Path(parse_qs(urlsplit(url).query)["host"][0])


@pytest.fixture
def bystander(data_dir: Path) -> Iterator[int]:
    """A live process of the server's account that has nothing to do with it."""
    account = choose_account(data_dir / "postgres" / "cluster")
    process = subprocess.Popen(["sleep", "600"], user=account.uid if account.drops else None, cwd="/")
    yield process.pid
    process.kill()
    process.wait()


def test_stale_pid_file_that_names_a_live_process(data_dir: Path, bystander: int) -> None:
    crash(data_dir)
    pid_file = data_dir / "postgres" / "cluster" / "postmaster.pid"
    _, _, rest = pid_file.read_text().partition("\n")
    pid_file.write_text(f"{bystander}\n{rest}")
    with (
        postgres.open_server(data_dir) as server,
        psycopg.connect(server.url.replace("+psycopg", "")) as connection,
    ):
        assert connection.execute("SELECT * FROM kept").fetchall() == [(1,)]


@pytest.mark.parametrize("content", ["", "12", "12\n"])
def test_pid_file_cut_off_by_a_crash(data_dir: Path, content: str) -> None:
    crash(data_dir)
    (data_dir / "postgres" / "cluster" / "postmaster.pid").write_text(content)
    with postgres.open_server(data_dir):
        assert find_postmaster(data_dir)


def test_stale_socket_lock_that_names_a_live_process(data_dir: Path, bystander: int) -> None:
    lock = crash(data_dir) / ".s.PGSQL.5432.lock"
    _, _, rest = lock.read_text().partition("\n")
    lock.write_text(f"{bystander}\n{rest}")
    with postgres.open_server(data_dir):
        assert find_postmaster(data_dir)


def test_half_made_cluster_is_thrown_away(data_dir: Path) -> None:
    leftover = data_dir / "postgres" / "cluster.new-half"
    leftover.mkdir(parents=True)
    (leftover / "PG_VERSION").write_text("18\n")
    with postgres.open_server(data_dir):
        assert not leftover.exists()


def test_orphaned_backend_keeps_a_second_server_from_starting(data_dir: Path) -> None:
    """The lock belongs to every process of the server: as long as one is alive, nobody starts another."""
    user = User(data_dir)
    started, _ = user.read()
    before = find_server_processes(data_dir)
    kill_all([find_postmaster(data_dir)])
    after = user.ask_again()
    assert after[0] != started
    assert not before & find_server_processes(data_dir)
    user.leave()


def can_make_containers() -> bool:
    return (
        os.geteuid() == 0
        and bool(shutil.which("unshare"))
        and subprocess.run(
            ["unshare", "--pid", "--fork", "--mount-proc", "true"], check=False, stderr=subprocess.DEVNULL
        ).returncode
        == 0
    )


Start = Callable[..., User]
CONTAINER = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


@pytest.mark.skipif("not can_make_containers()", reason="needs the right to make pid namespaces")
def test_two_containers_on_one_volume_never_run_two_servers(data_dir: Path, start_user: Start) -> None:
    users = [start_user(*CONTAINER), start_user(*CONTAINER)]
    assert users[0].read() == users[1].read()
    assert find_postmaster(data_dir)
    for user in users:
        user.leave()
    wait_until_gone(data_dir)


@pytest.mark.skipif("not can_make_containers()", reason="needs the right to make pid namespaces")
def test_killed_container_starts_again_with_the_same_pids(data_dir: Path, start_user: Start) -> None:
    for _ in range(2):
        user = start_user(*CONTAINER)
        user.read()
        pid = (data_dir / "postgres" / "cluster" / "postmaster.pid").read_text().split()[0]
        assert int(pid) < 100
        user.kill()
        wait_until_gone(data_dir)
