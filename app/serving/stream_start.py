"""What `serve` does about the stream of log mode before it starts."""

import structlog

from app.privacy.pseudonyms import Pseudonyms
from app.settings import Settings
from app.store import stream_look
from app.store.stream_causes import REMEDIES, TRANSIENT, StreamError

log = structlog.get_logger()


def check_stream(settings: Settings, pseudonyms: Pseudonyms) -> None:
    """Make or check the stream of TELEMETRY_LOG_URL; say what an operator should know of it.

    One that will be usable again is no reason not to start: the spool stands in. Raises TelemetryError for
    what only its operator can mend.
    """
    address = stream_look.read_address(settings)
    if address is None:
        return
    try:
        seen = stream_look.look(settings, address, pseudonyms, make=True)
    except StreamError as error:
        if error.cause not in TRANSIENT:
            raise
        log.warning("log_unusable_at_start", cause=error.cause, remedy=REMEDIES[error.cause])
        return
    for said in seen.warnings:
        log.warning("log_not_safe", detail=said)
