"""Pseudonyms are HMAC-SHA256 as everybody computes it, so that a key in other hands could make them again."""

import hmac

from hypothesis import given
from hypothesis import strategies as st

from app.privacy.pseudonyms import Hmac


@given(st.binary(max_size=200), st.lists(st.binary(max_size=2_000), min_size=1, max_size=3))
def test_an_hmac_is_that_of_the_standard_whatever_came_before(key: bytes, messages: list[bytes]) -> None:
    make = Hmac(key)
    for message in messages:
        assert make(message) == hmac.digest(key, message, "sha256")
