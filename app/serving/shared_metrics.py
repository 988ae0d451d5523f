"""The folder in which the workers of one service put their metrics together."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger()

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"  # the library reads it when it is imported


def share(data_dir: Path, port: int) -> None:
    """Let the workers put their metrics together in a folder. The library reads where
    from the environment at import.

    A folder for each port: several services may use one data directory. Without one that may be written, the
    system's folder for temporary files does; without that each worker shows its own numbers.
    """
    place = data_dir / "metrics" / str(port)
    try:
        try:
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(mode=0o700, parents=True)
        except OSError:
            place = Path(tempfile.mkdtemp(prefix="pyairbyte-telemetry-metrics-"))
            atexit.register(shutil.rmtree, place, ignore_errors=True)
    except OSError:
        log.warning("metrics_not_shared")
        return
    os.environ[VARIABLE] = str(place)


def folder() -> str | None:
    """Return where the workers of this service put their metrics together, if it has several."""
    return os.environ.get(VARIABLE)


def forget() -> None:
    """Delete the folder: who starts again begins with nothing counted."""
    if place := os.environ.pop(VARIABLE, None):
        shutil.rmtree(place, ignore_errors=True)
