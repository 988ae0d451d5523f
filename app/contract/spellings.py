"""Versions and systems in their canonical form: every spelling of one thing is one word,
and no digit is anybody's choice.

A pattern is not a vocabulary: each free digit is a channel, by which a phone number or an address came in. So
builds lose their digits, parts have at most four, and of a system only the family stays. Bringing a value
into its canonical form is not withholding it. A version's numbers have at most eight digits together: a phone
number has nine or more, and nobody's version has.

Every function takes a text that matches the pattern beside it in `app.contract.wire`, and returns
its canonical form. They are called for each event and remember what they have seen; a word is
looked at by the detector once.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

REMEMBERED: Final = 4_096
TOO_LONG: Final = "more than eight digits"

PART_DIGITS: Final = 4
PRE_DIGITS: Final = 3
VERSION_DIGITS: Final = 8  # of all numbers that are kept, together
NUMBER: Final = f"(?:0|[1-9][0-9]{{0,{PART_DIGITS - 1}}})"
PRE_NUMBER: Final = f"(?:0|[1-9][0-9]{{0,{PRE_DIGITS - 1}}})"
# PEP 440's spellings of a pre-release and SemVer's: PyAirbyte's package metadata
# says 1.0.0-rc.37 for 1.0.0rc37.
PRE: Final = {
    "a": "a",
    "alpha": "a",
    "b": "b",
    "beta": "b",
    "c": "rc",
    "rc": "rc",
    "pre": "rc",
    "preview": "rc",
}
# What no version begins with.
TOO_MANY_DIGITS: Final = f"(?:[0-9][.]?){{{VERSION_DIGITS + 1}}}"
TOO_MANY_LIBRARY_DIGITS: Final = (
    f"(?:[0-9](?:[-._]?(?:alpha|beta|preview|pre|rc|a|b|c)[-._]?|[.])?){{{VERSION_DIGITS + 1}}}"
)
# What builds of one's own are called: a commit, a day, and the words of the tools that make them.
LOCAL_WORDS: Final = (
    "dirty|local|unknown|untagged|editable|build|dev|ci|test|debug|patched|custom|ubuntu|deb|cpu|pr"
)
LOCAL: Final = f"(?:g?[0-9a-f]{{1,40}}|d[0-9]{{8}}|(?:{LOCAL_WORDS})[0-9]{{0,18}})"
LIBRARY: Final = (
    rf"{NUMBER}\.{NUMBER}\.{NUMBER}"
    rf"(?:[-._]?(?:alpha|beta|preview|pre|rc|a|b|c)[-._]?{PRE_NUMBER})?"
    r"(?:[-._]?post[-._]?[0-9]{0,18})?"
    r"(?:[-._]?dev[-._]?[0-9]{0,18})?"
    rf"(?:\+{LOCAL}(?:\.{LOCAL}){{0,3}})?"
)
SUFFIXES: Final = ("preview", "post", "dev", "rc", "a", "b")
CONNECTOR: Final = (
    rf"{NUMBER}(?:\.{NUMBER}){{1,2}}(?:[-.]?(?:{'|'.join(SUFFIXES)})[.-]?[0-9a-f]{{0,40}})?|unknown|latest"
)
# The releases that exist, and half as many again: a new one must not wait for us.
PYTHON: Final = (
    r"3\.(?:[7-9]|1[0-9]|20)\.(?:[0-9]|[12][0-9])(?:(?:a|b|rc)[0-9]{1,2})?\+? \((?:CPython|PyPy|GraalVM)\)"
)
PLAIN_SYSTEMS: Final = (
    *("Linux", "Darwin", "Windows", "FreeBSD", "OpenBSD", "NetBSD", "SunOS", "AIX", "Java", "Android", "iOS"),
    "Emscripten",
)
FAMILIES: Final = ("Google Colab", "CYGWIN", "MSYS", "MINGW64", *PLAIN_SYSTEMS)
LONGEST_FAMILY: Final = max(map(len, FAMILIES))
SYSTEM: Final = (
    f"(?:{'|'.join(PLAIN_SYSTEMS)})?"
    r"|(?:CYGWIN|MSYS|MINGW64)(?:_NT-[0-9]{1,2}\.[0-9]{1,2}(?:-[0-9]{1,6})?)?"
    r"|Google Colab(?: \(release-colab[a-z-]{0,16}[_-][0-9]{8}-[0-9]{6}[_-]RC[0-9]{2}\))?"
)

_RELEASE = re.compile(
    rf"({NUMBER}\.{NUMBER}\.{NUMBER})(?:[-._]?(alpha|beta|preview|pre|rc|a|b|c)[-._]?({PRE_NUMBER}))?(.*)",
    re.DOTALL,
)
_SUFFIX = re.compile(rf"({NUMBER}(?:\.{NUMBER}){{1,2}})[-.]?({'|'.join(SUFFIXES)})")
_LIBRARY = re.compile(f"(?!{TOO_MANY_LIBRARY_DIGITS})(?:{LIBRARY})")
_CONNECTOR = re.compile(f"(?!{TOO_MANY_DIGITS})(?:{CONNECTOR})")
_BARE_PRE = re.compile("(?<=[0-9._-])(?:alpha|beta|preview|pre|rc|a|b|c)(?![-._]?[0-9]|[a-z])")
_REVISION = re.compile("(?<=[0-9])[-._]?(?:rev|r)(?![a-z])")
_BUILD = re.compile(rf"(?<=[0-9a-f])\+{LOCAL}(?:\.{LOCAL}){{0,3}}\Z")
_LONG_PRE = re.compile("(?<=[-.])(?:alpha|beta)")
_TOO_MANY_DIGITS = re.compile(TOO_MANY_DIGITS)
_TOO_MANY_LIBRARY_DIGITS = re.compile(TOO_MANY_LIBRARY_DIGITS)


@lru_cache(REMEMBERED)
def library_version(text: str) -> str:
    """Return `N.N.N` with `aN`, `bN` or `rcN`, then `.post`, `.dev` and `+local` where the build had them.

    Raises ValueError for more than eight digits.
    """
    if _TOO_MANY_LIBRARY_DIGITS.match(text):
        raise ValueError(TOO_LONG)
    found = _RELEASE.fullmatch(text)
    if found is None:
        return text
    release, pre, number, rest = found.groups()
    public, _, local = rest.partition("+")
    return (
        release
        + (f"{PRE[pre]}{number}" if pre else "")
        + (".post" if "post" in public else "")
        + (".dev" if "dev" in public else "")
        + ("+local" if local else "")
    )


def parse_library_version(text: str) -> str | None:
    """Return the canonical form of a version in any spelling that is accepted, None for anything else."""
    for spelling in (text, respell(text)):
        if _LIBRARY.fullmatch(spelling):
            return library_version(spelling)
    return None


def respell(text: str) -> str:
    """Return a version in the usual spelling: in small letters, without `v` and `0!` before it, `rc` as
    `rc0`, `rev` and `r` as `.post`. PEP 440 and SemVer call them the same; no package of PyAirbyte's does."""
    if not text.isascii():
        return text
    plain = text.lower().removeprefix("v").removeprefix("0!")
    public, plus, local = plain.partition("+")
    return _BARE_PRE.sub(r"\g<0>0", _REVISION.sub(".post", public)) + plus + local


@lru_cache(REMEMBERED)
def connector_version(text: str) -> str:
    """Return two or three numbers, and the word of the suffix: `1.2.3`, `1.2.3-rc`;
    `unknown` and `latest` as they are.

    Raises ValueError for more than eight digits.
    """
    if _TOO_MANY_DIGITS.match(text):
        raise ValueError(TOO_LONG)
    found = _SUFFIX.match(text)
    return f"{found[1]}-{found[2]}" if found else text


def parse_connector_version(text: str) -> str | None:
    """Return the canonical form of a connector's version that is accepted, None for anything else."""
    for spelling in (text, respell_connector(text)):
        if _CONNECTOR.fullmatch(spelling):
            return connector_version(spelling)
    return None


def respell_connector(text: str) -> str:
    """Return a connector's version in the usual spelling: in small letters, without `v` before it and a build
    behind it, `alpha` as `a` and `beta` as `b`."""
    if not text.isascii():
        return text
    plain = _BUILD.sub("", text.lower().removeprefix("v"))
    return _LONG_PRE.sub(lambda found: found[0][0], plain)


@lru_cache(REMEMBERED)
def python_version(text: str) -> str:
    """Return `3.N.N (Implementation)`; what a pre-release adds is gone."""
    number, _, implementation = text.partition(" ")
    return f"{re.split('[ab+r]', number)[0]} {implementation}"


def system(text: str) -> str:
    """Return the family of an operating system, the empty text for none."""
    return find_family(text[:LONGEST_FAMILY])  # of a text that may be long, no more is remembered


@lru_cache(REMEMBERED)
def find_family(beginning: str) -> str:
    """Return the family that a text begins with, the empty text for none."""
    return next((family for family in FAMILIES if beginning.startswith(family)), "")


# Every spelling of a version that is accepted, by its place on the wire.
PARSE: Final[dict[tuple[str, ...], Callable[[str], str | None]]] = {
    ("properties", "version"): parse_library_version,
    ("properties", "source", "version"): parse_connector_version,
    ("properties", "destination", "version"): parse_connector_version,
}
# By the leaf path of the wire, for who has a text that may or may not match.
CANONICAL: Final[dict[tuple[str, ...], Callable[[str], str]]] = {
    ("properties", "version"): library_version,
    ("properties", "python_version"): python_version,
    ("properties", "os"): system,
    ("properties", "source", "version"): connector_version,
    ("properties", "destination", "version"): connector_version,
}
