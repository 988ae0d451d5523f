"""Every bound the client keeps, in one place. Times are seconds, sizes bytes."""

from typing import NamedTuple


class Limits(NamedTuple):
    """What may be held, sent and waited for.

    Batches stay under the service's own limits (32 KiB an event, 500 KiB and 2,500 events a
    batch, counted inflated). 400 events a batch also keep the answer, one result an event, within
    the 64 KiB of it that are read.
    """

    queue_events: int = 10_000
    batch_events: int = 400
    batch_bytes: int = 480 * 1024
    event_bytes: int = 32 * 1024 - 256  # room for `sentAt`
    gzip_above: int = 1024
    answer_bytes: int = 64 * 1024

    linger: float = 0.5
    """How long an event waits for company. A sync's last event does not wait."""

    connect_timeout: float = 1.0
    read_timeout: float = 2.0
    attempt_timeout: float = 5.0
    """How long one answer may take in all, however steadily it drips."""

    attempts: int = 6
    retry_budget: float = 60.0
    """A batch is given up this long after its first attempt."""

    backoff_base: float = 0.5
    backoff_cap: float = 10.0
    retry_after_cap: float = 30.0

    exit_timeout: float = 1.0
    """How long the interpreter's exit may be held up by hosts; on a machine that is
    busy, up to three times as long."""
    prepare_timeout: float = 5.0
    """How long it may be held up before that, by imports that are still being made: 0.1 s
    unless the machine is busy."""
