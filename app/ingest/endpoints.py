"""The ingest paths: `/v1/track`, `/v1/batch`, `/v1/b`, `/v1/import`, `/v1/validate`, and those of what is no
track event."""

import datetime as dt
from collections.abc import Mapping, Sequence

from app.contract.document import Document
from app.contract.envelope import UNSUPPORTED_TYPES
from app.ingest.body import GZIP_TYPES_OF_SEGMENT
from app.ingest.replies import render_dry_run
from app.ingest.routes import NO_WRITE_KEY, BatchEndpoint, Endpoint, IngestContext, Submit
from app.privacy.projection import Arrival
from app.privacy.verdict import Verdict
from app.scopes import IMPORT
from app.store.events import Tally, hour_of


class ShortBatchEndpoint(BatchEndpoint):
    """`/v1/b`, where Segment's SDKs for C#, Kotlin, Swift and React Native send their batches."""

    gzip_types = GZIP_TYPES_OF_SEGMENT


class ImportEndpoint(BatchEndpoint):
    """History: times are kept as they are, and what archives added is dropped unread."""

    historical = True
    scope = IMPORT


class ValidateEndpoint(BatchEndpoint):
    """A dry run of a batch or an event: the same verdicts; stores nothing, counts nothing. Any key may."""

    scope = None

    async def judge(self, document: Document, arrival: Arrival) -> list[Verdict]:
        """Return the verdicts on a batch, or on an event as a batch of one."""
        if isinstance(document.value, dict) and "batch" not in document.value:
            document = Document({"batch": [document.value]}, document.clean, document.forms)
        return await super().judge(document, arrival)

    def make_submit(self) -> Submit:
        """Return what stores nothing."""
        return submit_nothing

    def render(self, verdicts: Sequence[Verdict], _outcomes: Sequence[str]) -> bytes:
        """Return what would become of the events."""
        return render_dry_run(verdicts)


async def submit_nothing(verdicts: Sequence[Verdict], _tallies: Mapping[Tally, int]) -> list[str]:
    """Return no outcomes."""
    return [""] * len(verdicts)


def count_lost(ingest: IngestContext) -> None:
    """Count a POST to a path that nobody answers: a sender who is set up wrongly loses every event."""
    now = dt.datetime.now(dt.UTC)
    ingest.writer.tally(Tally(hour_of(now), NO_WRITE_KEY, "refused", "not_found"))


def endpoints(ingest: IngestContext) -> dict[str, Endpoint]:
    """Return the endpoints by path."""
    kinds: dict[str, type[Endpoint]] = {
        "/v1/track": Endpoint,
        "/v1/batch": BatchEndpoint,
        "/v1/b": ShortBatchEndpoint,
        "/v1/import": ImportEndpoint,
        "/v1/validate": ValidateEndpoint,
    }
    found = {path: kind(ingest, path) for path, kind in kinds.items()}
    others = {f"/v1/{type_}": type_ for type_ in UNSUPPORTED_TYPES}
    return found | {path: Endpoint(ingest, path, type_) for path, type_ in others.items()}
