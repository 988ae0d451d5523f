"""The spool files of a folder: those of dead processes, those of living ones, and what is quarantined."""

import os
import sqlite3
import time
from collections.abc import Collection
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import structlog

from app.ingest.spool_depth import COUNT, Depth
from app.ingest.spool_file import SpoolFile, lock_file, take_lock

log = structlog.get_logger()

SET_ASIDE_SECONDS: Final = 30 * 24 * 3600.0  # since it was last written


def adopt(folder: Path, quota_bytes: int) -> list[SpoolFile]:
    """Return the spool files in a folder whose processes are dead; they are ours from here on."""
    adopted = []
    for file in sorted(folder.glob("*.sqlite")):
        lock = take_lock(file)
        if lock is None:
            continue
        if file.exists():
            try:
                adopted.append(SpoolFile(file, lock, quota_bytes))
            except (OSError, sqlite3.Error) as error:  # not now; somebody looks again in a few seconds
                log.warning("spool_not_adopted", spool=file.name, error=type(error).__name__)
                os.close(lock)
        else:  # its owner deleted it, empty, between our look and our lock
            lock_file(file).unlink(missing_ok=True)
            os.close(lock)
    return adopted


def discard_quarantined(folder: Path) -> None:
    """Delete what was quarantined long ago: it holds pseudonyms, and nobody who asks to
    be forgotten is found in it."""
    for file in folder.glob("*.corrupt*"):
        with suppress(OSError):  # another process was faster, or it is somebody else's
            if time.time() - file.stat().st_mtime > SET_ASIDE_SECONDS:
                file.unlink()
                log.warning("spool_quarantined_deleted", file=file.name)


def look(folder: Path, held: Collection[Path]) -> Depth:
    """Return how much waits in the spools of other living processes; one that cannot be
    read just now counts as empty."""
    depth = Depth()
    for file in sorted(set(folder.glob("*.sqlite")) - set(held)):
        with (
            suppress(sqlite3.Error),
            closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection,
        ):
            entries, size, oldest = connection.execute(COUNT).fetchone()
            depth += Depth(entries, size, max(0.0, time.time() - oldest) if oldest else 0.0)
    return depth
