"""Which id the service was asked to forget: a date and a hash in a file, so that `status` can say so."""

import contextlib
import hashlib
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple


class Forgotten(NamedTuple):
    """When the service was last asked to forget, and the SHA-256 of the id, in hexadecimal."""

    day: str
    digest: str

    def is_of(self, anonymous_id: str) -> bool:
        """Return whether this id is the forgotten one."""
        return self.digest == _digest(anonymous_id)


def get_file(analytics_file: Path) -> Path:
    """Return the file's path, beside the id's."""
    return analytics_file.parent / "telemetry-forgotten"


def remember(analytics_file: Path, anonymous_id: str) -> None:
    """Note that the service was asked to forget an id. Does nothing where no file can be written."""
    path = get_file(analytics_file)
    with contextlib.suppress(OSError):
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(f"{datetime.now(tz=timezone.utc).date()} {_digest(anonymous_id)}\n")


def recall(analytics_file: Path) -> Forgotten | None:
    """Return what was noted last, None if there is nothing that can be read."""
    try:
        day, digest = get_file(analytics_file).read_text().split()
    except (OSError, ValueError):
        return None
    return Forgotten(day, digest)


def _digest(anonymous_id: str) -> str:
    return hashlib.sha256(anonymous_id.encode()).hexdigest()
