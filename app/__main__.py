"""`python -m app` is `pyairbyte-telemetry`."""

from app.cli import main

main()
