"""Data directories whose servers are gone when the test is."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.postgres.processes import User, find_server_processes, kill_all, wait_until_gone


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    yield folder
    if (folder / "postgres" / "server.lock").exists():
        left = find_server_processes(folder)
        kill_all(left)
        wait_until_gone(folder)
        assert not left, "the test left a server behind"


@pytest.fixture
def start_user(data_dir: Path) -> Iterator[Callable[..., User]]:
    """Start processes that use the server of `data_dir`, with a command in front of them if need be."""
    users: list[User] = []

    def start(*prefix: str) -> User:
        users.append(User(data_dir, prefix))
        return users[-1]

    yield start
    for user in users:
        user.clean_up()
    wait_until_gone(data_dir)
