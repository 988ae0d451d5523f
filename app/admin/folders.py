"""What `doctor` looks at outside the database: the data directory, its spool, its secrets."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.store import secrets
from app.store.disk import try_writing

SECRETS: Final = ("hash-key", secrets.ROTATIONS, "report-token", "write-key", "tombstones")


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: what was looked at, whether it is well, and what there is to say."""

    what: str
    well: bool
    said: str


def examine(data_dir: Path) -> Iterator[Finding]:
    """Yield every check in order. Never raises."""
    yield attempt("data dir", lambda: check_data_dir(data_dir))
    yield check_spool(data_dir / "spool")
    yield attempt("secrets", lambda: check_secrets(data_dir))


def attempt(what: str, check: Callable[[], Finding]) -> Finding:
    """Return what a check finds; if the system does not let it look, that."""
    try:
        return check()
    except OSError as error:
        return Finding(what, False, f"Cannot be looked at ({os.strerror(error.errno or 0)}).")


def check_data_dir(folder: Path) -> Finding:
    """The data dir can be written, or made."""
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Finding("data dir", False, f"{there} cannot be written by this user. (unwritable_data_dir)")
    if there != folder:
        return Finding("data dir", True, f"{folder}, not made yet")
    waiting = sum(1 for _ in (folder / "spool").glob("*.sqlite"))
    return Finding("data dir", True, f"{folder}, {waiting} spools")


def check_spool(folder: Path) -> Finding:
    """A file can be written there and reaches the disk."""
    try:
        try_writing(folder)
    except OSError as error:
        said = f"Nothing can be spooled there ({os.strerror(error.errno or 0)}). (unwritable_data_dir)"
        return Finding("spool", False, said)
    return Finding("spool", True, "a file was written and fsynced")


def check_secrets(folder: Path) -> Finding:
    """Nobody else may read the generated secrets."""
    found = [folder / name for name in SECRETS if (folder / name).exists()]
    open_ones = [file.name for file in found if stat.S_IMODE(file.stat().st_mode) & 0o077]
    if open_ones:
        return Finding("secrets", False, f"Others may read {', '.join(open_ones)}: chmod 600.")
    return Finding("secrets", True, f"{len(found)} files of mode 0600" if found else "no files")
