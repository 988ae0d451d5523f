"""The receiving side of PyAirbyte's anonymous usage telemetry."""

__version__ = "0.1.0"
