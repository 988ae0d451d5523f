"""Whether the user has opted out, and the file that remembers it beside the environment variable."""

import os
from pathlib import Path

from . import _hooks, _settings

_TEXT = (
    "Anonymous usage reporting of PyAirbyte is off because this file is here.\n"
    "`python -m pyairbyte_telemetry on` removes it.\n"
)


def find_reason() -> str | None:
    """Return why nothing is sent, as far as the process itself knows, or None. Touches no file."""
    if os.environ.get(_settings.DO_NOT_TRACK):
        return f"{_settings.DO_NOT_TRACK} is set"
    if _hooks.current.offline():
        return "offline mode is on"
    return None


def get_file(analytics_file: Path) -> Path:
    """Return the opt-out file's path. A file of its own: older releases rewrite the analytics file."""
    return analytics_file.parent / "telemetry-opt-out"


def is_file_there(analytics_file: Path) -> bool:
    """Return whether the user has opted out for good. A file that cannot be looked for counts as absent."""
    return os.path.exists(get_file(analytics_file))  # noqa: PTH110 -- Path.exists raises where this says no


def opt_out(analytics_file: Path) -> Path:
    """Opt out for good; return the file. Raises OSError if it cannot be written."""
    path = get_file(analytics_file)
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(_TEXT)
    return path


def opt_in(analytics_file: Path) -> Path:
    """Take the opt-out back; return the file that is gone. Raises OSError if it cannot be removed."""
    path = get_file(analytics_file)
    path.unlink(missing_ok=True)
    return path
