"""Whether a folder takes files: tried, not assumed."""

import os
import tempfile
from pathlib import Path


def try_writing(folder: Path) -> None:
    """Write a file, fsync it and delete it. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".probe-")
    try:
        os.write(descriptor, b"probe")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
        Path(name).unlink()
