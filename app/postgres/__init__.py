"""A Postgres of our own, for whoever has none: found or made in the data
directory, shared by all commands on it.

`open_server` is the whole interface. The server runs while any process holds it, and no longer; it listens on
a Unix socket only, in a folder that only its user can open.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from app.postgres.errors import EmbeddedError, UnsupportedPlatformError

if TYPE_CHECKING:
    from app.postgres.server import Server

__all__ = ["EmbeddedError", "open_server"]


@contextmanager
def open_server(
    data_dir: Path,
    pg_bin: Path | None = None,
    *,
    create: bool = True,
    settings: Mapping[str, str] | None = None,
) -> Iterator["Server"]:
    """Hold the embedded server of `data_dir` for the length of the block.

    Starts it if nobody has; with `create` makes the cluster if there is none. `pg_bin` is the folder
    of the Postgres binaries, found by itself if None. `settings` are server settings for a server
    that this call starts. When the last holder's block ends, it ends only after the server has
    stopped. Raises EmbeddedError.
    """
    if sys.platform == "win32":
        raise UnsupportedPlatformError(
            "There is no embedded Postgres on Windows: name a database in TELEMETRY_DATABASE_URL, or use WSL."
        )
    from app.postgres.server import Server  # noqa: PLC0415 -- needs fcntl and pwd, which Windows lacks

    server = Server(data_dir, pg_bin, create=create, settings=settings)
    try:
        yield server
    finally:
        server.close()
