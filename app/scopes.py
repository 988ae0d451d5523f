"""What a write key may do, and how `TELEMETRY_WRITE_KEYS` says it."""

from typing import Final

INGEST: Final = "ingest"  # to send live events
IMPORT: Final = "import"  # to send history, whose times are believed, to /v1/import
RELAY: Final = "relay"  # to send for many people in one batch, as a proxy or a collector does
SCOPES: Final = (INGEST, IMPORT, RELAY)
EVERY_SCOPE: Final = frozenset(SCOPES)
# Of PyAirbyte's library and of its MCP server (`airbyte/_util/telemetry.py` and `airbyte/mcp`
# of 1.0): everybody has them.
PUBLIC_KEYS: Final = frozenset({"cukeSffc0G6gFQehKDhhzSurDzVSZ2OP", "KUID2VHtcNVbjAN7RsZdg6ZKKeMHCWhZ"})


def parse_write_keys(text: str) -> dict[str, frozenset[str]]:
    """Return the scopes of each key of `key[:scope+scope],…`, in order; all scopes where none is named.

    PyAirbyte's public keys have `ingest` and never more. Raises ValueError, which names no key.
    """
    found: dict[str, frozenset[str]] = {}
    for part in text.split(","):
        key, colon, named = part.strip().partition(":")
        if not key and not colon:
            continue
        if not key or key in found:
            raise ValueError("has a key twice" if key else "has a scope without a key")
        allowed = frozenset({INGEST}) if key in PUBLIC_KEYS else EVERY_SCOPE
        found[key] = frozenset(named.split("+")) if colon else allowed
        if not found[key] <= EVERY_SCOPE:
            raise ValueError(f"takes the scopes {', '.join(SCOPES)}, as key:ingest+import")
        if not found[key] <= allowed:
            raise ValueError("has one of PyAirbyte's public keys, which may do no more than ingest")
    return found
