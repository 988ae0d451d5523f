"""History comes in from files, through the same verdict and the same transaction as live events."""

import codecs
import gzip
import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.admin import archives
from app.problems import TelemetryError
from tests.conftest import Service
from tests.look import Look
from tests.samples import CAPTURED_KEY, DATA, basic, captured_requests, clean_event, spoil
from tests.sdks import MARKER, archived

CAPTURED = DATA / "events" / "requests.jsonl"


def write_lines(path: Path, items: list[Any]) -> Path:
    text = "".join(f"{json.dumps(item)}\n" for item in items)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def old(number: int, year: int = 2024) -> dict[str, Any]:
    return clean_event(number_of_records=number) | {"timestamp": f"{year}-03-{number % 28 + 1:02}T12:00:00Z"}


def test_plain_archived_and_gzipped_lines_are_imported_once(
    service: Service, look: Look, tmp_path: Path
) -> None:
    plain = write_lines(tmp_path / "plain.jsonl", [old(n) for n in range(30)])
    archived = [
        old(n)
        | {
            "type": "track",
            "channel": "server",
            "projectId": "p",
            "version": 2,
            "receivedAt": "2025-03-01T00:00:00Z",
            "originalTimestamp": "2025-03-01T00:00:00Z",
            "userId": None,
            "integrations": {},
            "context": {"library": {"name": "http", "version": "1"}},
        }
        for n in range(25, 40)
    ]
    packed = write_lines(tmp_path / "archive.gz", [*archived, spoil("state", "x", old(50)), "no object"])
    plain.write_bytes(codecs.BOM_UTF8 + plain.read_bytes() + b"\nno json jane@example.com\n")
    done = service.run("import", str(plain), str(packed))
    assert done.returncode == 0, done.stderr
    assert "jane" not in done.stdout + done.stderr
    assert look.outcomes() == {"received": 47, "accepted": 40, "duplicate": 5, "rejected": 2}
    assert "not JSON" in done.stdout
    assert look.value("SELECT count(*) FROM events_default") == 0
    assert look.value("SELECT min(occurred_at)::date::text FROM events") == "2024-03-01"
    assert look.value("SELECT count(*) FROM events WHERE corrected_at IS NOT NULL") == 0
    again = service.run("import", str(plain), str(packed))
    assert again.returncode == 0
    assert look.value("SELECT count(*) FROM events") == 40
    look.check_law()


def test_captured_requests_become_what_they_became_over_http(service: Service, look: Look) -> None:
    with httpx.Client(base_url=service.url, headers=basic(service.write_key), timeout=10) as client:
        assert client.post("/v1/track", json=captured_requests()[0]["body"]).json()["outcome"] == "accepted"
    done = service.run("import", str(CAPTURED), "--write-key", service.write_key)
    assert done.returncode == 0, done.stderr
    counts = look.outcomes()
    sent = [
        event for request in captured_requests() for event in request["body"].get("batch", [request["body"]])
    ]
    assert counts["received"] == len(sent) + 1
    assert counts["duplicate"] >= 1  # the one that came over HTTP before
    assert counts["accepted"] == look.value("SELECT count(*) FROM events")
    assert Counter(counts)["rejected"] >= look.value("SELECT count(*) FROM rejections") > 0
    look.check_law()


def test_wrong_keys_and_files_are_said_so(service: Service, tmp_path: Path) -> None:
    missing = service.run("import", str(tmp_path / "missing.jsonl"))
    assert (missing.returncode, missing.stdout) == (1, "")
    file = write_lines(tmp_path / "one.jsonl", [old(1)])
    unknown = service.run("import", str(file), "--write-key", CAPTURED_KEY)
    assert unknown.returncode == 1
    assert CAPTURED_KEY not in unknown.stderr


def packed(lines: list[bytes]) -> bytes:
    """Lines, each a gzip member that begins with a byte order mark, as `cat` makes one file of several."""
    return b"".join(gzip.compress(codecs.BOM_UTF8 + line + b"\r\n\r\n") for line in lines)


@pytest.mark.parametrize(
    "write",
    [
        packed,
        lambda lines: (
            gzip.compress(lines[0][:50]) + gzip.compress(lines[0][50:] + b"\n" + b"\n".join(lines[1:]))
        ),
        lambda lines: gzip.compress(b"") + gzip.compress(b"\n".join(lines)) + b"\0" * 512,
        b" \r\n\t\n\n".join,
    ],
    ids=["several members", "a line in two members", "padded", "blank lines"],
)
def test_the_forms_that_archives_come_in(tmp_path: Path, write: Callable[[list[bytes]], bytes]) -> None:
    file = tmp_path / "archive"
    file.write_bytes(write([json.dumps(archived(number)).encode() for number in range(4)]))
    found = list(archives.lines(file, lambda _position: None))
    assert [json.loads(line)["messageId"] for line in found if line.strip()] == [
        f"golden-{n}" for n in range(4)
    ]


ONE = gzip.compress(b'{"event": "sync"}\n' * 1000, mtime=0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (ONE[:-20], "cut off"),
        (ONE + b"no gzip", "damaged"),
        (ONE[:30] + b"\xff" * 9 + ONE[39:], "damaged"),
        (codecs.BOM_UTF16_LE + "{}".encode("utf-16-le"), "UTF-16"),
        (gzip.compress(codecs.BOM_UTF16_BE + b"\0{\0}"), "UTF-16"),
        (b"PK\x03\x04 jane@example.com", "a zip archive"),
        (b"PAR1 jane@example.com", "a Parquet file"),
    ],
    ids=["cut off", "more behind", "overwritten", "UTF-16", "UTF-16 in gzip", "zip", "Parquet"],
)
def test_what_is_no_file_of_lines_is_said_so(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "archive"
    file.write_bytes(content)
    with pytest.raises(TelemetryError, match=said) as caught:
        list(archives.lines(file, lambda _position: None))
    assert "jane" not in str(caught.value)


def write_archive(path: Path) -> Path:
    """An archive as Segment exports it: 40 clean lines, 2 of people, 3 of other kinds, one
    version that is none, no JSON."""
    lines: list[Any] = [archived(n) for n in range(40)]
    lines += [archived(40) | {"userId": "jane"}, archived(41) | {"traits": {"email": "jane@example.com"}}]
    lines += [archived(n) | {"type": kind} for n, kind in ((42, "identify"), (43, "page"), (44, "page"))]
    lines += [spoil("properties.version", "Jane's own", archived(45))]
    write_lines(path, lines)
    with gzip.open(path, "ab") as stream:
        stream.write(b"no JSON of jane@example.com\n")
    return path


def cells(printed: str) -> list[list[str]]:
    """The cells of the printed tables, row by row; a row that goes on below is one."""
    found: list[list[str]] = []
    for line in printed.splitlines():
        if line.startswith("\u2502"):
            row = [cell.strip() for cell in line.split("\u2502")[1:-1]]
            if found and not any(row[:-1]):
                found[-1][-1] += f" {row[-1]}"
            else:
                found.append(row)
    return found


def test_a_segment_archive_ends_with_a_table_of_refusals(
    service: Service, look: Look, tmp_path: Path
) -> None:
    archive = write_archive(tmp_path / "2024-03.gz")
    done = service.run("import", str(archive), "--max-refused", "0.2")
    assert (done.returncode, "Importing" in done.stderr) == (0, True), done.stderr
    assert look.outcomes() == {"received": 46, "accepted": 41, "rejected": 5}
    table = cells(done.stdout)
    for row in (
        ["accepted", "41"],
        ["rejected", "5"],
        ["with transport keys, dropped", "46"],
        ["withheld: properties.version", "1"],
        ["not_allowed", "userId", "1", "2024-03.gz:41"],
        ["not_allowed", "traits", "1", "2024-03.gz:42"],
        ["unsupported_type", "type", "3", "2024-03.gz:43, 2024-03.gz:44, 2024-03.gz:45"],
        ["lines that are not JSON", "", "1", "2024-03.gz:47"],
    ):
        assert row in table
    stored = str(look.rows("SELECT e::text FROM events AS e")) + str(
        look.rows("SELECT r::text FROM rejections AS r")
    )
    for trace in (MARKER, "jane", "198.51.100", "Mozilla"):
        assert trace not in stored + done.stdout + done.stderr
    envelopes = look.value("SELECT sum(count)::int FROM tallies WHERE kind = 'envelope'")
    assert envelopes == 46


def test_more_refusals_than_allowed_are_exit_status_2(service: Service, look: Look, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "2024-03.gz")
    done = service.run("import", str(archive), "--max-refused", "0.1")
    assert done.returncode == 2
    assert "12.8%" in done.stderr  # 6 of 47
    assert look.value("SELECT count(*) FROM events") == 41  # the clean lines are in all the same


def test_a_dry_run_says_the_same_and_changes_nothing(service: Service, look: Look, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "2024-03.gz")
    files = sorted(path for path in service.folder.rglob("*") if path.suffix != ".log")
    tables = look.rows("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') ORDER BY 1")
    pretended = service.run("import", "--dry-run", str(archive), "--max-refused", "0.2")
    assert pretended.returncode == 0, pretended.stderr
    assert service.run("import", "--dry-run", str(archive), "--max-refused", "0.1").returncode == 2
    assert look.outcomes() == {}
    assert look.rows("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') ORDER BY 1") == tables
    assert sorted(path for path in service.folder.rglob("*") if path.suffix != ".log") == files
    done = service.run("import", str(archive), "--max-refused", "0.2")
    assert cells(pretended.stdout) == cells(done.stdout)


def test_a_dry_run_needs_no_database(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "2024-03.gz")
    service = Service(tmp_path / "nothing", None, {})
    done = service.run("import", "--dry-run", str(archive), "--max-refused", "0.2")
    assert done.returncode == 0, done.stderr
    assert ["accepted", "41"] in cells(done.stdout)
    assert not service.data_dir.exists()


def test_what_can_be_read_of_a_folder_is_imported(tmp_path: Path) -> None:
    """A file that is cut off costs its own end only, and is told in the last line and the exit status."""
    folder = tmp_path / "logs" / "2024-03"
    folder.mkdir(parents=True)
    write_lines(folder / "1.gz", [archived(n) for n in range(20)])
    (folder / "1.gz").write_bytes((folder / "1.gz").read_bytes()[:-60])
    write_lines(folder / "2.jsonl", [archived(n) for n in range(30)])
    (folder / ".part").write_bytes(b"no JSON")
    service = Service(tmp_path / "nothing", None, {})
    done = service.run("import", "--dry-run", str(folder.parent))
    assert done.returncode == 1, done.stderr
    said = re.fullmatch(
        r".*1\.gz cannot be read: cut off\. Lines read of it: (\d+)\.", done.stderr.splitlines()[-1]
    )
    assert said
    assert 0 < int(said[1]) < 20
    assert ["accepted", str(int(said[1]) + 30)] in cells(done.stdout)


def test_standard_input_is_a_file(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "2024-03.gz")
    service = Service(tmp_path / "nothing", None, {})
    done = subprocess.run(
        service.command("import", "--dry-run", "-"),
        env=service.environment,
        input=archive.read_bytes(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert ["not_allowed", "userId", "1", "stdin:41"] in cells(done.stdout.decode())
