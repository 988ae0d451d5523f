"""Hashes as they may arrive: 64 hexadecimal digits that a hash function can have returned."""

from functools import lru_cache
from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

HASH: Final = "[0-9a-f]{64}"
HASH_DISTINCT_DIGITS: Final = 8  # a sha256 with fewer has odds of about 1 in 10^13: somebody typed it
REMEMBERED: Final = 16_384  # hashes that passed: those of a session come several times


@lru_cache(REMEMBERED)
def check_entropy(text: str) -> str:
    """Return a hash; refuse those that no hash function returned: all zeros, `deadbeef` repeated."""
    # Sixteen digits nearly always suffice to tell, at half the cost.
    if len(set(text[:16])) < HASH_DISTINCT_DIGITS and len(set(text)) < HASH_DISTINCT_DIGITS:
        raise PydanticCustomError("low_entropy", "fewer than 8 distinct digits")
    return text


def distinct_pattern() -> str:
    """Return a pattern of 64 hexadecimal digits of which 8 are distinct, in ECMA 262's
    syntax; it never backtracks far."""
    seen = [f"\\{number}" for number in range(1, HASH_DISTINCT_DIGITS)]
    further = (
        f"(?:{'|'.join(seen[:count])})*(?!{'|'.join(seen[:count])})([0-9a-f])"
        for count in range(1, HASH_DISTINCT_DIGITS)
    )
    return f"^(?=[0-9a-f]{{64}}$)([0-9a-f]){''.join(further)}"


Hash = Annotated[
    str,
    StringConstraints(strict=True, pattern=f"^(?:{HASH})$"),
    AfterValidator(check_entropy),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": distinct_pattern(),
            "description": "64 hexadecimal digits, 8 of them distinct",
        }
    ),
]
