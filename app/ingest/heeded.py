"""What a request says beside its events: that it wants no tracking, what its client
dropped, that it names no key."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Final

from app.contract.document import Document, parse
from app.ingest.keyring import Sender
from app.privacy.verdict import Verdict
from app.problems import Problem
from app.store.events import Tally, hour_of

# What a client may say of what it dropped: nobody can check it, and more is no client of ours.
DROPPED_AT_MOST: Final = 10_000
NOTHING: Final[Mapping[Tally, int]] = {}


def is_opt_out(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether the sender asks not to be tracked."""
    return headers.get(b"dnt") == b"1" or headers.get(b"sec-gpc") == b"1"


def parse_unauthenticated(raw: bytes, *, batch: bool) -> Document:
    """Return a parsed body that should name its write key; one that cannot be parsed names none."""
    try:
        return parse(raw, batch=batch)
    except Problem:
        return Document(None, clean=False)


def count(
    headers: Mapping[bytes, bytes], received_at: dt.datetime, sender: Sender, verdicts: Sequence[Verdict]
) -> Mapping[Tally, int]:
    """Return what is counted beside the events: what the client says it dropped, and
    envelopes that were dropped here."""
    number = headers.get(b"telemetry-client-dropped", b"")
    envelopes = [verdict.dropped for verdict in verdicts].count(True)
    if not number and not envelopes:
        return NOTHING
    hour = hour_of(received_at)
    tallies: dict[Tally, int] = {}
    if number.isdigit() and len(number) <= 9:
        tallies[Tally(hour, sender.write_key, "client_dropped", "")] = min(int(number), DROPPED_AT_MOST)
    if envelopes:
        tallies[Tally(hour, sender.write_key, "envelope", "")] = envelopes
    return tallies
