"""What is remembered is small, however long what came was: a public key suffices to send it."""

import datetime as dt
import tracemalloc
from collections.abc import Callable

import pytest

from app.contract.document import ParsedEvent
from app.contract.envelope import KEY_BYTES
from app.contract.vocabulary import shipped_connectors
from app.privacy.envelope import detect_form, find_refusal_of_batch
from app.privacy.projection import Arrival
from app.privacy.pseudonyms import Pseudonyms
from app.privacy.verdict import VerdictContext, judge
from tests.samples import clean_event

VERDICT_CONTEXT = VerdictContext(shipped_connectors(), Pseudonyms("k" * 32))
ARRIVAL = Arrival(dt.datetime(2026, 11, 23, 9, 0, tzinfo=dt.UTC), 1, b"key")
LONG = " word" * 1_500
EVENTS = 300

MAKE: dict[str, Callable[[str], dict[str, object]]] = {
    "system": lambda text: clean_event(os=f"Linux{text}"),
    "version": lambda text: clean_event(version=f"1.2.3{text}"),
    "Python": lambda text: clean_event(python_version=f"3.12.1{text}"),
    "session": lambda text: clean_event(session_id=text),
    "hash": lambda text: clean_event(application_hash=text),
    "exception": lambda text: clean_event(state="failed", exception={"class": text, "message": text}),
    "connector": lambda text: clean_event(source={"name": text, "version": text, "config_hash": text}),
    "id": lambda text: clean_event() | {"anonymousId": text, "messageId": text},
    "time": lambda text: clean_event() | {"timestamp": text},
    "context": lambda text: clean_event() | {"context": {"library": text}},
    "event": lambda text: clean_event() | {"event": text, text: text},
}


@pytest.mark.parametrize("field", MAKE)
def test_long_values_are_not_remembered(field: str) -> None:
    def judge_some(first: int, number: int) -> None:
        for each in range(first, first + number):
            judge(ParsedEvent(MAKE[field](f"{LONG}{each}")), ARRIVAL, VERDICT_CONTEXT)

    judge_some(0, 2)
    tracemalloc.start()
    judge_some(2, EVENTS)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < EVENTS * len(LONG) / 4


def test_what_is_dropped_is_remembered_if_it_is_short() -> None:
    """Of a batch's context 8 KiB pass, of an event's 1 KiB."""
    detect_form.cache_clear()
    for size, remembered in ((KEY_BYTES // 2, 1), (KEY_BYTES * 2, 1)):
        assert find_refusal_of_batch({"batch": [], "context": " word" * (size // 5)}) is None
        assert detect_form.cache_info().currsize == remembered
