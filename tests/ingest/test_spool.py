"""A spool file with bad bytes in it: nothing raises, nothing blocks, and what comes out is what went in."""

import os
import resource
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ingest import spool_folder
from app.ingest.spool_file import SpoolFile, SpoolFullError

QUOTA = 2**20
# Small ones, several to a page of 4 KiB, and one that takes several pages.
PAYLOADS = [b"%d" % number * (20_000 if number == 3 else 500) for number in range(8)]


def fill(folder: Path) -> Path:
    """The file of a dead process that holds the payloads, its write-ahead log folded in."""
    spool = SpoolFile.create(folder, QUOTA)
    for payload in PAYLOADS:
        spool.append(payload)
    spool.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    spool.close()
    return spool.file


def drain(folder: Path) -> tuple[list[bytes], int]:
    """What the spools of the folder hold, and how many entries their new owner had to give up."""
    payloads, corrupt = [], 0
    for spool in spool_folder.adopt(folder, QUOTA):
        while entry := spool.oldest():
            payloads.append(entry.payload)
            assert len(payloads) < 10 * len(PAYLOADS), "an entry comes again for ever"
            spool.remove(entry)
        corrupt += spool.corrupt
        assert spool.depth().entries == 0
        spool.close()
    return payloads, corrupt


@cache
def whole() -> bytes:
    """The content of a file without damage."""
    with tempfile.TemporaryDirectory() as folder:
        return fill(Path(folder)).read_bytes()


def test_what_was_kept_comes_back_in_order(tmp_path: Path) -> None:
    fill(tmp_path)
    assert drain(tmp_path) == (PAYLOADS, 0)
    assert not list(tmp_path.iterdir())


# Half of them where the tables are described and begin.
places = st.integers(0, 2**16) | st.integers(0, 8_192 + 64)
damages = st.lists(st.tuples(places, st.binary(min_size=1, max_size=64)), min_size=1, max_size=3)


@settings(max_examples=200, deadline=None)
@given(damages)
def test_bad_bytes_anywhere_in_the_file(damages: list[tuple[int, bytes]]) -> None:
    damaged = bytearray(whole())
    for place, damage in damages:
        at = place % len(whole())
        damaged[at : at + len(damage)] = damage
    check(bytes(damaged[: len(whole())]))


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1))
def test_a_file_cut_off_anywhere(part: float) -> None:
    check(whole()[: int(part * len(whole()))])


def check(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "01.sqlite").write_bytes(content)
        payloads, corrupt = drain(folder)
        assert set(payloads) <= set(PAYLOADS)
        if content and set(payloads) != set(PAYLOADS):
            assert corrupt
            assert list(folder.glob("*.corrupt"))


def damage_row(file: Path, column: str, value: object) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute(f"UPDATE entries SET {column} = ? WHERE id = 2", (value,))


@pytest.mark.parametrize("value", ["text", "", 7, 1.5, b"\xed\xa0\x80"])
@pytest.mark.parametrize("column", ["payload", "checksum"])
def test_a_value_of_another_type_costs_its_own_entry_only(tmp_path: Path, column: str, value: object) -> None:
    damage_row(fill(tmp_path), column, value)
    assert drain(tmp_path) == (PAYLOADS[:1] + PAYLOADS[2:], 1)
    [aside] = tmp_path.glob("*.corrupt")
    if column == "checksum":
        assert aside.read_bytes() == PAYLOADS[1]


def test_text_that_is_no_text(tmp_path: Path) -> None:
    file = fill(tmp_path)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("UPDATE entries SET payload = CAST(x'ff' AS TEXT), queued_at = 'x' WHERE id = 2")
    assert drain(tmp_path) == (PAYLOADS[:1] + PAYLOADS[2:], 1)


@pytest.mark.parametrize("moment", ["x", b"y", 2**62, -1.5])
def test_a_moment_of_another_type_costs_nothing(tmp_path: Path, moment: object) -> None:
    damage_row(fill(tmp_path), "queued_at", moment)
    assert drain(tmp_path) == (PAYLOADS, 0)


def break_schema(file: Path) -> None:
    """Every entry can be read, but the file is not what SQLite wrote."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE more (id INTEGER)")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file of this process grows beyond so many bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_rescue_without_room_changes_nothing_and_is_tried_again(tmp_path: Path) -> None:
    file = fill(tmp_path)
    break_schema(file)
    with files_of_at_most(32_768):
        assert spool_folder.adopt(tmp_path, QUOTA) == []
    assert [each.name for each in tmp_path.glob("*.sqlite")] == [file.name]
    assert not list(tmp_path.glob("*.corrupt"))
    assert drain(tmp_path) == (PAYLOADS, 1)


def test_a_rescue_may_go_beyond_the_quota(tmp_path: Path) -> None:
    spool = SpoolFile.create(tmp_path, QUOTA)
    for _ in range(100):
        spool.append(bytes(5_000))
    spool.close()
    break_schema(spool.file)
    [rescued] = spool_folder.adopt(tmp_path, 1)  # it was lowered, to less than what waits
    assert rescued.depth().entries == 100
    with pytest.raises(SpoolFullError):
        rescued.append(bytes(5_000))
    rescued.close()


def test_what_was_quarantined_is_deleted_after_a_month(tmp_path: Path) -> None:
    names = ["01.corrupt", "01.corrupt-wal", "02.7.corrupt", "03.corrupt", "04.sqlite", "04.lock"]
    for days, name in zip((31, 31, 31, 29, 31, 31), names, strict=True):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, time.time() - days * 24 * 3600))
    spool_folder.discard_quarantined(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["03.corrupt", "04.lock", "04.sqlite"]


def test_numbers_beyond_all_bounds_do_not_hold_up_the_rescue(tmp_path: Path) -> None:
    file = fill(tmp_path)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("UPDATE sqlite_sequence SET seq = ?", (2**62,))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    content = bytearray(file.read_bytes())
    at = content.rindex(PAYLOADS[3][:3_000])  # where its tree of pages is no longer one
    content[at - 4_096 : at] = bytes(4_096)
    file.write_bytes(content)
    payloads, _ = drain(tmp_path)
    assert payloads == [payload for payload in PAYLOADS if payload in payloads]
