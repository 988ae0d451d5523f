"""What the rollups count, for `/metrics`."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

LAG: Final = Gauge(
    "telemetry_rollup_lag_seconds",
    "Age of the oldest event that is not rolled up yet, as this process last saw it.",
    multiprocess_mode="livemax",
)
SESSIONS: Final = Counter("telemetry_rollup_sessions_total", "Marked sessions that were recomputed.")
QUARANTINED: Final = Counter(
    "telemetry_quarantined_sessions_total", "Sessions that are quarantined, since their recomputation fails."
)
SECONDS: Final = Histogram(
    "telemetry_rollup_seconds",
    "Seconds of one transaction of the rollups.",
    buckets=(0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
)
