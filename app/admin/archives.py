"""Reads archives: files of JSON lines, gzipped or not, line by line."""

import codecs
import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final, cast

from app.contract.limits import BATCH_BYTES
from app.problems import TelemetryError

STANDARD_INPUT: Final = Path("-")
LINE_BYTES: Final = 2 * BATCH_BYTES
MAGIC: Final = b"\x1f\x8b"
# What archives come in that are no JSON lines yet, by how they begin.
OTHER_FORMS: Final = {
    b"PK\x03\x04": "a zip archive",
    b"BZh": "packed by bzip2",
    b"\x28\xb5\x2f\xfd": "packed by zstd",
    b"\xfd7zXZ": "packed by xz",
    b"PAR1": "a Parquet file",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def list_files(path: Path) -> list[Path]:
    """Return a file, or those of a folder and all that are in it, in order, hidden ones aside. Raises
    TelemetryError."""
    if path == STANDARD_INPUT:
        return [Path("/dev/stdin")]
    if path.is_dir():
        found = sorted(each for each in path.rglob("[!.]*") if each.is_file())
        if not found:
            raise TelemetryError(f"{path} has no files in it.")
        return found
    if not path.is_file() and not path.is_fifo():
        raise TelemetryError(f"{path} is not a file.")
    return [path]


def lines(path: Path, progress: Callable[[int], None]) -> Iterator[bytes]:
    """Yield the lines of a file, gzipped or not, without the byte order marks that programs on Windows write.
    `progress` is called with how far it is into the file, in its own bytes. Raises TelemetryError."""
    try:
        with path.open("rb") as raw:
            packed = raw.peek(len(MAGIC)).startswith(MAGIC)
            stream = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if packed else raw
            line = stream.readline(LINE_BYTES + 1)
            check_form(path, line)
            while line:
                progress(raw.tell() if raw.seekable() else 0)
                if len(line) > LINE_BYTES:
                    raise TelemetryError(
                        f"{path} has a line of more than {LINE_BYTES >> 10} KiB: are these JSON lines?"
                    )
                yield line.removeprefix(codecs.BOM_UTF8)
                line = stream.readline(LINE_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        cause = "cut off" if isinstance(error, EOFError) else getattr(error, "strerror", None) or "damaged"
        raise TelemetryError(f"{path} cannot be read: {cause}.") from None


def check_form(path: Path, beginning: bytes) -> None:
    """Raise TelemetryError for a file that is something else than JSON lines, as its beginning shows."""
    for mark, name in OTHER_FORMS.items():
        if beginning.startswith(mark):
            raise TelemetryError(f"{path} is {name}: make JSON lines in UTF-8 of it first, gzipped or not.")
