"""The anonymous id: a random one kept in `~/.airbyte/analytics.yml`, or the one that the user chose."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

from . import _heavy, _optout, _settings
from ._console import say
from ._ids import is_wire_id, new_ulid

NOTICE = (
    "Thank you for using Airbyte!\n"
    "Anonymous usage reporting is currently enabled. For more information, please"
    " see https://docs.airbyte.com/telemetry\n"
    f"To turn it off, set {_settings.DO_NOT_TRACK}=1, or run `python -m pyairbyte_telemetry off` once."
)
_HEADER = (
    "# This file is used by Airbyte to track anonymous usage statistics.\n"
    "# For more information or to opt out, please see\n"
    "# - https://docs.airbyte.com/operator-guides/telemetry\n"
)
_KEY = "anonymous_user_id"


def find_file() -> Path:
    """Return where the id is kept. A process without a home gets a place that cannot be
    written, and a new id each time."""
    try:
        home = Path.home()
    except (RuntimeError, OSError):
        home = Path(os.devnull)
    return home / ".airbyte" / "analytics.yml"


def set_up(file: Path, *, debug: bool) -> str | bool:
    """Return the user's id, creating the file with a notice on stderr if it is
    missing; False if the user opted out.

    The variable AIRBYTE_ANALYTICS_ID wins over the file and is remembered in it. The value returned is as the
    user wrote it; `ids.wire_id` makes of it what may be sent. Never raises.
    """
    if _optout.find_reason() or _optout.is_file_there(file):
        return False
    override = os.environ.get(_settings.ANALYTICS_ID) or None
    issues: list[str] = []
    known: str | None = None
    first_use = not _exists(file)
    if not first_use:
        known = read(file, issues)
        if known and override in {None, known}:
            return known
        if known:
            issues.append("Provided analytics ID did not match the file. Rewriting the file.")
            say(
                f"Received a user-provided analytics ID override in the '{_settings.ANALYTICS_ID}' "
                f"environment variable."
            )
    else:
        say(NOTICE)
    anonymous_id = write(file, override or new_ulid(), issues, first_use=first_use and not override)
    if debug and issues:
        say("One or more issues occurred when configuring usage tracking:\n" + "\n".join(issues))
    return anonymous_id


def peek(file: Path) -> str | None:
    """Return the user's id if there is one. Writes nothing, says nothing."""
    return os.environ.get(_settings.ANALYTICS_ID) or (read(file, []) if _exists(file) else None)


def read(file: Path, issues: list[str]) -> str | None:
    """Return the id that the file holds, as text. None if it holds none: unreadable, corrupt, incomplete."""
    try:
        text = file.read_text()
        if plain := _read_plainly(text):
            return plain
        analytics: Any = _heavy.load("yaml").safe_load(text)
    except Exception as error:  # noqa: BLE001 -- a corrupt file is replaced; its content must not be printed
        issues.append(f"File appears corrupted. Error was: {type(error).__name__}")
        return None
    found = analytics.get(_KEY) if isinstance(analytics, dict) else None
    # YAML makes numbers of ids that look like one. Other types are no ids.
    return (
        str(found)
        if isinstance(found, str | int | float) and not isinstance(found, bool) and found != ""
        else None
    )


def _read_plainly(text: str) -> str | None:
    """Return the id of a file as we write it, without importing a YAML parser. None for any other."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    key, _, value = lines[0].partition(": ") if len(lines) == 1 else ("", "", "")
    # Of digits only, YAML makes a number.
    return value if key == _KEY and is_wire_id(value) and not value.isdigit() else None


def write(file: Path, anonymous_id: str, issues: list[str], *, first_use: bool) -> str:
    """Remember the id, and return it; or the id of another process that had its first use at the same time.

    Nobody ever sees half a file.
    """
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(exist_ok=True, parents=True)
        draft.write_text(f"{_HEADER}{_KEY}: {_quote(anonymous_id)}\n")
        if first_use:
            return _place_first(draft, file) or anonymous_id
        draft.replace(file)
    except Exception:  # noqa: BLE001 -- most likely a read-only file system: the id then lasts as long as the process
        issues.append("Failed to write the analytics file. Check filesystem permissions.")
    finally:
        with contextlib.suppress(Exception):
            draft.unlink(missing_ok=True)
    return anonymous_id


def _place_first(draft: Path, file: Path) -> str | None:
    """Put the draft where no file is yet. If another process was quicker, leave its
    file there and return its id."""
    try:
        file.hardlink_to(draft)
    except FileExistsError:
        return read(file, [])
    except OSError:  # a file system without links
        draft.replace(file)
    return None


def _quote(text: str) -> str:
    """Return the text as YAML that reads as just this string: `12` and `true` would
    come back as something else."""
    if is_wire_id(text) and not text.isdigit():
        return text
    yaml = _heavy.load("yaml")
    with contextlib.suppress(yaml.YAMLError):
        if yaml.safe_load(text) == text:
            return text
    return str(yaml.safe_dump(text, default_style='"', width=sys.maxsize)).strip()


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except OSError:
        return False
