"""What `/metrics` says about the way in. Every label is enumerated; nothing of the input becomes one.

Counters are set per request where it must be, per batch where it can be.
"""

import itertools
import time
from collections.abc import Callable
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

REQUESTS: Final = Counter(
    "telemetry_requests_total", "Requests to the ingest endpoints, by path and status.", ("path", "status")
)
OUTCOMES: Final = Counter(
    "telemetry_events_total",
    "Events by outcome; `queued` ones are counted again when they are drained.",
    ("outcome",),
)
BATCH_EVENTS: Final = Histogram(
    "telemetry_batch_events",
    "Events in a write batch.",
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000),
)
COMMIT_SECONDS: Final = Histogram(
    "telemetry_commit_seconds",
    "Time of a commit to Postgres.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
STEP_SECONDS: Final = Histogram(
    "telemetry_step_seconds",
    "Time of the steps of a request: read, parse, judge, store, reply. One request in 64 is timed.",
    ("step",),
    buckets=(0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3),
)
UNAVAILABLE: Final = Counter("telemetry_commit_failures_total", "Commits that Postgres did not take in time.")
IN_FLIGHT: Final = Gauge(
    "telemetry_events_in_flight", "Events that wait for a commit.", multiprocess_mode="livesum"
)
SPOOL_ENTRIES: Final = Gauge(
    "telemetry_spool_batches", "Batches that wait in the spool.", multiprocess_mode="livesum"
)
SPOOL_BYTES: Final = Gauge(
    "telemetry_spool_bytes", "Bytes that wait in the spool.", multiprocess_mode="livesum"
)
SPOOL_AGE: Final = Gauge(
    "telemetry_spool_age_seconds", "Age of the oldest batch in the spool.", multiprocess_mode="livemax"
)
SPOOL_CORRUPT: Final = Gauge(
    "telemetry_spool_corrupt", "Spool entries that could not be read.", multiprocess_mode="livesum"
)
# Of the stream, which all processes share: each says the same of it.
LOG_ENTRIES: Final = Gauge("telemetry_log_batches", "Batches in the stream.", multiprocess_mode="livemax")
LOG_BYTES: Final = Gauge("telemetry_log_bytes", "Bytes in the stream.", multiprocess_mode="livemax")
LOG_AGE: Final = Gauge(
    "telemetry_log_age_seconds", "Age of the oldest batch in the stream.", multiprocess_mode="livemax"
)
LOG_CONNECTED: Final = Gauge(
    "telemetry_log_connected", "Whether the stream can be used; 0 without one.", multiprocess_mode="livemin"
)

TIMED: Final = 64  # every so many requests: a clock and a histogram for each would cost more than judging it
STEPS: Final = {step: STEP_SECONDS.labels(step) for step in ("read", "parse", "judge", "store", "reply")}
_requests = itertools.count()


# Times nothing: a built-in, which costs half of what a function of ours does.
_NOTHING: Final[dict[str, object]] = {}
_take_no_time: Final = _NOTHING.get


def time_steps() -> Callable[[str], object]:
    """Return what is called at the end of each step of a request, with the step's name."""
    if next(_requests) % TIMED:
        return _take_no_time
    since = time.perf_counter()

    def took(step: str) -> None:
        nonlocal since
        now = time.perf_counter()
        STEPS[step].observe(now - since)
        since = now

    return took
