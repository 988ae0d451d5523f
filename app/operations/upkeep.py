"""What `serve` keeps up by itself, and how often."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from app.operations import expiry, forget, packing, retention
from app.operations.maintenance import Job, Maintenance
from app.settings import Settings
from app.store import partitions

FORGET: Final = "forget"


def create(url: str, settings: Settings, further: Sequence[Job] = ()) -> Maintenance:
    """The maintenance thread of one process, with further jobs, not started yet."""
    return Maintenance(
        url,
        [
            Job(FORGET, 15, forget.sweep),
            Job("partitions", 60, lambda connection, _stop: partitions.make_due(connection)),
            Job("retention", 3600, partial(retention.apply, days=settings.raw_retention_days)),
            Job("compaction", 3600, retention.compact),
            Job("packing", 3600, packing.pack),
            *further,  # before days expire: the public figures count them
            Job("expiry", 3600, expiry.expire),
        ],
    )
