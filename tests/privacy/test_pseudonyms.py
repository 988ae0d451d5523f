"""Pseudonyms are HMAC-SHA256, message keys BLAKE2b, as everybody computes them, so that a key in other hands
could make them again."""

import hmac
from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from app.privacy.pseudonyms import Hmac, Pseudonyms


@given(st.binary(max_size=200), st.lists(st.binary(max_size=2_000), min_size=1, max_size=3))
def test_an_hmac_is_that_of_the_standard_whatever_came_before(key: bytes, messages: list[bytes]) -> None:
    make = Hmac(key)
    for message in messages:
        assert make(message) == hmac.digest(key, message, "sha256")


@given(st.text("abc", min_size=32, max_size=40), st.binary(max_size=200), st.binary(max_size=2_000))
def test_a_message_key_is_blake2b_under_a_key_of_its_own(hash_key: str, one: bytes, other: bytes) -> None:
    own = hmac.digest(hash_key.encode(), b"message keys by BLAKE2b", "sha256")
    expected = blake2b(one + b"\0" + other, digest_size=8, key=own).digest()
    assert Pseudonyms(hash_key, "rotated").message(one, other) == int.from_bytes(expected, signed=True)
