"""The detector: it sees through encodings, it never fails, it never fires at what is harmless."""

import base64
import sys
from typing import Any, get_args
from urllib.parse import quote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.contract.spellings import FAMILIES
from app.contract.vocabulary import EXCEPTION_CLASSES, shipped_connectors
from app.contract.wire import CacheType, Executor
from app.demo.fleet import generate_events
from app.privacy.detector import KINDS, detect
from app.privacy.detector.checks import passes_luhn, passes_mod97
from app.privacy.detector.text import FOLD, fold_character, readings, unescape
from tests.privacy.adversarial import read_cases
from tests.samples import captured_requests

NO_ADDRESS = "0.0.0.0"  # `properties.ip` up to 0.7.1: a literal of the wire
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u180e\u200e\u202e\ufe0f\u115f\u3164\U000e0020"

# One that every reading of it must find, by the kind: no blanks, so that
# percent-encoding and base64 keep it whole.
SAMPLES = {
    "pii_email": "jane.doe@acme-corp.com",
    "pii_path": "/home/jane/main.py",
    "pii_ipv4": "10.0.3.17",
    "pii_ipv6": "2001:db8::1",
    "pii_mac": "00:1a:2b:3c:4d:5e",
    "pii_hostname": "janes-macbook.local",
    "pii_phone": "+14155552671",
    "pii_ssn": "123-45-6789",
    "pii_card": "4111111111111111",
    "pii_iban": "DE89370400440532013000",
    "pii_dsn": "postgresql://jane:secret@db/prod",
    "pii_url": "https://intranet.example.com/x",
    "pii_secret": "password=hunter2",
}
samples = st.sampled_from(sorted(SAMPLES.items()))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_it_never_raises(value: Any) -> None:
    assert detect(value) is None or detect(value) in {f"pii_{kind}" for kind in KINDS}


@given(st.text(st.characters(codec=None), max_size=200))
def test_it_never_raises_on_any_characters(text: str) -> None:
    detect(text)
    detect([text, {text: text}])


@pytest.mark.parametrize("depth", [10, 5_000])
def test_it_never_raises_however_deep(depth: int) -> None:
    value: Any = "jane@example.com"
    for _ in range(depth):
        value = [value]
    detect(value)


def test_folding_twice_is_folding_once() -> None:
    for code in range(sys.maxunicode + 1):
        once = fold_character(chr(code))
        assert once.translate(FOLD) == once


def test_what_folding_remembers_is_bounded() -> None:
    "".join(map(chr, range(0x10000, 0x110000))).translate(FOLD)
    assert len(FOLD) < 0x10000 + 0x2000


@given(samples, st.lists(st.tuples(st.integers(0, 40), st.sampled_from(INVISIBLE)), max_size=8))
def test_invisible_characters_hide_nothing(sample: tuple[str, str], inserted: list[tuple[int, str]]) -> None:
    rule, text = sample
    for position, character in inserted:
        text = text[:position] + character + text[position:]
    assert detect(text) == rule


def widen(text: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text)


def encode_every_byte(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


def encode_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


ENCODINGS = [widen, encode_every_byte, encode_base64, lambda text: quote(text, safe=""), str]


@given(
    samples, st.sampled_from(ENCODINGS), st.sampled_from(ENCODINGS), st.sampled_from(["", "see ", "(", "'"])
)
def test_two_encodings_hide_nothing(sample: tuple[str, str], inner: Any, outer: Any, before: str) -> None:
    rule, text = sample
    assert detect(before + outer(inner(text))) == rule


@given(samples, st.integers(0, 3), st.booleans())
def test_nesting_hides_nothing(sample: tuple[str, str], depth: int, as_key: bool) -> None:
    rule, text = sample
    value: Any = {text: 1} if as_key else [text]
    for level in range(depth):
        value = [None, value] if level % 2 else {"a": value, "b": True}
    assert detect(value) == rule


HARMLESS: list[Any] = [
    *[
        "Source ACME (prod) ünïcødé 数据",
        "source-acme'; DROP TABLE events;--",
        "jdoe-laptop",
        "Jane Doe",
        "x" * 32_000,
    ],
    *[
        "123456",
        "1234567890",
        "1700000000",
        "1700000000000000",
        1234567890123456789,
        3.14,
        "3.14",
        True,
        None,
        [],
        {},
    ],
    *[
        "2024-01-01",
        "2022-12-31T23:59:59.999999Z",
        "31.12.2022 23:59",
        "12/31/2022",
        "20221231-235959",
        "12:30:45",
    ],
    *[
        "01m8322hvqj1fknyhw4htke73h",
        "123E4567-E89B-12D3-A456-426614174000",
        "D41D8CD98F00B204E9800998ECF8427E",
    ],
    *[
        "deadbeef" * 8,
        "0" * 64,
        "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6",
        "v1.2.3",
        "1.2.3.4.5",
        "1.0.0-rc+20240101",
    ],
    *[
        "source-faker@1.2.3",
        "airbyte/source-faker:1.0@sha256:" + "12ab" * 16,
        "std::string",
        "a::b",
        "100% 50%41",
    ],
    *[
        "airbyte._util.internal.exceptions.Foo",
        "config.local.json",
        "/usr/lib/python3.11/x.py",
        "a/b\\c",
        "~",
        "@",
        "a@b",
    ],
    *[
        "KeyError: 'x'",
        "Windows 10.0.19045",
        "Linux 5.15.0-1051-aws",
        "tokens",
        "secret",
        "password",
        "the secret source",
    ],
    *[
        {"a": 1, "b": [2, {"c": "d"}]},
        ["@foo.bar"],
        {"version": "1.2.3"},
        {"@type": "x.y"},
        [4111, 1111, 1111, 1111],
    ],
]


@pytest.mark.parametrize("value", HARMLESS, ids=lambda value: repr(value)[:40])
def test_what_is_harmless_passes(value: Any) -> None:
    assert detect(value) is None


def test_no_word_of_a_vocabulary_is_taken_for_personal() -> None:
    words = [*shipped_connectors(), *EXCEPTION_CLASSES, *FAMILIES, *get_args(CacheType), *get_args(Executor)]
    assert [word for word in words if detect(word)] == []


def leaves(value: object) -> set[object]:
    if isinstance(value, dict):
        return {leaf for item in value.values() for leaf in leaves(item)} | set(value)
    if isinstance(value, list):
        return {leaf for item in value for leaf in leaves(item)}
    return {value}


def test_no_value_of_ten_thousand_clean_events_is_taken_for_personal() -> None:
    """Stronger than the verdict, which asks the detector only about fields that miss their vocabulary."""
    until = 1_795_359_600.0
    events = generate_events(shipped_connectors(), users=1_500, days=40, seed=3, until=until)
    clean = [event.body for event in events if event.outcome == "accepted"][:10_000]
    assert len(clean) == 10_000
    values = {leaf for body in clean for leaf in leaves(body)} - {NO_ADDRESS}
    assert [value for value in values if detect(value)] == []


PERSONAL_IN_CAPTURES = {
    "jane.doe@acme-corp.com",
    "source-jane.doe@acme-corp.com",
    "source-customer-4111111111111111",
}


def test_of_the_captured_values_only_the_personal_ones_are_found() -> None:
    values: set[object] = set()
    for request in captured_requests():
        body = request["body"]
        events = body.get("batch", [body])
        for event in events:
            if event["event"] != "mcp_tool_call":  # not ours; refused by its name
                values |= leaves(event)
    assert {value for value in values - {NO_ADDRESS} if detect(value)} == PERSONAL_IN_CAPTURES


def test_digits_inside_a_hash_are_no_card() -> None:
    assert detect("ab4111111111111111cdef0123456789abcdef01") is None
    assert detect("4111111111111111") == detect("card4111111111111111") == "pii_card"


def test_check_digits() -> None:
    assert passes_luhn("4111111111111111")
    assert not passes_luhn("4111111111111112")
    assert passes_mod97("GB82WEST12345698765432")
    assert not passes_mod97("GB82WEST12345698765431")
    assert detect("DE89370400440532013001") is None
    assert detect("4111111111111112") is None


def test_many_look_alikes_count_as_one_that_is_real() -> None:
    assert detect("4111111111111112 " * 1_000) == "pii_card"
    assert detect("DE89370400440532013001 " * 1_000) == "pii_iban"


@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('\\"\n\t/nu0'), max_size=60))
def test_unescaping_gives_the_text_back(text: str) -> None:
    visible = "".join(character for character in text if character >= " " or character == "\n")
    encoded = orjson.dumps([visible])
    assert unescape(encoded).decode() == f'["{visible}"]'


def test_readings_end() -> None:
    text = "%2525252541" * 10
    assert len(list(readings(text))) <= 9


def test_the_suite_and_the_samples_agree() -> None:
    for case in read_cases():
        if case.rule and case.rule.startswith("pii_") and case.patch:
            [value] = case.patch.values()
            assert value is True or detect(value) == case.rule
