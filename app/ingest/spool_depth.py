"""How much waits in the spool."""

from dataclasses import dataclass
from typing import Final

COUNT: Final = "SELECT count(*), coalesce(sum(length(payload)), 0), min(CAST(queued_at AS REAL)) FROM entries"


@dataclass(frozen=True, slots=True)
class Depth:
    """How much waits in a spool: entries, bytes of payload, seconds since the oldest came;
    and how many were unreadable."""

    entries: int = 0
    payload_bytes: int = 0
    age_seconds: float = 0.0
    corrupt: int = 0

    def __add__(self, other: "Depth") -> "Depth":
        """Return the depth of two spools taken together."""
        return Depth(
            self.entries + other.entries,
            self.payload_bytes + other.payload_bytes,
            max(self.age_seconds, other.age_seconds),
            self.corrupt + other.corrupt,
        )
