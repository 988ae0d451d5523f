"""What a pattern cannot decide: check digits, and numbers that stand inside a longer identifier."""

import re
from collections.abc import Callable, Mapping
from typing import Final

LOOKALIKES: Final = (
    300  # an honest value does not hold that many near card numbers: it counts as one that does
)

# 13 to 19 digits, in one piece or in the groups that are printed on cards. Not the decimals of a number.
CARD: Final = re.compile(
    r"([2-6])(?<![0-9].)(?<![0-9]\..)(?=("
    r"[0-9]{12,18}(?![0-9])"
    r"|[0-9]{3}([ ._/-])[0-9]{4}\3[0-9]{4}\3[0-9]{4}(?:\3[0-9]{3})?(?![0-9])"
    r"|[0-9]{3}([ ._/-])[0-9]{6}\4[0-9]{4,5}(?![0-9])"
    r"))"
)
ISSUED: Final = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[689]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{8,15}",
    re.ASCII,
)
DOUBLED: Final = bytes.maketrans(b"0123456789", bytes([48, 50, 52, 54, 56, 49, 51, 53, 55, 57]))
HEXADECIMAL: Final = re.compile(r"[0-9A-Fa-f]{26,}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")

# Length of an IBAN by country, ISO 13616.
IBAN_LENGTHS: Final[Mapping[str, int]] = {
    country: int(length)
    for length, countries in {
        "15": "NO",
        "16": "BE",
        "18": "DK FI FO GL NL SD FK",
        "19": "MK SI",
        "20": "AT BA EE KZ LT LU XK MN",
        "21": "CH CR HR LI LV",
        "22": "BG BH DE GB GE IE ME RS VA",
        "23": "AE GI IL IQ OM SO TL",
        "24": "AD CZ DZ ES MD PK RO SA SE SK TN VG",
        "25": "LY PT ST",
        "26": "IS TR",
        "27": "BI DJ FR GR IT MC MR SM",
        "28": "AL AZ BY CY DO GT HU LB NI PL SV",
        "29": "BR EG PS QA UA",
        "30": "JO KW MU YE",
        "31": "MT SC",
        "32": "LC",
        "33": "RU",
    }.items()
    for country in countries.split()
}
IBAN: Final = re.compile(r"(?<![0-9A-Za-z])([A-Za-z]{2})[0-9]{2}(?=[ -]?[0-9A-Za-z])")


def holds_card(text: str) -> bool:
    """Return whether a number in the text is a card's: length and prefix of an
    issuer, and Luhn's check digit."""
    for number, match in enumerate(CARD.finditer(text)):
        if number == LOOKALIKES:
            return True
        digits = match[1] + re.sub("[^0-9]", "", match[2])
        if ISSUED.fullmatch(digits) and passes_luhn(digits) and not is_inside_hash(text, match.start()):
            return True
    return False


def passes_luhn(digits: str) -> bool:
    """Return whether digits pass Luhn: from the right, every second digit doubled (less 9 when over 9); the
    sum is a multiple of ten."""
    reversed_digits = digits.encode()[::-1]
    return (
        sum(reversed_digits[::2]) + sum(reversed_digits[1::2].translate(DOUBLED)) - 48 * len(digits)
    ) % 10 == 0


def is_inside_hash(text: str, position: int) -> bool:
    """Return whether the text around a position is a long hexadecimal number or a UUID,
    of which digits are a part."""
    nearby = text[max(0, position - 128) : position + 128]
    offset = position - max(0, position - 128)
    return any(
        match.start() <= offset < match.end()
        for match in HEXADECIMAL.finditer(nearby)
        if not match[0].isdigit()
    )


def holds_iban(text: str) -> bool:
    """Return whether the text holds an IBAN: a country's length, and ISO 7064's check digits."""
    starts = ((match.start(), IBAN_LENGTHS.get(match[1].upper())) for match in IBAN.finditer(text))
    for number, (start, length) in enumerate((start, length) for start, length in starts if length):
        if number == LOOKALIKES or is_iban(text[start : start + 2 * length], length):
            return True
    return False


def is_iban(text: str, length: int) -> bool:
    """Return whether a text begins with an IBAN of this length, blanks and
    hyphens between its groups aside."""
    letters = []
    for position, letter in enumerate(text, 1):
        if letter.isascii() and letter.isalnum():
            letters.append(letter)
        elif letter not in " -":
            return False
        if len(letters) == length:
            return not text[position : position + 1].isalnum() and passes_mod97("".join(letters))
    return False


def passes_mod97(iban: str) -> bool:
    """Return whether ISO 7064 holds: the first four characters moved to the end, letters as 10 to 35, modulo
    97 is 1."""
    return int("".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])) % 97 == 1


CHECKS: Final[Mapping[str, Callable[[str], bool]]] = {"card": holds_card, "iban": holds_iban}
