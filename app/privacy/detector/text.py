"""A JSON value as the texts that somebody could read in it. Everything here takes time
in proportion to the length."""

import re
import unicodedata
from binascii import a2b_base64
from collections.abc import Iterator
from typing import Final

from app.contract.document import canonical

DECODINGS: Final = 2  # rounds of percent-decoding, and of base64

FIRST_PLANE: Final = 0x10000
# Beyond the first plane only these imitate ASCII or are invisible: letters and digits of mathematics,
# enclosed and segmented ones, tags.
IMITATIONS: Final = frozenset(
    [*range(0x1D400, 0x1D800), *range(0x1F100, 0x1F200), *range(0x1FBF0, 0x1FBFA), *range(0xE0000, 0xE1000)]
)
# Drawn as nothing though Unicode does not call them format characters: fillers, the blank cell of Braille.
BLANK: Final = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
IMITATED: Final = {"\u3002": ".", "\u2024": ".", "\u2215": "/", "\u2044": "/", "\u2216": "\\", "\u2236": ":"}
LONGEST_FOLD: Final = 4  # U+FDFA stands for 18 characters, none of which any pattern knows

ESCAPES: Final = {b'\\"': b'"', b"\\n": b"\n", b"\\r": b"\n", b"\\t": b" ", b"\\b": b"", b"\\f": b""}
NUL: Final = b"\0"
ESCAPED_CONTROL: Final = re.compile(rb"\\u00[01][0-9a-f]")

PERCENT_ENCODED: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
DIGITS: Final = "0123456789abcdefABCDEF"
BYTES: Final = {f"{high}{low}".encode(): bytes.fromhex(high + low) for high in DIGITS for low in DIGITS}

SHORTEST_WORD: Final = 8  # `j@x.io` in base64
STANDARD: Final = re.compile(rb"[A-Za-z0-9+/]{%d,}" % SHORTEST_WORD)
URL_SAFE: Final = re.compile(rb"[A-Za-z0-9_-]{%d,}" % SHORTEST_WORD)
TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
WRAPPED: Final = re.compile(rb"[A-Za-z0-9+/_\s-]+=*\s*")  # as mail does: in lines
PADDING: Final = (b"", b"", b"AA", b"A")  # `A` is six zero bits
BETWEEN_WORDS: Final = b"AAAA"
MOST_UNICODE: Final = (
    500  # of thousands of words that decode to no ASCII, none is looked at for UTF-8 beyond these
)


class Fold(dict[int, int | str]):
    """Maps a character to its look. It fills itself, so that `str.translate` pays for a character only once.

    Character by character, because `unicodedata.normalize` takes time in the square of a run of
    combining marks; those are dropped here. What is remembered is bounded: characters beyond the first
    plane, but for a few, stay as they are.
    """

    def __missing__(self, code: int) -> int | str:
        """Return the look of a character that was not seen before."""
        if code >= FIRST_PLANE and code not in IMITATIONS:
            return code
        self[code] = folded = fold_character(chr(code))
        return folded


def fold_character(character: str) -> str:
    """Return a character in NFKC, as ASCII where it imitates ASCII, as nothing where it is invisible."""
    category = unicodedata.category(character)
    if character in "\t\n\r" or category == "Cs":
        return character
    if category in ("Cc", "Cf", "Mn", "Me") or character in BLANK:
        return ""
    if category in ("Zs", "Zl", "Zp", "Pd", "Nd"):
        return {"P": "-", "Z": " "}.get(category[0]) or str(unicodedata.decimal(character))
    compatible = unicodedata.normalize("NFKC", character)
    if compatible == character or len(compatible) > LONGEST_FOLD:
        return IMITATED.get(character, character)
    return "".join(map(fold_character, compatible))


FOLD: Final = Fold()


def flatten(value: object) -> str:
    """Return one text for all keys, strings and numbers of a JSON value: thousands of short
    strings cost no more than a long one.

    An array or object reads as its JSON does, less the escapes, so that
    `"password": "…"` is seen as what it is.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        return unescape(canonical(value)).decode()
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else ""


def unescape(encoded: bytes) -> bytes:
    """Return JSON without the escapes of its strings: some end in a letter, which would hide where a word
    begins."""
    if b"\\" not in encoded:
        return encoded
    encoded = encoded.replace(b"\\\\", NUL)  # first, and JSON holds no NUL: what is left is no part of a pair
    for escape, meaning in ESCAPES.items():
        encoded = encoded.replace(escape, meaning)
    return ESCAPED_CONTROL.sub(b"", encoded).replace(NUL, b"\\")


def readings(text: str, rounds: int = DECODINGS) -> Iterator[str]:
    """Yield the text folded, then percent-decoded once and twice, then what each of these holds in base64."""
    reading = text.translate(FOLD)
    yield reading
    read = [reading]
    while len(read) <= DECODINGS and "%" in reading:
        reading = decode_percent(reading)
        read.append(reading)
        yield reading
    if rounds:
        for encoded in dict.fromkeys(read):
            if decoded := decode_base64(encoded):
                yield from readings(decoded, rounds - 1)


def decode_percent(text: str) -> str:
    """Return a text after one round of percent-decoding, folded."""
    parts = PERCENT_ENCODED.split(text.encode(errors="replace"))
    parts[1::2] = map(BYTES.__getitem__, parts[1::2])
    return b"".join(parts).decode(errors="replace").translate(FOLD)


def decode_base64(text: str) -> str:
    """Return what the words of a text mean in base64, standard or URL-safe: those
    that decode to text, one a line.

    Control characters in it, most of which show that a word was no base64, fall away when it is folded.
    """
    raw = text.encode("ascii", errors="replace")
    words = STANDARD.findall(raw)
    if b"-" in raw or b"_" in raw:
        words += [word.translate(TO_STANDARD) for word in URL_SAFE.findall(raw)]
    if b"\n" in raw and WRAPPED.fullmatch(raw):
        words.append(b"".join(raw.translate(TO_STANDARD).rstrip(b"=\r\n\t ").split()))
    # All words in one call: a call a word would take longer than all the patterns.
    decoded = a2b_base64(BETWEEN_WORDS.join(map(pad, dict.fromkeys(words)))).split(b"\0\0\0")
    lines = [line.decode() for line in decoded if line.isascii()]
    others = [line for line in decoded if not line.isascii()]
    lines += filter(None, map(decode_utf8, others[:MOST_UNICODE]))
    return "\n".join(lines)


def pad(word: bytes) -> bytes:
    """Return a word of base64 filled up to whole groups of four; a single letter too many means nothing."""
    over = len(word) % 4
    return word[:-1] if over == 1 else word + PADDING[over]


def decode_utf8(line: bytes) -> str:
    """Return the text of bytes in UTF-8, less the zeros of the padding; nothing if they are none."""
    try:
        return line.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        return ""
