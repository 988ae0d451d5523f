"""The receiving side of PyAirbyte's anonymous usage telemetry."""
