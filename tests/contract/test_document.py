"""Body shape: what is JSON at all, and which rule of it an event breaks."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.contract.document import canonical, find_fault, parse
from app.contract.limits import EVENT_DEPTH
from app.problems import Problem

letters = st.text(st.sampled_from('ab:"\\{}é😀\n '), max_size=4)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | letters
)


class Pairs(list[tuple[str, Any]]):
    """An object as it is written, in which a key may stand twice."""


documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(letters, inner), max_size=4).map(Pairs),
    max_leaves=8,
)


def write(value: Any, escaped: bool) -> str:
    """JSON text of a value, strings as they are or with every character escaped."""
    if isinstance(value, Pairs):
        return "{" + " ,".join(f"{write(key, escaped)}: {write(item, escaped)}" for key, item in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(write(item, escaped) for item in value) + "]"
    if isinstance(value, str) and escaped:
        units = value.encode("utf-16-be")
        return (
            '"'
            + "".join(f"\\u{high:02x}{low:02X}" for high, low in zip(units[::2], units[1::2], strict=True))
            + '"'
        )
    return json.dumps(value, ensure_ascii=False)


def read(value: Any) -> Any:
    """What the text of a value means: the last of equal keys counts."""
    if isinstance(value, Pairs):
        return {key: read(item) for key, item in value}
    return [read(item) for item in value] if isinstance(value, list) else value


def repeats(value: Any) -> bool:
    if isinstance(value, Pairs):
        return len({key for key, _ in value}) < len(value) or any(repeats(item) for _, item in value)
    return isinstance(value, list) and any(map(repeats, value))


@given(documents, st.booleans())
def test_a_document_is_read_as_it_is_written(value: Any, escaped: bool) -> None:
    document = parse(write(value, escaped).encode())
    if not any(is_huge(number) for number in numbers(value)):
        assert document.value == read(value)


@given(documents, st.booleans())
def test_a_repeated_key_is_never_missed(value: Any, escaped: bool) -> None:
    document = parse(write([value], escaped).encode())
    if repeats(value):
        assert not document.clean
        assert find_fault(document.value) in ("duplicate_key", "too_deep")
    elif not escaped:
        assert find_fault(document.value, clean=document.clean) in (None, "too_deep")


@given(st.lists(documents, max_size=4), st.booleans(), st.booleans())
def test_a_repeated_key_is_never_missed_in_a_batch(events: list[Any], escaped: bool, again: bool) -> None:
    envelope = Pairs([("batch", events), ("batch" if again else "sentAt", events)])
    document = parse(write(envelope, escaped).encode(), batch=True)
    if repeats(envelope) or any(map(repeats, events)):
        assert not document.clean
    if document.clean:
        assert document.forms == [canonical(event) for event in document.value["batch"]]
    else:
        assert not document.forms


def test_a_clean_batch_is_proven_clean_with_all_its_keys() -> None:
    """Else every batch of an SDK that adds some would be parsed twice, the second time slowly."""
    document = parse(
        b'{"sentAt": "12:30", "batch": [{"b": 1, "a": ":"}, 7], "context": {"c": {}}}', batch=True
    )
    assert document.clean
    assert document.forms == [b'{"a":":","b":1}', b"7"]


def numbers(value: Any) -> Iterable[Any]:
    if isinstance(value, tuple | list):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, int):
        yield value


def is_huge(number: int) -> bool:
    return not -(2**63) <= number < 2**64


def is_json(raw: bytes) -> bool:
    try:
        json.loads(raw.decode("utf-8"))
    except ValueError:
        return False
    return True


@given(st.binary(max_size=60) | letters.map(str.encode))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    if is_json(raw):
        value = parse(raw).value
        find_fault(value)
        canonical(value)
    else:
        with pytest.raises(Problem):
            parse(raw)


def nest(depth: int) -> Any:
    value: Any = {}
    for level in range(depth - 1):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize("clean", [True, False])
def test_depth_is_counted_in_containers(clean: bool) -> None:
    assert find_fault(nest(EVENT_DEPTH), clean=clean) is None
    assert find_fault(nest(EVENT_DEPTH + 1), clean=clean) == "too_deep"
    assert find_fault(nest(100_000), clean=clean) == "too_deep"


@pytest.mark.parametrize(
    "digits", ["18446744073709551615", "18446744073709551616", "-9223372036854775809", "9" * 300]
)
def test_both_parsers_read_a_long_number_alike(digits: str) -> None:
    clean, unclean = parse(f"[{digits}]".encode()), parse(f'[{digits}, "\\u003a"]'.encode())
    assert (clean.clean, unclean.clean) == (True, False)
    assert clean.value[0] == unclean.value[0]
    assert type(clean.value[0]) is type(unclean.value[0])


@pytest.mark.parametrize("depth", [200, 1_500, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a]": ', "}"), ('[{"\\"}": ', "}]")])
def test_an_item_nested_without_end_leaves_its_neighbours_readable(
    depth: int, opening: str, closing: str
) -> None:
    text = f'{{"batch": [{{"a": 1}}, {opening * depth}1{closing * depth}, "]", {{"b": [[2]]}}]}}'
    first, deep, text_item, last = parse(text.encode()).value["batch"]
    assert (first, text_item, last) == ({"a": 1}, "]", {"b": [[2]]})
    assert find_fault(deep) == "too_deep"


NESTED = "[" * 5_000
ENDLESS = [
    *["", "]" * 4_999, "]" * 5_001],
    *[unit * 100_000 for unit in ('"', '"x', '"\\', "\\", 'a"b\\', '[["')],
]


@pytest.mark.parametrize("text", [NESTED + rest for rest in ENDLESS], ids=range(len(ENDLESS)))
def test_what_is_nested_and_no_json(text: str) -> None:
    with pytest.raises(Problem):
        parse(text.encode())


def test_a_number_beyond_all_bounds_is_json() -> None:
    assert find_fault(parse(b'{"a": [' + b"9" * 30_000 + b"]}").value) is None


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ('{"a": NaN}', "not_a_number"),
        ('{"a": [Infinity]}', "not_a_number"),
        ('{"a": "\\u0000"}', "character"),
        ('{"\\u0000": 1}', "character"),
        ('{"a": {"b": "\\ud800"}}', "character"),
        ('{"a": "\\udc00\\ud800"}', "character"),
        ('{"a": 1, "\\u0061": 1}', "duplicate_key"),
        ('{"a": {"b": 1, "b": 1}}', "duplicate_key"),
        ('{"a": "\\\\u0000"}', None),
        ('{"a": "\\ud83d\\ude00"}', None),
        ('{"a": ":::", "b:": {":": ":"}}', None),
        ('{"a": 1e999}', None),
    ],
)
def test_faults(text: str, rule: str | None) -> None:
    document = parse(text.encode())
    assert find_fault(document.value, clean=document.clean) == rule


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "nul",
        "{'a': 1}",
        '{"a": 1,}',
        '{"a": 01}',
        '{"a": .5}',
        '{"a": +1}',
        '{"a": 1.}',
        '{"a": "\t"}',
        '{"a": "\\x41"}',
        '{"a" 1}',
        "{} {}",
        "\ufeff{}",
        '{"a": 0x1}',
        "[1 2]",
        "{a: 1}",
        '{"a": nan}',
        '{"a": "\\u12"}',
    ],
)
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(Problem) as caught:
        parse(text.encode())
    assert caught.value.rule == "not_json"
    assert text.strip() not in caught.value.render().decode() or len(text.strip()) < 4


@given(documents)
def test_equal_values_have_one_canonical_form(value: Any) -> None:
    written = read(value)
    turned = json.loads(json.dumps(written), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert canonical(written) == canonical(turned)
