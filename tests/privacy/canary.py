"""Values that must not be found again, and the search that would find them."""

import base64
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ulid import ULID

from tests.samples import HASH, SESSION, USER, clean_event, spoil

# In every value that is made up here; letters and digits, so that it can stand in a messageId.
MARKER = "QCanaryQ7"

POSITIONS = [
    *[
        "anonymousId",
        "messageId",
        "event",
        "timestamp",
        "sentAt",
        "type",
        "userId",
        "writeKey",
        "receivedAt",
        "traits",
    ],
    *[
        "originalTimestamp",
        "integrations",
        "context",
        "context.library",
        "context.library.name",
        "context.active",
        "context.instanceId",
        "context.ip",
        "context.device.id",
        "context.page",
        "context.page.title",
        "context.os",
        "context.os.version",
        "context.userAgent",
        "context.app.name",
        "context.device.model",
        "context.sessionId",
        "_metadata",
        "channel",
        "version",
        "projectId",
        "requestId",
        "options",
        "email",
    ],
    *[
        "properties",
        "properties.session_id",
        "properties.state",
        "properties.version",
        "properties.python_version",
    ],
    *[
        "properties.os",
        "properties.application_hash",
        "properties.ip",
        "properties.number_of_records",
        "properties.user",
    ],
    *[
        "properties.flags",
        "properties.flags.CI",
        "properties.flags.NOTEBOOK_RUNTIME",
        "properties.flags.HOSTNAME",
    ],
    *[
        f"properties.{party}{leaf}"
        for party in ("source", "destination", "cache")
        for leaf in ("", ".name", ".type", ".executor_type", ".version", ".config_hash", ".path")
    ],
    "properties.exception",
    *[
        f"properties.exception.{leaf}"
        for leaf in (
            "class",
            "message",
            "stream_name",
            "connector_name",
            "violation",
            "exit_code",
            "traceback",
        )
    ],
]


def canaries(position: str) -> list[Any]:
    """Values for a position: withheld or refused, as a text and inside, in a key too."""
    text = f"{MARKER}-{position.replace('.', '-')}"
    address = f"{text}@example.com"
    return [
        text,
        address,
        f"/home/{text}/main.py",
        f"password={text}",
        [text, [address]],
        {text: 1},
        {"a": {address: text}},
    ]


def events() -> Iterator[dict[str, Any]]:
    """Events with a canary in every position, and as a key everywhere an unknown key can stand."""
    for position in POSITIONS:
        for value in canaries(position):
            yield spoil(position, value)
    for parent in (
        "",
        "properties.",
        "properties.flags.",
        "properties.source.",
        "properties.cache.",
        "context.",
    ):
        yield spoil(f"{parent}{MARKER}-key", True)
    yield clean_event() | {"messageId": f"{MARKER}.accepted"}


BODIES = [
    *[
        MARKER,
        f'"{MARKER}"',
        f"[{MARKER}]",
        f'{{"{MARKER}": NaN}}',
        f'{{"event": "{MARKER}\\u0000"}}',
        f'["{MARKER}"]',
    ],
    *[
        f'{{"event": "{MARKER}\\ud800"}}',
        f'{{"{MARKER}": 1, "{MARKER}": 2}}',
        f'{{"a": [[[[[["{MARKER}"]]]]]]}}',
    ],
    *[
        f'{{"batch": "{MARKER}"}}',
        f'{{"batch": [], "{MARKER}": 1}}',
        f'{{"batch": ["{MARKER}", {{"{MARKER}": 1}}]}}',
    ],
    *[
        f'{{"{MARKER}": ' + '{"a":' * 2_000,
        '{"event": "' + MARKER * 8_000 + '"}',
        f'{{"writeKey": "{MARKER}"}}',
    ],
]


def needles() -> dict[str, re.Pattern[bytes]]:
    """What to look for: the marker however it is written, and the raw ids and hashes of
    the events that were accepted."""
    raw = MARKER.encode()
    written = {
        "as it is": re.escape(raw),
        "in hexadecimal": raw.hex().encode(),
        "in UTF-16": re.escape(MARKER.encode("utf-16-le")),
        "percent-encoded": "".join(f"%{byte:02x}" for byte in raw).encode(),
        **{f"in base64, {shift} on": re.escape(base64_core(raw, shift)) for shift in range(3)},
        "user": USER.encode(),
        "user, bytes": re.escape(bytes(ULID.from_str(USER))),
        "session": SESSION.encode(),
        "session, bytes": re.escape(bytes(ULID.from_str(SESSION))),
        "hash": HASH.encode(),
        "hash, bytes": re.escape(bytes.fromhex(HASH)),
    }
    exact = {name for name in written if "base64" in name or "bytes" in name}
    return {name: re.compile(form, 0 if name in exact else re.IGNORECASE) for name, form in written.items()}


def base64_core(raw: bytes, shift: int) -> bytes:
    """The letters of base64 that stand for these bytes wherever they begin, less those
    that their neighbours change."""
    encoded = base64.b64encode(b"\0" * shift + raw)
    return encoded[(shift * 8 + 5) // 6 : (shift + len(raw)) * 8 // 6]


NEEDLES = needles()


def search(content: bytes) -> list[str]:
    """The needles that are in it."""
    return [name for name, pattern in NEEDLES.items() if pattern.search(content)]


def search_files(folders: Iterable[Path]) -> dict[str, list[str]]:
    """Files under folders that hold a needle, and which."""
    files = [path for folder in folders for path in (folder.rglob("*") if folder.is_dir() else [folder])]
    found = {}
    for path in files:
        try:
            content = path.read_bytes() if path.is_file() else b""
        except FileNotFoundError:  # a file of Postgres that came and went
            continue
        if names := search(content):
            found[str(path)] = names
    return found
