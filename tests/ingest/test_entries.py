"""What the spool keeps of a batch is all that storing it takes, also when an older release kept it."""

import datetime as dt
from collections import Counter

import orjson
from hypothesis import given
from hypothesis import strategies as st

from app.contract.document import ParsedEvent
from app.contract.vocabulary import shipped_connectors
from app.ingest.entries import dump, load
from app.privacy.projection import NO_ROW, Arrival
from app.privacy.pseudonyms import Pseudonyms
from app.privacy.verdict import Verdict, VerdictContext, judge
from app.store.events import Batch, Tally, refuse
from tests.samples import captured_requests, clean_event, spoil

NOW = dt.datetime(2026, 11, 26, 12, 0, 0, 123456, tzinfo=dt.UTC)
VERDICT_CONTEXT = VerdictContext(shipped_connectors(), Pseudonyms("k" * 32))
CAPTURED = [request["body"] for request in captured_requests() if request["path"] == "/v1/track"]
ODD = [
    spoil("messageId", "m-1"),
    spoil("properties.source.name", "source-acme"),
    spoil("properties.application_hash", "main.py"),
    spoil("anonymousId", "jane@example.com"),
]


def verdict_on(event: object) -> Verdict:
    return judge(ParsedEvent(event), Arrival(NOW, 1, b"key"), VERDICT_CONTEXT)


def batch_of(verdicts: list[Verdict]) -> Batch:
    return Batch(verdicts, Counter({Tally(NOW, 1, "client_dropped", ""): 3}))


@given(st.lists(st.sampled_from(CAPTURED + ODD), max_size=6))
def test_a_batch_comes_back_as_it_was(events: list[object]) -> None:
    batch = batch_of([verdict_on(event) for event in events])
    assert load(dump(batch)) == batch


def test_a_refusal_of_postgres_comes_back_as_it_was() -> None:
    batch = batch_of([refuse(verdict_on(clean_event()))])
    assert load(dump(batch)) == batch


def test_no_name_of_a_column_is_repeated() -> None:
    assert dump(batch_of([verdict_on(clean_event())] * 3)).count(b'"python_version"') == 1


def test_a_row_without_a_column_is_a_row_with_an_empty_one() -> None:
    """As when a release that did not know the column wrote it."""
    document = orjson.loads(dump(batch_of([verdict_on(clean_event())])))
    place = document["columns"].index("os")
    del document["columns"][place], document["verdicts"][0][1][place]
    row = load(orjson.dumps(document)).verdicts[0].row
    assert list(row) == list(NO_ROW)
    assert row["os"] is None


def test_rows_are_read_as_earlier_releases_wrote_them() -> None:
    """Each an object, without its empty columns."""
    batch = batch_of([verdict_on(event) for event in CAPTURED[:3] + ODD])
    document = orjson.loads(dump(batch))
    columns = document.pop("columns")
    for verdict in document["verdicts"]:
        values = zip(columns, verdict[1], strict=True)
        verdict[1] = {name: value for name, value in values if value is not None}
    again = load(orjson.dumps(document))
    assert again == batch
    assert [list(verdict.row) for verdict in again.verdicts] == [list(NO_ROW)] * len(again.verdicts)
