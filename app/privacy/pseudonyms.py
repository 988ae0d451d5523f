"""Pseudonyms: HMAC-SHA256 under a key that the database never sees, cut to 64 bits.

PyAirbyte's salt is public, so a dictionary undoes its hash of `main.py`, and any 64 hex digits look like a
hash. Equality, counting and *forget me* survive re-keying; a leaked table is worthless.
"""

import datetime as dt
import hmac
import re
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from hashlib import blake2b
from typing import Final

# The odds that any two of ten million users meet are 3 in a million, and one in 10^9 in the same bucket,
# which the store compares, too (docs/decisions/0020).
PSEUDONYM_BYTES: Final = 8
SECRET_BYTES: Final = 16  # of what must not be guessed: write keys, the check of the hash key, receipts
CACHED: Final = 16_384  # ids come in runs: a session sends several events

CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ULID: Final = re.compile("[0-7][0-9A-HJKMNP-TV-Z]{25}")
FROM_CROCKFORD: Final = str.maketrans(CROCKFORD, "0123456789ABCDEFGHIJKLMNOPQRSTUV")
DIGIT_PAIRS: Final = [a + b for a in CROCKFORD for b in CROCKFORD]  # of 10 bits each
DIGIT_TRIPLES: Final = [a + b for a in DIGIT_PAIRS for b in CROCKFORD]  # of 15 bits each
UNSIGNED: Final = (1 << 64) - 1
WEEK_MS: Final = 7 * 24 * 3600 * 1000


def ulid_number(ulid: str) -> int:
    """Return a ULID, or its beginning, as a number; python-ulid's own parsing costs more than
    all of an event's validation."""
    return int(ulid.translate(FROM_CROCKFORD), 32)


@lru_cache(CACHED)
def ulid_ms(ulid: str) -> int:
    """Return the milliseconds since 1970 at which a ULID was minted."""
    return ulid_number(ulid[:10])


def to_ms(moment: dt.datetime) -> int:
    """Return whole milliseconds since 1970, exactly: times a thousand, a float is
    sometimes short of the next one."""
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def event_id(occurred_at: dt.datetime, message_key: int, bucket: int) -> str:
    """Return the ULID of an event: the client's time, the 64 bits of the message key, the bucket in 16.

    It is the row's primary key, so it is not stored, and a retry is answered with its original's id.
    """
    return as_ulid(to_ms(occurred_at), (message_key & UNSIGNED) << 16 | bucket)


def as_ulid(milliseconds: int, number: int) -> str:
    """Return a time in milliseconds since 1970 and a number of 80 bits as a ULID.

    Spelled out, and three digits at a time: a loop over the 26 costs three times as
    much, and every event gets one.
    """
    two, three = DIGIT_PAIRS, DIGIT_TRIPLES
    high, low = number >> 40, number & 0xFFFFFFFFFF
    return (
        f"{two[milliseconds >> 40]}{three[milliseconds >> 25 & 0x7FFF]}{three[milliseconds >> 10 & 0x7FFF]}"
        f"{two[milliseconds & 0x3FF]}"
        f"{three[high >> 25]}{three[high >> 10 & 0x7FFF]}{two[high & 0x3FF]}"
        f"{three[low >> 25]}{three[low >> 10 & 0x7FFF]}{two[low & 0x3FF]}"
    )


class Hmac:
    """HMAC-SHA256 under one key: the key is hashed once, not for every message."""

    def __init__(self, key: bytes) -> None:
        """Take a key of any length."""
        self.keyed = hmac.new(key, digestmod="sha256")

    def __call__(self, message: bytes) -> bytes:
        """Return the 32 bytes of a message."""
        own = self.keyed.copy()
        own.update(message)
        return own.digest()


def to_key(digest: bytes) -> int:
    """Return the first 64 bits of a digest as the signed integer that the database holds."""
    return int.from_bytes(digest[:PSEUDONYM_BYTES], signed=True)


def to_text(key: int) -> str:
    """Return a key as `doctor` prints it: 16 hexadecimal digits."""
    return f"{key & UNSIGNED:016x}"


def from_text(text: str) -> int:
    """Return the key of `to_text`. Raises ValueError for anything else."""
    if re.fullmatch("[0-9a-f]{16}", text) is None:
        raise ValueError("no key")
    return to_key(bytes.fromhex(text))


def wrap(key: bytes, pseudonym: bytes) -> bytes:
    """Return the pseudonym of a pseudonym, as long as that: what a rotation makes
    of everything that is stored."""
    return hmac.digest(key, pseudonym, "sha256")[: len(pseudonym)]


def wrap_through(rotations: Iterable[Hmac], pseudonym: bytes) -> bytes:
    """Return what some rotations make of a pseudonym, one after the other: as long as that."""
    length = len(pseudonym)
    for wrap_further in rotations:
        pseudonym = wrap_further(pseudonym)[:length]
    return pseudonym


class Pseudonyms:
    """The pseudonyms of one installation. Its key is never printed: it has no useful `repr`."""

    def __init__(self, hash_key: str, *rotations: str) -> None:
        """Derive all keys from the hash key, any string of at least 32 characters, and
        those that rotations added since.

        A rotation wraps what is stored, so a pseudonym is wrapped by every key in turn. The message keys, by
        which duplicates are recognised, follow from the first key for ever.
        """
        self._digest = Hmac(hash_key.encode())
        self._rotations = tuple(Hmac(key.encode()) for key in rotations)
        self._earlier = tuple((hash_key, *rotations[:number]) for number in range(len(rotations)))
        self._message_key = hmac.digest(hash_key.encode(), b"message keys by BLAKE2b", "sha256")
        self._receipt_digest = Hmac(hmac.digest(hash_key.encode(), b"receipts", "sha256"))
        self.of: Callable[[str, str], int] = lru_cache(CACHED)(self._of)

    def _of(self, kind: str, raw: str) -> int:
        return int.from_bytes(self._wrapped(kind, raw, PSEUDONYM_BYTES), signed=True)

    def secret(self, kind: str, raw: str) -> bytes:
        """Return the 16 bytes that stand for what must not be guessed."""
        return self._wrapped(kind, raw, SECRET_BYTES)

    def _wrapped(self, kind: str, raw: str, length: int) -> bytes:
        """Return a pseudonym's wrapped form; `kind` keeps equal values of two fields apart."""
        return wrap_through(self._rotations, self._digest(f"{kind}\0{raw}".encode())[:length])

    def units(self, anonymous_ids: Iterable[str]) -> list[int]:
        """Return the units of some users: their anonymous ids as they are stored."""
        return [self.of("anonymous id", each) for each in anonymous_ids]

    def session(self, session_id: str, occurred_ms: int) -> int:
        """Return the session key: the session's ULID and the whole weeks since it was minted.

        A session is its process's, and a daemon lives for months: counted by weeks, none spans more than
        seven days. What a clock that was set back puts before the minting belongs to the first week.
        """
        age = occurred_ms - ulid_ms(session_id)
        weeks = age // WEEK_MS if age > 0 else 0
        return self.of("session", f"{session_id}{weeks}")

    def message(self, *parts: bytes) -> int:
        """Return the message key by which duplicates are recognised: under a key of its
        own, which is never rotated."""
        keyed = blake2b(b"\0".join(parts), digest_size=PSEUDONYM_BYTES, key=self._message_key)
        return int.from_bytes(keyed.digest(), signed=True)

    def receipt(self, milliseconds: int) -> str:
        """Return the receipt of a request to be forgotten: its time, signed. It holds nothing of the
        id, so it cannot lead there."""
        signature = self._receipt_digest(milliseconds.to_bytes(6))
        return as_ulid(milliseconds, int.from_bytes(signature[:10]))

    def receipt_ms(self, receipt: str) -> int | None:
        """Return the time in a receipt of ours, in milliseconds since 1970; None for anything else."""
        if ULID.fullmatch(receipt) is None:
            return None
        milliseconds = ulid_ms(receipt)
        return milliseconds if hmac.compare_digest(self.receipt(milliseconds), receipt) else None

    def write_key(self, write_key: str) -> bytes:
        """Return what the database holds of a write key."""
        return self.secret("write key", write_key)

    def report_token(self, token: str) -> bytes:
        """Return what the database holds of a report token."""
        return self.secret("report token", token)

    def find_wrapping(self, check: bytes) -> Callable[[bytes], bytes] | None:
        """Return what makes of a pseudonym under the keys of `check` one under
        these; None if it is of other keys.

        Those of `check` are these, less some that rotations added at the end.
        """
        for number, keys in enumerate([*self._earlier, None]):
            earlier = self if keys is None else Pseudonyms(*keys)
            if hmac.compare_digest(earlier.check(), check):
                return partial(wrap_through, self._rotations[number:])
        return None

    def check(self) -> bytes:
        """Return what the database holds of the hash key, so that a wrong one is noticed."""
        return self.secret("check", "")
