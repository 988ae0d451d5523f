"""Why the embedded Postgres cannot be had; each message says what to do about it."""

from app.problems import TelemetryError


class EmbeddedError(TelemetryError):
    """The embedded Postgres cannot be used here."""


class UnsupportedPlatformError(EmbeddedError):
    """No embedded Postgres on this operating system."""


class BinariesError(EmbeddedError):
    """No usable Postgres binaries."""


class UnsuitableLayoutError(EmbeddedError):
    """The data directory cannot hold a cluster."""


class ClusterError(EmbeddedError):
    """The cluster is missing, broken, or of another major version."""


class ServerStartError(EmbeddedError):
    """The server did not start, or does not answer."""
