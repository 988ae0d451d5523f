"""The server's settings, given on its command line so that they hold for clusters made by any release."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

# Postgres must never write an event's values to its log: no statements, no parameters, and no
# errors of statements (`invalid input syntax for type uuid: "…"` quotes the value), hence the level
# `log`, which is above `error`.
SILENT: Final = {
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
    "log_autovacuum_min_duration": "-1",
    "log_line_prefix": "%m [%p] ",
    "log_timezone": "UTC",
}
SETTINGS: Final = {
    **SILENT,
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "cluster_name": "pyairbyte-telemetry",
    "timezone": "UTC",
    # Parallel queries share memory in /dev/shm, of which a container has 64 MB.
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "jit": "off",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "max_wal_size": "1GB",
    "min_wal_size": "256MB",  # so much is kept to be written again: making it anew, commits wait
}


def server_arguments(socket_folder: Path, extra: Mapping[str, str]) -> list[str]:
    """Return `-c name=value` for every setting; `extra` wins over ours."""
    settings = {**SETTINGS, "unix_socket_directories": f'"{socket_folder}"', **extra}
    return [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
