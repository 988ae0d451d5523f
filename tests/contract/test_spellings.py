"""Canonical words: every spelling of one version is one word, and nothing of a
sender's own survives in it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.contract import spellings

numbers = st.integers(0, 99).map(str)
digits = st.text("0123456789", max_size=15)
releases = st.tuples(numbers, numbers, numbers).map(".".join)
pres = st.none() | st.tuples(st.sampled_from(["a", "b", "rc"]), numbers)
locals_ = st.none() | st.from_regex(r"g?[0-9a-f]{7,40}|dirty|local", fullmatch=True)
SPELLED = {"a": ("a", "alpha"), "b": ("b", "beta"), "rc": ("rc", "c", "pre", "preview")}


builds = st.tuples(st.none() | digits, st.none() | digits, locals_)


@given(releases, pres, builds, st.data())
def test_every_spelling_of_a_version_is_one_word(
    release: str,
    pre: tuple[str, str] | None,
    build: tuple[str | None, str | None, str | None],
    data: st.DataObject,
) -> None:
    post, dev, local = build

    def spell() -> str:
        separator = st.sampled_from(["", ".", "-", "_"])
        text = release
        if pre:
            word = data.draw(st.sampled_from(SPELLED[pre[0]]))
            text += f"{data.draw(separator)}{word}{data.draw(separator)}{pre[1]}"
        if post is not None:
            text += f"{data.draw(separator)}post{data.draw(separator)}{post}"
        if dev is not None:
            text += f"{data.draw(separator)}dev{data.draw(separator)}{dev}"
        return text + (f"+{local}" if local else "")

    expected = release + "".join(pre or ())
    expected += ".post" if post is not None else ""
    expected += ".dev" if dev is not None else ""
    expected += "+local" if local else ""
    assert spellings.parse_library_version(spell()) == expected
    assert spellings.parse_library_version(expected) == expected


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1.0.0-rc.37", "1.0.0rc37"),
        ("1.0.0rc37", "1.0.0rc37"),
        ("1.0.0-rc.34.dev140839285966173", "1.0.0rc34.dev"),
        ("0.71.2.dev4111111111111111", "0.71.2.dev"),
        ("0.71.3+6a616e65406578616d706c652e636f6d2121212a", "0.71.3+local"),
        ("0.54.1.post5.dev0+1b1637b4", "0.54.1.post.dev+local"),
        ("0.0.0", "0.0.0"),
        ("0.71.3+untagged.5.g1b1637b", "0.71.3+local"),
        # As PEP 440 lets one write it, and nobody does.
        ("1.0.0-RC.37", "1.0.0rc37"),
        ("v1.0.0_Beta_2", "1.0.0b2"),
        ("0!1.0.0RC", "1.0.0rc0"),
        ("1.0.0-Alpha.DEV3", "1.0.0a0.dev"),
        ("1.0.0c.post1", "1.0.0rc0.post"),
        ("1.0.0-r4", "1.0.0.post"),
        ("1.0.0rc2.rev1+Ubuntu.1", "1.0.0rc2.post+local"),
    ],
)
def test_real_and_hostile_versions(text: str, canonical: str) -> None:
    assert spellings.parse_library_version(text) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "01.2.3",
        "1.2",
        "1.2.3.4",
        "12345.0.0",
        "1.0.0rc1234",
        "415.555.2671",
        "4917.1234.5678",
        "1.2.3+jane",
        "1!1.2.3",
        "vv1.2.3",
        "1.2.3rcx",
    ],
)
def test_what_is_no_version(text: str) -> None:
    assert spellings.parse_library_version(text) is None


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("V2.0.0-RC.1", "2.0.0-rc"),
        ("1.2.3-alpha.1", "1.2.3-a"),
        ("1.2-BETA", "1.2-b"),
        ("1.2.3+build.5", "1.2.3"),
        ("1.2.3-jane", None),
        ("1.2.3+jane", None),
        ("\u0661.2.3", None),
    ],
)
def test_rare_spellings_of_a_connectors_version(text: str, canonical: str | None) -> None:
    assert spellings.parse_connector_version(text) == canonical


@given(st.from_regex(spellings.CONNECTOR, fullmatch=True))
def test_a_connectors_version_keeps_eight_digits_at_most_and_a_word(text: str) -> None:
    try:
        canonical = spellings.connector_version(text)
    except ValueError:
        assert sum(map(str.isdigit, text)) > spellings.VERSION_DIGITS
        return
    assert sum(map(str.isdigit, canonical)) <= spellings.VERSION_DIGITS
    assert re.fullmatch(r"[0-9.]+(-[a-z]+)?|unknown|latest", canonical)
    assert spellings.connector_version(canonical) == canonical


@given(st.from_regex(spellings.SYSTEM, fullmatch=True))
def test_of_a_system_only_the_family_stays(text: str) -> None:
    assert spellings.system(text) in {*spellings.FAMILIES, ""}


@given(st.from_regex(spellings.PYTHON, fullmatch=True))
def test_of_python_only_release_and_implementation_stay(text: str) -> None:
    assert re.fullmatch(r"3\.[0-9]{1,2}\.[0-9]{1,2} \([A-Za-z]+\)", spellings.python_version(text))
