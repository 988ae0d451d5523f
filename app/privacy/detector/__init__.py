"""Says whether text that missed its vocabulary looks like personal data or a secret, and of which kind.

It decides between *withheld* and *refused* only: nothing it reads is stored either way
(`docs/decisions`, 0001), so a pattern that is missing cannot leak. It never raises, and its time grows
with the length of the text and no faster: the patterns are matched by RE2, all at once, and what RE2
cannot decide is looked at a bounded number of times.

A first name, `jdoe-laptop`, a number without a shape: no pattern can tell, so they are not found.
"""

from typing import Final

from app.privacy.detector.automata import match
from app.privacy.detector.checks import CHECKS
from app.privacy.detector.patterns import KINDS
from app.privacy.detector.text import flatten, readings, unescape

__all__ = ["KINDS", "detect", "detect_json"]

RULE_PREFIX: Final = "pii_"


def detect(value: object) -> str | None:
    """Return the rule that a JSON value breaks, `pii_email` and so on (`KINDS`), or None.

    Keys and values are read at any depth, as they are and as whoever decodes them would see them: in
    compatibility characters, with invisible characters, percent-encoded twice, in base64.
    """
    return detect_text(flatten(value))


def detect_json(form: bytes) -> str | None:
    """Return the rule that a JSON value breaks whose canonical form this is, or None."""
    return detect_text(unescape(form).decode())


def detect_text(text: str) -> str | None:
    """Return the rule that a text breaks, or None."""
    for reading in readings(text):
        for kind in match(reading):
            check = CHECKS.get(kind)
            if check is None or check(reading):
                return RULE_PREFIX + kind
    return None
